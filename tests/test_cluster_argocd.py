"""What tests need of Argo CD, before any cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import argocd
from tests.cluster.cache import Cache
from tests.cluster.errors import ClusterError
from tests.cluster.versions import Versions


def test_the_release_is_pinned_by_its_checksum() -> None:
    pins = (argocd.PINS / "go.sum").read_text()
    assert f"{argocd.MODULE} {Versions().argocd} h1:" in pins


def test_where_it_is_not_built_the_command_that_builds_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"python -m tests\.cluster argocd"):
        argocd.find(Cache(tmp_path), Versions())


def test_its_place_follows_from_no_environment(tmp_path: Path) -> None:
    cache, versions = Cache(tmp_path), Versions()
    there = cache.place(argocd.entry(versions, {"PATH": "/somewhere"}))
    assert there == cache.place(argocd.entry(versions, {}))
    assert there != cache.place(argocd.entry(Versions(argocd="v3.2.0"), {}))
