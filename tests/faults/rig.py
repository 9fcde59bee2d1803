"""An operator behind the proxy, and what is to be true of an operation after any fault."""

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloudharness_operation.names import PLURAL, WORKFLOW_PLURAL
from tests.cluster import Cluster, pki
from tests.faults.calls import CREATE, DETAILS, POST, REMIND, SEND, STOP, SWEEP, Fault
from tests.faults.plans import Scenario
from tests.faults.process import OperatorProcess
from tests.faults.proxy import FaultProxy
from tests.support import kafka
from tests.support.installation import DEPLOYMENT, FULL_KIND, Installation, eventually
from tests.support.operations import open_gate

TASK_ACCOUNT = "cloudharness-task"


@dataclass(frozen=True)
class Rig:
    """A namespace, its operator and the proxy."""

    one: Installation
    proxy: FaultProxy
    operator: OperatorProcess
    order: Path
    """The file that says when the operator is to end itself."""
    topic: kafka.Topic

    def run(self, scenario: Scenario, fault: Fault | None) -> None:
        """Lead an operation through a scenario with a fault, and see what has become of it."""
        name = f"{scenario.name}-{uuid.uuid4().hex[:8]}"
        deaths = len(self.operator.ends)
        self.proxy.arm(name, fault)
        if fault and fault.step == SEND:
            self.order.write_text(fault.kind.name)
        self.one.apply(scenario.manifest(name, self.one.namespace))
        uid = self.one.get(FULL_KIND, name)["metadata"]["uid"]
        eventually(lambda: self.one.status(name).get("phase") == "Running")
        self._act(scenario, name)
        self._has_ended(scenario, name)
        eventually(lambda: self._has_happened(fault, deaths))
        self._is_told_once(scenario, uid)
        self._has_one_child(scenario)
        self._leaves_nothing(name)

    def _act(self, scenario: Scenario, name: str) -> None:
        one = self.one
        match scenario.act:
            case "let on":
                open_gate(one, name)
            case "cancel":
                body = {"spec": {"cancel": "Stop"}}
                one.server.patch(FULL_KIND, name, body)
            case "delete":
                one.server.delete(FULL_KIND, name)
            case "wait":
                pass

    def _has_ended(self, scenario: Scenario, name: str) -> None:
        one = self.one
        if scenario.act == "delete":
            eventually(lambda: not one.find(FULL_KIND, fields=f"metadata.name={name}"))
        else:
            status = one.wait_for(name)
            assert status["reason"] == scenario.reason, status
            one.wait_for(name, "Notified", 60)
        eventually(lambda: not one.workflows(name))

    def _has_happened(self, fault: Fault | None, deaths: int) -> bool:
        if fault is None:
            return len(self.operator.ends) == deaths
        if fault.step == SEND:
            return not self.order.exists() and len(self.operator.ends) == deaths + 1
        return self.proxy.fired and len(self.operator.ends) - deaths == fault.kind.kills

    def _is_told_once(self, scenario: Scenario, uid: str) -> None:
        told = [event for event in self.topic.read() if event.key == uid]
        assert {(event.attributes["ce_source"], event.id) for event in told} == {
            (told[0].attributes["ce_source"], f"{uid}/1/exit")
        }
        said = {(event.data["status"], event.data["reason"]) for event in told}
        assert said == {(scenario.status, scenario.reason)}

    def _has_one_child(self, scenario: Scenario) -> None:
        expected = set(scenario.steps) - {SEND, POST}
        # The effect of a write can be seen before the proxy has recorded the response to it.
        eventually(lambda: expected <= set(self._done()))
        good = self._done()
        assert good[CREATE] == 1, good
        # What was done and not answered may be done once more, and does nothing then. An Event
        # may be missed, and details may come in pieces or with what comes next.
        firm = set(good) - {DETAILS, POST, REMIND}
        if STOP in scenario.steps:
            # Where it all takes longer than pods have to stop, they are seen to besides.
            firm.discard(SWEEP)
        assert firm == expected, good

    def _done(self) -> Counter[str]:
        """Return how often each step succeeded, by the responses that the proxy has recorded."""
        return Counter(answer.call.step for answer in self.proxy.answers if answer.is_good)

    def _leaves_nothing(self, name: str) -> None:
        one = self.one
        if one.find(FULL_KIND, fields=f"metadata.name={name}"):
            one.server.delete(FULL_KIND, name)
        eventually(lambda: not one.find(FULL_KIND, fields=f"metadata.name={name}"))
        eventually(lambda: not one.workflows(name) and not one.pods(name))


@contextmanager
def rig(cluster: Cluster, namespace: str, place: Path) -> Iterator[Rig]:
    """Put all of it in place, and take it away in the end."""
    one = Installation(cluster, namespace)
    cluster.kubectl("create", "namespace", namespace)
    try:
        # The accounts and rights of the chart, without its pod.
        one.install(f"kafka.bootstrapServers={one.kafka}", "replicas=0")
        with ExitStack() as stack:
            yield _open(one, place, stack)
    finally:
        one.remove()


def _open(one: Installation, place: Path, stack: ExitStack) -> Rig:
    pki.self_signed(place, "tls", "IP:127.0.0.1")
    account = place / "account"
    account.mkdir()
    (account / "ca.crt").write_bytes((place / "tls.crt").read_bytes())
    token = one.kubectl("create", "token", DEPLOYMENT, "--duration=4h")
    (account / "token").write_text(token.strip())
    order = place / "order"
    operators: list[OperatorProcess] = []

    def kill() -> None:
        for operator in operators:
            operator.kill()

    proxy = stack.enter_context(FaultProxy(one.cluster.kubeconfig, place, kill))
    settings = {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(proxy.port),
        "SERVICE_ACCOUNT_DIR": str(account),
        "WATCH_NAMESPACES": one.namespace,
        "KAFKA_BOOTSTRAP_SERVERS": one.kafka,
        "TASK_IMAGE": one.cluster.python_image,
        "TASK_SERVICE_ACCOUNT": TASK_ACCOUNT,
    }
    operator = OperatorProcess(settings, order, place / "operator.log")
    operators.append(operator)
    stack.enter_context(operator)
    eventually(lambda: proxy.listed == {PLURAL, WORKFLOW_PLURAL})
    return Rig(one, proxy, operator, order, kafka.Topic(one.kafka, one.namespace))
