"""Argo CD: built into the cache for the tests that sync Git with the real one.

It is no part of a cluster's set-up, and so not of the demo's: only those tests obtain it.
"""

import shutil
from pathlib import Path

from tests.cluster import build, packages
from tests.cluster.cache import Cache, Entry
from tests.cluster.errors import ClusterError
from tests.cluster.progress import Progress, Step
from tests.cluster.versions import Versions

MODULE = "github.com/argoproj/argo-cd/v3"
PINS = build.HERE / "go" / "argocd"
PARTS = ("argocd-application-controller", "argocd-repo-server")
MANIFESTS = ("crds", "base/config")


def entry(versions: Versions, environment: dict[str, str]) -> Entry:
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


def obtain(cache: Cache, versions: Versions, progress: Progress) -> Path:
    """Build it if need be, with what it needs to run installed; return where it is."""
    packages.install(progress, packages.GIT)
    environment = build.go_environment(cache, versions, progress)
    return cache.obtain(entry(versions, environment), progress)


def find(cache: Cache, versions: Versions) -> Path:
    """Return where it is, built before: in a cluster's network nothing can be downloaded.

    Raises:
        ClusterError: it is not there.
    """
    place = cache.place(entry(versions, {}))
    if not place.is_dir() or packages.missing(packages.GIT):
        raise ClusterError("Argo CD is not built yet: python -m tests.cluster argocd")
    return place
