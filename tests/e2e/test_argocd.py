"""Operations in Git, synced by the real Argo CD with `selfHeal` and `prune` on."""

import time
import uuid
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
import yaml

from tests.cluster import Cluster
from tests.support.argocd import NAMESPACE, ArgoCD, application, resource
from tests.support.installation import (
    DEPLOYMENT,
    FULL_KIND,
    ROOT,
    Installation,
    condition,
    eventually,
)
from tests.support.operations import Manifest, bash, operation
from tests.support.repository import Repository
from tests.support.watch import watching

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.xdist_group("argocd")]

APPLICATIONS = "argoproj.io/v1alpha1/applications"
GITOPS = ROOT / "examples" / "gitops"
CALM = 30.0
"""Seconds in which a loop of re-runs would show: Argo CD heals after 2 s, and then after 6."""


@pytest.fixture(scope="module")
def argocd(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCD]:
    with ArgoCD.beside(cluster, tmp_path_factory.mktemp("argocd")) as one:
        yield one


class Application:
    """An Application with a repository of its own, in the namespace of an operator."""

    def __init__(self, argocd: ArgoCD, home: Path, at: Installation) -> None:
        self.argocd, self.at = argocd, at
        self.name = f"app-{uuid.uuid4().hex[:6]}"
        self.repository = Repository(home / "git")
        self.repository.create()
        self.revision = ""

    def create(self, *manifests: Manifest) -> None:
        """Commit operations and have them synced from now on."""
        self._write(*manifests)
        sources = [{"repoURL": self.repository.url, "targetRevision": "main", "path": "operations"}]
        self.argocd.create(application(self.name, sources, self.at.namespace))

    def change(self, *manifests: Manifest) -> None:
        """Commit operations."""
        self._write(*manifests)
        self.argocd.refresh(self.name)

    def remove(self, name: str) -> None:
        """Commit that an operation is not to be."""
        self.repository.remove(f"operations/{name}.yaml")
        self.revision = self.repository.publish()
        self.argocd.refresh(self.name)

    def until(self, health: str) -> Manifest:
        """Wait until the last commit is synced, with this health."""
        return self.argocd.until(self.name, self.revision, health)

    def _write(self, *manifests: Manifest) -> None:
        # Argo CD takes no directory that is not there.
        self.repository.put("operations/settings.yaml", SETTINGS)
        for manifest in manifests:
            self.repository.put(f"operations/{manifest['metadata']['name']}.yaml", manifest)
        self.revision = self.repository.publish()


SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}


@pytest.fixture
def app(argocd: ArgoCD, shared: Installation, tmp_path: Path) -> Iterator[Application]:
    one = Application(argocd, tmp_path, shared)
    yield one
    argocd.delete(one.name)


def marked(manifest: Manifest, **annotations: str) -> Manifest:
    found = {f"argocd.argoproj.io/{key.replace('_', '-')}": one for key, one in annotations.items()}
    metadata = {**manifest["metadata"], "annotations": found}
    return {**manifest, "metadata": metadata}


def changes(states: list[Manifest | None], name: str) -> list[str]:
    """What an Application has said of an operation's health, once for each change."""
    said = [resource(one, name).get("health", {}).get("status", "") for one in states if one]
    return [one for one, _ in groupby(said) if one not in ("", "Missing")]


def uid(one: Installation, name: str) -> str:
    return str(one.get(FULL_KIND, name)["metadata"]["uid"])


def gone(one: Installation, name: str) -> bool:
    operations = one.find(FULL_KIND, fields=f"metadata.name={name}")
    return not (operations or one.workflows(name) or one.pods(name))


def test_the_example_runs_in_waves_and_its_hook_is_waited_for(
    argocd: ArgoCD, cluster: Cluster, tmp_path: Path
) -> None:
    name = f"batch-{uuid.uuid4().hex[:6]}"
    one = Installation(cluster, name)
    repository = Repository(tmp_path / "git")
    repository.create()
    repository.copy(ROOT / "charts", "charts")
    repository.copy(GITOPS, "examples/gitops")
    revision = repository.publish()
    argocd.create(_example(name, repository, cluster))
    found = argocd.until(name, revision, "Healthy")

    deployment = one.get("deployments", f"operations-{DEPLOYMENT.partition('-')[2]}")
    ready = condition(deployment["status"], "Available")["lastTransitionTime"]
    load, migrate, check = (one.get(FULL_KIND, name) for name in ("load", "migrate", "check"))
    moments = [
        ready,
        load["metadata"]["creationTimestamp"],
        load["status"]["completionTime"],
        migrate["metadata"]["creationTimestamp"],
        migrate["status"]["completionTime"],
        check["metadata"]["creationTimestamp"],
        check["status"]["completionTime"],
        found["status"]["operationState"]["finishedAt"],
    ]
    assert moments == sorted(moments)
    results = found["status"]["operationState"]["syncResult"]["resources"]
    (hook,) = (result for result in results if result.get("hookType"))
    assert (hook["name"], hook["hookPhase"]) == ("check", "Succeeded")
    assert hook["message"] == "all tasks succeeded"

    argocd.delete(name)
    eventually(lambda: all(gone(one, name) for name in ("load", "migrate")), timeout=90)
    assert one.find("deployments") == []
    # It is not the Application's to delete: others' operations would go with it.
    cluster.kubectl("get", "customresourcedefinition", FULL_KIND)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def _example(name: str, repository: Repository, cluster: Cluster) -> Manifest:
    """The example, for this cluster's images and this repository."""
    found: Manifest = yaml.safe_load((GITOPS / "argocd" / "application.yaml").read_text())
    found["metadata"]["name"] = name
    found["spec"]["destination"]["namespace"] = name
    for source in found["spec"]["sources"]:
        source["repoURL"] = repository.url
    image, _, tag = cluster.operator_image().rpartition(":")
    found["spec"]["sources"][0]["helm"]["valuesObject"] = {
        "image": {"repository": image, "tag": tag},
        "tasks": {"image": cluster.python_image},
    }
    return found


