"""Flux, for the tests that sync Git with the real one: what fetches Git, and what applies it."""

import shutil
from pathlib import Path

from tests.cluster import build
from tests.cluster.cache import Entry
from tests.cluster.companion import Companion
from tests.cluster.packages import GIT
from tests.cluster.progress import Step
from tests.cluster.versions import Versions

PINS = build.HERE / "go" / "flux"
PARTS = ("source-controller", "kustomize-controller")


def _entry(versions: Versions, environment: dict[str, str]) -> Entry:
    """A program for each part, and the CRDs of all."""

    def make(place: Path, step: Step) -> None:
        crds = place / "crds"
        crds.mkdir()
        for part in PARTS:
            module = f"github.com/fluxcd/{part}"
            build.go_build(step, PINS, environment, "", place / part, module)
            source = place / "source"
            build.module_source(f"{module}@{versions.flux}", PINS, source, environment)
            for crd in (source / "config" / "crd" / "bases").iterdir():
                shutil.copyfile(crd, crds / crd.name)
            shutil.rmtree(source)

    return Entry(f"flux-{versions.flux}", build.contents(PINS, "go.mod", "go.sum"), make)


FLUX = Companion("Flux", "flux", (1, 26), _entry, GIT)
