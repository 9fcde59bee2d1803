"""The main job from one end to the other: `make demo`.

A pipeline of two steps on a real cluster: applied as a person does, run by Argo in pods,
its state shown as it changes, and its end read from Kafka as another service would.
"""

import contextlib
import os
import shlex
import sys
import time

import yaml

from dev import demo_local
from tests.cluster import Cluster, ClusterError, embedded, open_cluster, setup
from tests.cluster.choice import choose, from_environment
from tests.cluster.embedded import EmbeddedCluster, Place
from tests.support import kafka
from tests.support.installation import FULL_KIND, ROOT, Installation, Manifest

NAMESPACE = "demo"
EXAMPLE = ROOT / "examples" / "pipeline.yaml"
COLUMNS = ("phase", "progress", "reason", "message")
TIMEOUT = 180.0


def main() -> int:
    """Show it all; 0 if the operation succeeded and its event arrived."""
    try:
        with contextlib.ExitStack() as stack:
            return show(_cluster(stack))
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; run it again to go on", file=sys.stderr)
        return 130


def _cluster(stack: contextlib.ExitStack) -> Cluster:
    """Yield a cluster, which is left running if it is the embedded one."""
    title(f"The operation that will run: examples/{EXAMPLE.name}")
    print(EXAMPLE.read_text(), end="")
    if choose("auto", None, os.environ) != "embedded":
        return stack.enter_context(open_cluster())
    place = Place.default(os.environ.get("CLUSTER_NAME", "default"))
    if not setup.was_built(place.cache):
        title("The cluster has to be built first, once. Meanwhile, an operation without a cluster")
        demo_local.show()
    title("A cluster: two nodes, Argo Workflows and Kafka")
    process = embedded.up(place, from_environment(os.environ))
    if process is not None:
        embedded.detach(process)
    cluster = EmbeddedCluster(place)
    cluster.join()
    return cluster


def show(cluster: Cluster) -> int:
    """Install the operator, run the example and show the result."""
    demo = Installation(cluster, NAMESPACE)
    print(cluster.kubectl("get", "nodes"), end="")

    title("The operator, installed by its Helm chart, running in a pod of its own image")
    demo.install(f"kafka.bootstrapServers={demo.kafka}")
    print(demo.kubectl("get", "deployments"), end="")

    manifest: Manifest = yaml.safe_load(EXAMPLE.read_text())
    name = manifest["metadata"]["name"]
    title(f"kubectl apply -f examples/{EXAMPLE.name}")
    # One operation is one run, so to run it again is to make it anew.
    demo.kubectl("delete", FULL_KIND, name, "--ignore-not-found", "--timeout=60s", timeout=70)
    print(demo.kubectl("apply", "-f", str(EXAMPLE)), end="")
    uid = demo.get(FULL_KIND, name)["metadata"]["uid"]
    follow(demo, name)

    title("What its pods said")
    selector = f"cloudharness.io/operation={name}"
    print(demo.kubectl("logs", "-l", selector, "-c", "main", "--prefix", "--tail=20"), end="")

    topic = manifest["spec"]["onExit"]["notify"]["topic"]
    title(f"The CloudEvent, as a consumer of the topic {topic} gets it")
    found = [event for event in _events(demo.kafka, topic, uid) if event.key == uid]
    if not found:
        raise ClusterError(f"no event in {topic} within {TIMEOUT:g} s")
    for key, value in {**found[-1].attributes, **found[-1].data}.items():
        print(f"  {key:16} {value}")

    title("The operation, now and from now on")
    print(demo.kubectl("get", "cho,workflows,pods"), end="")
    farewell(cluster, name)
    return 0 if demo.status(name)["phase"] == "Succeeded" else 1


def _events(servers: str, topic: str, uid: str) -> list[kafka.Event]:
    return kafka.events(servers, topic, lambda all_: any(e.key == uid for e in all_), TIMEOUT)


def follow(demo: Installation, name: str) -> None:
    """Print each state of an operation that differs from the one before, until the last."""
    begun, last = time.monotonic(), ""
    while time.monotonic() < begun + TIMEOUT:
        status = demo.status(name)
        line = "  ".join(f"{status.get(column, ''):<12}" for column in COLUMNS)
        if line != last:
            print(f"  {time.monotonic() - begun:5.1f} s  {line.rstrip()}", flush=True)
            last = line
        if any(c["type"] == "Finished" and c["status"] == "True" for c in status["conditions"]):
            return
        time.sleep(0.1)
    raise ClusterError(f"{name} has not finished within {TIMEOUT:g} s")


def farewell(cluster: Cluster, name: str) -> None:
    """Say how to go on from here, and how to end it."""
    title("The cluster keeps running. To look around:")
    if cluster.backend == "embedded":
        print('  eval "$(make -s env)"  kubectl, helm and KAFKA in this shell; then:')
    for command in (
        ["kubectl", "-n", NAMESPACE, "describe", "cho", name],
        ["kubectl", "-n", NAMESPACE, "get", "cho", "--watch"],
        ["kubectl", "explain", "cho.spec"],
    ):
        print(f"  {shlex.join(command)}")
    if cluster.backend == "embedded":
        print("  make cluster-down      end it all; nothing stays on this machine but the cache")


def title(text: str) -> None:
    """Begin a part."""
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
