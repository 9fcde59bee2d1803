"""Operations in Git, synced by the real Flux with `wait` and `prune` on."""

import uuid
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
import yaml

from tests.cluster import Cluster
from tests.support.flux import KUSTOMIZATIONS, NAMESPACE, Flux, kustomization, repository
from tests.support.installation import FULL_KIND, ROOT, Installation, condition, eventually
from tests.support.operations import Manifest, bash, operation
from tests.support.repository import Repository
from tests.support.watch import watching

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.xdist_group("flux")]

EXAMPLE = ROOT / "examples" / "gitops"


@pytest.fixture(scope="module")
def flux(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flux]:
    with Flux.beside(cluster, tmp_path_factory.mktemp("flux")) as one:
        yield one


class Site:
    """A Kustomization with a repository of its own, in the namespace of an operator."""

    def __init__(self, flux: Flux, git: Repository, url: str, at: Installation) -> None:
        self.flux, self.git, self.at = flux, git, at
        self.name = f"site-{uuid.uuid4().hex[:6]}"
        self.revision = ""
        flux.apply(repository(self.name, url))

    def create(self, *manifests: Manifest) -> None:
        """Commit operations and have them applied from now on."""
        self.change(*manifests)
        self.flux.apply(kustomization(self.name, self.at.namespace, "operations"))

    def change(self, *manifests: Manifest) -> None:
        """Commit operations."""
        # Flux takes no directory that is not there.
        self.git.put("operations/settings.yaml", SETTINGS)
        for manifest in manifests:
            self.git.put(f"operations/{manifest['metadata']['name']}.yaml", manifest)
        self._publish()

    def remove(self, name: str) -> None:
        """Commit that an operation is not to be."""
        self.git.remove(f"operations/{name}.yaml")
        self._publish()

    def until(self, ready: str) -> Manifest:
        """Wait until the last commit is done with, well or not; return what is said of it."""
        return self.flux.until(self.name, self.revision, ready)

    def uid(self, name: str) -> str:
        """Tell one making of an operation from another."""
        return str(self.at.get(FULL_KIND, name)["metadata"]["uid"])

    def _publish(self) -> None:
        self.revision = self.git.publish()
        self.flux.fetch(self.name)


SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}


@pytest.fixture
def site(flux: Flux, shared: Installation, tmp_path: Path) -> Iterator[Site]:
    git = Repository(tmp_path / "git")
    git.create()
    with git.served() as url:
        one = Site(flux, git, url, shared)
        yield one
        flux.delete(one.name)
    # What it has made goes with it.
    left: list[Manifest] = []

    def is_empty() -> bool:
        left[:] = shared.find(FULL_KIND)
        return left == []

    try:
        eventually(is_empty)
    except AssertionError as error:
        raise AssertionError([one["metadata"] for one in left]) from error


def ready(states: list[Manifest | None], revision: str) -> list[str]:
    """What a Kustomization has said of a commit, once for each change."""
    said = [
        condition(state["status"], "Ready").get("status", "")
        for state in states
        if state and revision in state.get("status", {}).get("lastAttemptedRevision", "")
    ]
    return [one for one, _ in groupby(said)]


def test_it_is_ready_when_all_have_succeeded(site: Site) -> None:
    with watching(site.at.cluster, KUSTOMIZATIONS, NAMESPACE) as watch:
        site.create(operation("good", bash("sleep 5")), operation("quick", bash("true")))
        found = site.until("True")
        eventually(lambda: ready(watch.states(site.name), site.revision)[-1:] == ["True"])
        said = ready(watch.states(site.name), site.revision)
    # Under way, then well: never well, or failed, before the end.
    assert said == ["Unknown", "True"]
    status = site.at.status("good")
    assert status["phase"] == "Succeeded"
    assert found["lastTransitionTime"] >= status["completionTime"]


def test_a_failure_is_seen_at_once_and_named(site: Site) -> None:
    site.create(operation("bad", bash("sleep 3; exit 3")), operation("slow", bash("sleep 300")))
    found = site.until("False")
    assert found["reason"] == "HealthCheckFailed"
    assert f"CloudHarnessOperation/{site.at.namespace}/bad status: 'Failed'" in found["message"]
    # It is not the time that is over: the other runs on.
    assert site.at.status("slow")["phase"] == "Running"


