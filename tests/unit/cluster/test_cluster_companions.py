"""What tests need of Argo CD, Flux and Prometheus, before any cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster import argocd, flux, prometheus
from tests.cluster.cache import Cache
from tests.cluster.companion import Companion
from tests.cluster.errors import ClusterError
from tests.cluster.versions import Versions

VERSIONS = Versions()
COMPANIONS = pytest.mark.parametrize(
    ("companion", "older"),
    [
        (argocd.ARGOCD, replace(VERSIONS, argocd="v3.2.0")),
        (flux.FLUX, replace(VERSIONS, flux="v1.9.5")),
        (prometheus.PROMETHEUS, replace(VERSIONS, prometheus="v0.305.1")),
    ],
    ids=["argocd", "flux", "prometheus"],
)


@pytest.mark.parametrize(
    ("pins", "module", "version"),
    [
        (argocd.PINS, argocd.MODULE, VERSIONS.argocd),
        (prometheus.PINS, prometheus.MODULE, VERSIONS.prometheus),
        *((flux.PINS, f"github.com/fluxcd/{part}", VERSIONS.flux) for part in flux.PARTS),
    ],
)
def test_a_release_is_pinned_by_its_checksum(pins: Path, module: str, version: str) -> None:
    assert f"{module} {version} h1:" in (pins / "go.sum").read_text()


@COMPANIONS
def test_where_it_is_not_built_the_command_that_builds_it_is_named(
    companion: Companion, older: Versions, tmp_path: Path
) -> None:
    with pytest.raises(ClusterError, match=rf"python -m tests\.cluster {companion.command}"):
        companion.find(Cache(tmp_path), older)


@COMPANIONS
def test_its_place_follows_from_its_version_and_no_environment(
    companion: Companion, older: Versions, tmp_path: Path
) -> None:
    cache = Cache(tmp_path)
    there = cache.place(companion.entry(VERSIONS, {"PATH": "/somewhere"}))
    assert there == cache.place(companion.entry(VERSIONS, {}))
    assert there != cache.place(companion.entry(older, {}))
