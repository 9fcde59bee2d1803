"""What tests need of Argo CD and Flux, before any cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster import argocd, flux
from tests.cluster.cache import Cache
from tests.cluster.errors import ClusterError
from tests.cluster.syncer import Syncer
from tests.cluster.versions import Versions

VERSIONS = Versions()
SYNCERS = pytest.mark.parametrize(
    ("syncer", "older"),
    [
        (argocd.ARGOCD, replace(VERSIONS, argocd="v3.2.0")),
        (flux.FLUX, replace(VERSIONS, flux="v1.9.5")),
    ],
    ids=["argocd", "flux"],
)


@pytest.mark.parametrize(
    ("pins", "module", "version"),
    [
        (argocd.PINS, argocd.MODULE, VERSIONS.argocd),
        *((flux.PINS, f"github.com/fluxcd/{part}", VERSIONS.flux) for part in flux.PARTS),
    ],
)
def test_a_release_is_pinned_by_its_checksum(pins: Path, module: str, version: str) -> None:
    assert f"{module} {version} h1:" in (pins / "go.sum").read_text()


@SYNCERS
def test_where_it_is_not_built_the_command_that_builds_it_is_named(
    syncer: Syncer, older: Versions, tmp_path: Path
) -> None:
    with pytest.raises(ClusterError, match=rf"python -m tests\.cluster {syncer.command}"):
        syncer.find(Cache(tmp_path), older)


@SYNCERS
def test_its_place_follows_from_its_version_and_no_environment(
    syncer: Syncer, older: Versions, tmp_path: Path
) -> None:
    cache = Cache(tmp_path)
    there = cache.place(syncer.entry(VERSIONS, {"PATH": "/somewhere"}))
    assert there == cache.place(syncer.entry(VERSIONS, {}))
    assert there != cache.place(syncer.entry(older, {}))
