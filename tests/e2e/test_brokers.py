"""Brokers that ask for TLS, certificates and passwords, and what they refuse."""

import json
import time
import uuid

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from cloudharness_operation.event import ExitEventValue
from cloudharness_operation.names import KIND, LABEL_OPERATION
from tests.cluster import Cluster, config
from tests.cluster.embedded import EmbeddedCluster
from tests.support import kafka
from tests.support.broker_settings import connect, make_topic, metrics, secret, wait_for_notified
from tests.support.installation import FULL_KIND, RELEASE, Installation, condition, eventually
from tests.support.operations import bash, operation

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse"  # noqa: S105 - of users who live as long as a test.


@pytest.fixture
def admin(cluster: Cluster) -> AdminClient:
    """A client of the broker that may do everything."""
    if not isinstance(cluster, EmbeddedCluster):
        pytest.skip("only the embedded cluster's broker has users of ours")
    return AdminClient({"bootstrap.servers": config.KAFKA})


def scram(admin: AdminClient, user: str, mechanism: ScramMechanism) -> None:
    """Make a user with the right password."""
    credential = ScramCredentialInfo(mechanism, 4096)
    change = UserScramCredentialUpsertion(user, credential, PASSWORD.encode())
    for future in admin.alter_user_scram_credentials([change]).values():
        future.result(30)


