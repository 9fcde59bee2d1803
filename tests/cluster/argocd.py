"""Argo CD, for the tests that sync Git with the real one."""

import shutil
from pathlib import Path

from tests.cluster import build
from tests.cluster.cache import Entry
from tests.cluster.companion import Companion
from tests.cluster.packages import GIT
from tests.cluster.progress import Step
from tests.cluster.versions import Versions

MODULE = "github.com/argoproj/argo-cd/v3"
PINS = build.HERE / "go" / "argocd"
PARTS = ("argocd-application-controller", "argocd-repo-server")
MANIFESTS = ("crds", "base/config")


def _entry(versions: Versions, environment: dict[str, str]) -> Entry:
    """One program, a link to it for each part that it is, and the manifests of both."""
    flags = f"-X {MODULE}/common.version={versions.argocd.removeprefix('v')}"

    def make(place: Path, step: Step) -> None:
        what = f"{MODULE}@{versions.argocd}"
        source = build.module_source(what, PINS, place / "source", environment)
        program = source / "cmd" / "parts"
        program.mkdir()
        shutil.copyfile(PINS / "main.go", program / "main.go")
        build.go_build(step, source, environment, flags, place / "argocd", "./cmd/parts")
        for part in PARTS:
            (place / part).symlink_to("argocd")
        for manifests in MANIFESTS:
            shutil.copytree(source / "manifests" / manifests, place / manifests)
        shutil.rmtree(source)

    inputs = [flags, *build.contents(PINS, "go.sum", "main.go")]
    return Entry(f"argocd-{versions.argocd}", inputs, make)


ARGOCD = Companion("Argo CD", "argocd", (1, 25, 7), _entry, GIT)