def test_another_run_id_in_git_runs_it_again(site: Site) -> None:
    site.create(operation("rerun", bash("true"), runId="v1"))
    site.until("True")
    before = site.uid("rerun")
    with watching(site.at.cluster, KUSTOMIZATIONS, NAMESPACE) as watch:
        site.change(operation("rerun", bash("sleep 5"), runId="v2"))
        site.until("True")
        eventually(lambda: ready(watch.states(site.name), site.revision)[-1:] == ["True"])
        said = ready(watch.states(site.name), site.revision)
    # The end of the first run is never taken for that of the second.
    assert said[-2:] == ["Unknown", "True"]
    status = site.at.status("rerun")
    assert (status["runId"], status["phase"]) == ("v2", "Succeeded")
    assert [one["runId"] for one in status["history"]] == ["v1"]
    assert site.uid("rerun") == before


def test_what_has_finished_is_left_alone(site: Site) -> None:
    site.create(operation("finished", bash("true"), ttlSecondsAfterFinished=1))
    site.until("True")
    before = site.at.get(FULL_KIND, "finished")["metadata"]
    asked = site.flux.reconcile(site.name)
    seen = "lastHandledReconcileAt"
    site.flux.wait("kustomization", site.name, lambda status: status.get(seen) == asked, 120)
    site.until("True")
    after = site.at.get(FULL_KIND, "finished")["metadata"]
    # Nothing that the API server or the operator adds is taken for a difference.
    assert (after["uid"], after["generation"]) == (before["uid"], before["generation"])
    # Flux would make it again, so that its own TTL does not count.
    eventually(lambda: "TTLDeletionSkipped" in site.at.events("finished"))
    (child,) = site.at.workflows("finished")
    assert not [key for key in child["metadata"]["labels"] if "fluxcd" in key]


def test_what_is_taken_out_of_git_leaves_nothing(site: Site) -> None:
    site.create(operation("stays", bash("true")), operation("goes", bash("sleep 300")))
    eventually(lambda: [p for p in site.at.pods("goes") if p["status"]["phase"] == "Running"])
    site.remove("goes")
    site.until("True")
    assert [one["metadata"]["name"] for one in site.at.find(FULL_KIND)] == ["stays"]
    eventually(lambda: not (site.at.workflows("goes") or site.at.pods("goes")), timeout=90)


def test_a_changed_spec_is_refused_unless_it_may_replace_the_run(site: Site) -> None:
    site.create(operation("changed", bash("echo 1")))
    site.until("True")
    before = site.uid("changed")
    site.change(operation("changed", bash("echo 2")))
    found = site.until("False")
    assert "tasks cannot change within a run" in found["message"]
    assert site.uid("changed") == before
    forced = operation("changed", bash("echo 3"))
    forced["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/force": "enabled"}
    site.change(forced)
    site.until("True")
    assert site.uid("changed") != before
    assert site.at.status("changed")["phase"] == "Succeeded"


def test_the_example_waits_for_the_operator_and_then_for_its_operations(
    flux: Flux, vacant: Installation, tmp_path: Path
) -> None:
    """All of it but the HelmRelease, whose controller is a third part of Flux."""
    name = vacant.namespace
    git = Repository(tmp_path / "git")
    git.create()
    git.copy(EXAMPLE, "examples/gitops")
    git.remove("examples/gitops/flux/operator/release.yaml")
    git.put("examples/gitops/flux/operator/settings.yaml", SETTINGS | in_namespace(name))
    revision = git.publish()
    source, operator, operations = yaml.safe_load_all((EXAMPLE / "flux" / "batch.yaml").read_text())
    operations["spec"]["targetNamespace"] = name
    vacant.install(f"kafka.bootstrapServers={vacant.kafka}")
    with git.served() as source["spec"]["url"]:
        try:
            flux.apply(source, operations)
            flux.wait("kustomization", "operations", lambda now: "dependency" in str(now), 120)
            assert vacant.find(FULL_KIND) == []
            flux.apply(operator)
            flux.until("operations", revision, "True")
            found = {one["metadata"]["name"]: one["status"] for one in vacant.find(FULL_KIND)}
            assert found.keys() == {"load", "migrate", "check"}
            assert {status["phase"] for status in found.values()} == {"Succeeded"}
        finally:
            for made in ("operations", "operator"):
                flux.kubectl("delete", "kustomization", made, "--ignore-not-found", "--timeout=50s")
    eventually(lambda: vacant.find(FULL_KIND) == [])


def in_namespace(name: str) -> Manifest:
    """What a manifest of settings is in a namespace."""
    return {"metadata": {"name": "settings", "namespace": name}}