def allow(admin: AdminClient, user: str, topic: str) -> None:
    """Let one user write to a topic, and so nobody else whom nothing names."""
    rule = AclBinding(
        *(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{user}", "*"),
        *(AclOperation.ALL, AclPermissionType.ALLOW),
    )
    for future in admin.create_acls([rule]).values():
        future.result(30)


def pki(one: Installation, name: str) -> str:
    """A file of the cluster's certificates."""
    assert isinstance(one.cluster, EmbeddedCluster)
    return (one.cluster.state.pki / name).read_text()


def with_password(one: Installation, password: str = PASSWORD) -> None:
    """Write a Secret for SASL_SSL with SCRAM-SHA-512, and the namespace's own user."""
    secret(
        one,
        protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        user=one.namespace,
        password=password,
        ca_crt=pki(one, "ca.crt"),
    )


def connect_as_user(one: Installation, admin: AdminClient, password: str = PASSWORD) -> None:
    """Make the namespace's own user, and install the operator with a password for it."""
    scram(admin, one.namespace, ScramMechanism.SCRAM_SHA_512)
    with_password(one, password)
    connect(one, config.KAFKA_SASL_TLS)


def only_event(one: Installation, name: str) -> None:
    """Read the topic: it holds this operation's event, once."""
    uid = one.get(FULL_KIND, name)["metadata"]["uid"]
    found = kafka.all_events(config.KAFKA, one.namespace, 1)
    assert [event.id for event in found] == [f"{uid}/1/exit"]


@pytest.mark.parametrize(
    "mechanism", ["SCRAM-SHA-256", pytest.param("PLAIN", marks=pytest.mark.long)]
)
def test_a_password(vacant: Installation, admin: AdminClient, mechanism: str) -> None:
    user, password, servers = vacant.namespace, PASSWORD, config.KAFKA_SASL_TLS
    if mechanism == "PLAIN":
        (user, password), servers = config.KAFKA_PLAIN_USER, config.KAFKA_SASL
    else:
        scram(admin, user, ScramMechanism[mechanism.replace("-", "_")])
    tls = {"ca_crt": pki(vacant, "ca.crt")} if servers == config.KAFKA_SASL_TLS else {}
    protocol = "SASL_SSL" if tls else "SASL_PLAINTEXT"
    secret(vacant, protocol=protocol, sasl_mechanism=mechanism, user=user, password=password, **tls)
    connect(vacant, servers)
    vacant.apply(operation("safe", bash("true"), topic=vacant.namespace))
    vacant.wait_for("safe", "Notified")
    only_event(vacant, "safe")


@pytest.mark.long
@pytest.mark.usefixtures("admin")
def test_a_client_certificate_that_is_missed_and_then_given(vacant: Installation) -> None:
    secret(vacant, protocol="SSL", ca_crt=pki(vacant, "ca.crt"), user_skip="true")
    connect(vacant, config.KAFKA_MUTUAL_TLS)
    vacant.apply(operation("safe", bash("true"), topic=vacant.namespace))
    assert "alert" in wait_for_notified(vacant, "safe", "False", "TLSFailed")
    secret(
        vacant,
        protocol="SSL",
        ca_crt=pki(vacant, "ca.crt"),
        user_crt=pki(vacant, "kafka-client.crt"),
        user_key=pki(vacant, "kafka-client.key"),
        user_skip="false",
    )
    seen_now(vacant)
    vacant.wait_for("safe", "Notified")
    only_event(vacant, "safe")


def seen_now(one: Installation) -> None:
    """Have the kubelet look at the pod now, and so bring the new Secret."""
    pod = one.operator_pod()["metadata"]["name"]
    one.kubectl("annotate", "pod", pod, f"test/now={uuid.uuid4()}", "--overwrite")


@pytest.mark.long
def test_a_wrong_password_is_told_and_the_right_one_needs_no_restart(
    vacant: Installation, admin: AdminClient
) -> None:
    connect_as_user(vacant, admin, "wrong")
    before = vacant.operator_pod()
    vacant.apply(operation("late", bash("true"), topic=vacant.namespace))
    status = vacant.wait_for("late")
    assert status["phase"] == "Succeeded"
    message = wait_for_notified(vacant, "late", "False", "AuthenticationFailed")
    assert "invalid credentials" in message
    with_password(vacant)
    begun = time.monotonic()
    seen_now(vacant)
    vacant.wait_for("late", "Notified")
    print(f"confirmed {time.monotonic() - begun:.1f} s after the new Secret")
    only_event(vacant, "late")
    after = vacant.operator_pod()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0


@pytest.mark.long
def test_a_secret_that_contradicts_itself_is_refused_by_name(
    vacant: Installation, admin: AdminClient
) -> None:
    connect_as_user(vacant, admin)
    vacant.kubectl(
        "patch", "secret", "kafka", "-p", json.dumps({"stringData": {"protocol": "SSL"}})
    )
    seen_now(vacant)
    eventually(lambda: "the previous settings stay in use" in logs(vacant), timeout=90)
    vacant.apply(operation("unharmed", bash("true"), topic=vacant.namespace))
    vacant.wait_for("unharmed", "Notified")
    vacant.kill_operator()
    wanted = "error: Secret of kafka.secret: sasl.mechanism is of no use with protocol SSL"
    eventually(lambda: wanted in logs(vacant), timeout=90)


def logs(one: Installation) -> str:
    """The operator's log, of the container that runs or ran last."""
    return one.kubectl("logs", "deployment/cho-cloudharness-operator", check=False)


@pytest.mark.long
def test_a_topic_that_is_not_ours_is_told_and_tried_again(
    vacant: Installation, admin: AdminClient
) -> None:
    connect_as_user(vacant, admin)
    allow(admin, "somebody-else", vacant.namespace)
    vacant.apply(operation("denied", bash("true"), topic=vacant.namespace))
    vacant.wait_for("denied")
    message = wait_for_notified(vacant, "denied", "False", "AuthorizationFailed")
    assert vacant.namespace in message
    allow(admin, vacant.namespace, vacant.namespace)
    vacant.wait_for("denied", "Notified")
    only_event(vacant, "denied")


def test_a_topic_that_is_not_allowed_is_refused(vacant: Installation) -> None:
    vacant.install(f"kafka.bootstrapServers={vacant.kafka}", "kafka.allowedTopics={mine,e2e-*}")
    vacant.apply(operation("theirs", bash("true"), topic="theirs"))
    status = vacant.wait_for("theirs")
    accepted = condition(status, "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "InvalidSpec")
    assert accepted["message"].startswith("spec.onExit.notify.topic: 'theirs' is not one of")
    assert "use one like mine, e2e-*, or add it to kafka.allowedTopics" in accepted["message"]
    vacant.apply(operation("ours", bash("true"), topic=vacant.namespace))
    vacant.wait_for("ours", "Notified")


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PAYLOADS = {
    "text": 'plain \u00e9 \U0001f680 \\ "',
    "dict": '{"b": 1, "a": [1.0, null]}',
    "nested": json.dumps({"inner": json.dumps({"deep": "\"'\\"})}),
}


@pytest.mark.long
def test_a_listener_of_cloudharness_reads_the_event_and_the_other_mode_has_it_all(
    own: Installation,
) -> None:
    servers = own.kafka
    for name, payload in PAYLOADS.items():
        notify = {
            "notify": {"topic": own.namespace, "payload": payload, "traceparent": TRACE},
        }
        own.apply(operation(name, bash("true"), onExit=notify))
    for name in PAYLOADS:
        own.wait_for(name, "Notified")
    found = kafka.events(servers, own.namespace, lambda all_: len(all_) >= len(PAYLOADS))
    assert {event.data["operation"]: event.data["payload"] for event in found} == PAYLOADS
    for event in found:
        ExitEventValue.model_validate(event.data)
        assert event.data["status"] == "Succeeded"
        child = own.status(event.data["operation"])["workflowRef"]["name"]
        assert event.data["workflow"] == child
        assert event.attributes["ce_traceparent"] == TRACE
    own.install(f"kafka.bootstrapServers={servers}", "kafka.contentMode=structured")
    topic = f"{own.namespace}-structured"
    own.apply(operation("whole", bash("true"), topic=topic))
    own.wait_for("whole", "Notified")
    (whole,) = kafka.events(servers, topic, bool)
    assert whole.attributes == {"content-type": "application/cloudevents+json"}
    assert whole.data["id"] == f"{whole.key}/1/exit"
    ExitEventValue.model_validate(whole.data["data"])


def make_small_topic(one: Installation) -> None:
    """Make a topic that no event of ours fits into, with the name of the namespace."""
    small = NewTopic(one.namespace, 1, 1, config={"max.message.bytes": "200"})
    make_topic(AdminClient({"bootstrap.servers": one.kafka}), small)


@pytest.mark.long
def test_a_record_that_is_too_large_for_its_topic_is_told_and_counted(own: Installation) -> None:
    make_small_topic(own)
    own.apply(operation("large", bash("true"), topic=own.namespace))
    own.apply(operation("fits", bash("true"), topic=f"{own.namespace}-2"))
    own.wait_for("fits", "Notified")
    wait_for_notified(own, "large", "False", "MessageTooLarge")
    (child,) = own.workflows("large")
    assert child["metadata"]["finalizers"] == ["cloudharness.io/exit-event"]
    numbers = metrics(own)
    prefix = "cloudharness_operation_events"
    assert numbers[f"{prefix}_sent_total"] == 1
    assert numbers[f'{prefix}_failed_total{{reason="MessageTooLarge"}}'] == 1
    assert numbers[f"{prefix}_pending"] == 1
    assert numbers[f"{prefix}_oldest_pending_seconds"] > 0


@pytest.mark.long
def test_what_cannot_be_told_is_given_up_when_its_time_is_over(vacant: Installation) -> None:
    vacant.install(f"kafka.bootstrapServers={vacant.kafka}", "kafka.giveUpAfterSeconds=1")
    make_small_topic(vacant)
    vacant.apply(operation("large", bash("true"), topic=vacant.namespace))
    uid = vacant.get(FULL_KIND, "large")["metadata"]["uid"]
    message = wait_for_notified(vacant, "large", "False", "GivenUp")
    assert "1 s after the end (kafka.giveUpAfterSeconds); MessageTooLarge: topic" in message
    assert vacant.status("large")["phase"] == "Succeeded"
    eventually(lambda: "finalizers" not in vacant.workflows("large")[0]["metadata"])
    (line,) = (line for line in logs(vacant).splitlines() if "giving up event" in line)
    assert f'"uid": "{uid}"' in line
    numbers = metrics(vacant)
    prefix = "cloudharness_operation_events"
    assert numbers[f'{prefix}_given_up_total{{reason="MessageTooLarge"}}'] == 1
    assert numbers[f"{prefix}_pending"] == 0
    about = f"regarding.name=large,regarding.kind={KIND},reason=NotificationFailed"
    notes = [event["note"] for event in vacant.find("events.events.k8s.io", fields=about)]
    assert any(note.startswith("GivenUp: ") for note in notes)


@pytest.mark.long
def test_an_uninstallation_leaves_nothing_that_is_stuck(vacant: Installation) -> None:
    """With an operation that runs, and one whose event no topic takes."""
    vacant.install(f"kafka.bootstrapServers={vacant.kafka}")
    make_small_topic(vacant)
    vacant.apply(
        operation("running", bash("sleep 600"), topic=vacant.namespace),
        operation("untold", bash("true"), topic=vacant.namespace),
    )
    wait_for_notified(vacant, "untold", "False", "MessageTooLarge")
    eventually(lambda: vacant.status("running")["phase"] == "Running")
    assert all(one["metadata"]["finalizers"] for one in vacant.find("workflows"))
    vacant.cluster.helm("uninstall", RELEASE, "--namespace", vacant.namespace)
    assert {one["metadata"]["labels"][LABEL_OPERATION] for one in vacant.find("workflows")} == {
        "running",
        "untold",
    }
    assert not any("finalizers" in one["metadata"] for one in vacant.find("workflows"))
    mine = ("-l", f"app.kubernetes.io/instance={RELEASE}", "-o", "name")
    kinds = "deployments,jobs,pods,serviceaccounts,roles,rolebindings,leases,services"
    assert vacant.kubectl("get", kinds, *mine) == ""
    assert vacant.find("leases") == []
    vacant.cluster.kubectl("delete", "namespace", vacant.namespace, timeout=120)