def test_health_is_right_at_each_stage(app: Application) -> None:
    with watching(app.at.cluster, APPLICATIONS, NAMESPACE) as watch:
        app.create(
            operation("stage-good", bash("sleep 3")),
            operation("stage-bad", bash("sleep 3; exit 3")),
        )
        found = app.until("Degraded")
        eventually(lambda: changes(watch.states(app.name), "stage-good")[-1:] == ["Healthy"])
        states = watch.states(app.name)
    assert changes(states, "stage-good") == ["Progressing", "Healthy"]
    assert changes(states, "stage-bad") == ["Progressing", "Degraded"]
    message = app.at.status("stage-bad")["message"]
    assert "exit code 3" in message
    assert resource(found, "stage-bad")["health"]["message"] == message
    # Nothing that the API server or the operator adds is taken for a difference.
    assert {one["status"] for one in found["status"]["resources"]} == {"Synced"}


def test_a_failure_that_is_not_to_count_does_not(app: Application) -> None:
    failing = operation("ignored", bash("exit 3"))
    app.create(failing)
    app.until("Degraded")
    app.change(marked(failing, ignore_healthcheck="true"))
    app.until("Healthy")
    assert app.at.status("ignored")["phase"] == "Failed"


def test_what_is_taken_out_of_git_leaves_nothing(app: Application) -> None:
    app.create(operation("removed", bash("sleep 300")))
    eventually(lambda: [p for p in app.at.pods("removed") if p["status"]["phase"] == "Running"])
    app.remove("removed")
    app.until("Healthy")
    eventually(lambda: gone(app.at, "removed"), timeout=90)


def test_a_finished_operation_is_left_alone(app: Application) -> None:
    app.create(operation("finished", bash("true")))
    app.until("Healthy")
    before = uid(app.at, "finished")
    (child,) = app.at.workflows("finished")
    # Argo CD would delete what carries its marks and is not in Git.
    assert "argocd.argoproj.io/tracking-id" in _annotations(app.at.get(FULL_KIND, "finished"))
    assert not [key for key in _annotations(child) if "argocd" in key]

    with watching(app.at.cluster, APPLICATIONS, NAMESPACE) as watch:
        end = time.monotonic() + CALM
        while time.monotonic() < end:
            app.argocd.refresh(app.name)
            time.sleep(5)
        states = [state for state in watch.states(app.name) if state]
    assert {state["status"]["sync"]["status"] for state in states} == {"Synced"}
    assert {len(state["status"]["history"]) for state in states} == {1}
    assert uid(app.at, "finished") == before
    assert [one["metadata"]["uid"] for one in app.at.workflows("finished")] == [
        child["metadata"]["uid"]
    ]


def _annotations(manifest: Manifest) -> dict[str, str]:
    return dict(manifest["metadata"].get("annotations") or {})


def test_deleting_a_record_that_git_has_runs_it_again(app: Application) -> None:
    app.create(operation("again", bash("true")))
    app.until("Healthy")
    before = uid(app.at, "again")
    app.at.kubectl("delete", FULL_KIND, "again", "--timeout=30s")

    def created_again() -> bool:
        # One read: the deleted one may still be there, none may be, or the new one is.
        found = app.at.find(FULL_KIND, fields="metadata.name=again")
        return any(one["metadata"]["uid"] != before for one in found)

    eventually(created_again)
    app.at.wait_for("again")


def test_a_changed_spec_is_refused_unless_it_may_replace_the_run(app: Application) -> None:
    app.create(operation("changed", bash("echo 1")))
    app.until("Healthy")
    before = uid(app.at, "changed")
    app.change(operation("changed", bash("echo 2")))

    def refused() -> bool:
        state = app.argocd.read("application", app.name)["status"].get("operationState", {})
        return "tasks cannot change within a run" in str(state.get("syncResult"))

    eventually(refused, timeout=120)
    assert uid(app.at, "changed") == before
    app.change(marked(operation("changed", bash("echo 3")), sync_options="Force=true,Replace=true"))
    app.until("Healthy")
    assert uid(app.at, "changed") != before
    assert app.at.status("changed")["phase"] == "Succeeded"


def test_another_run_id_in_git_runs_it_again(app: Application) -> None:
    app.create(operation("rerun", bash("echo 1"), runId="v1"))
    app.until("Healthy")
    before = uid(app.at, "rerun")
    with watching(app.at.cluster, APPLICATIONS, NAMESPACE) as watch:
        app.change(operation("rerun", bash("sleep 5; echo 2"), runId="v2"))
        eventually(lambda: _is_at(app, "rerun", "v2"), timeout=120)
        found = app.until("Healthy")
        states = watch.states(app.name)
    # The end of the first run is never taken for that of the second.
    assert changes(states, "rerun")[-2:] == ["Progressing", "Healthy"]
    assert app.at.status("rerun")["runId"] == "v2"
    assert app.at.status("rerun")["phase"] == "Succeeded"
    assert uid(app.at, "rerun") == before
    assert [one["runId"] for one in app.at.status("rerun")["history"]] == ["v1"]
    assert {one["status"] for one in found["status"]["resources"]} == {"Synced"}


def _is_at(app: Application, name: str, run_id: str) -> bool:
    status = app.at.status(name)
    return (status.get("runId"), status["phase"]) == (run_id, "Succeeded")
