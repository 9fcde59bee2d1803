"""What the last act of an installation lets go of."""

from __future__ import annotations

import asyncio
import builtins
from typing import Any, cast

import pytest

from cloudharness_operation.names import ANNOTATION_EXIT_EVENT, FINALIZER
from cloudharness_operator import uninstall
from cloudharness_operator.errors import ApiError
from cloudharness_operator.kube.http import Api
from cloudharness_operator.settings import Settings
from tests.support.builders import DEFAULTS

Manifest = dict[str, Any]


def workflow(name: str, *finalizers: str) -> Manifest:
    return {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": f"uid-of-{name}",
            "finalizers": [*finalizers],
            "annotations": {ANNOTATION_EXIT_EVENT: f"the event of {name}"},
        }
    }


class FakeApi:
    """A namespace of Workflows; each look may show others than before."""

    def __init__(self, *looks: list[Manifest] | ApiError) -> None:
        self.looks = list(looks)
        self.patched: list[tuple[str, int]] = []
        self.refusals: list[ApiError] = []

    async def list(self, path: str) -> builtins.list[Manifest]:
        assert path == "/apis/argoproj.io/v1alpha1/namespaces/ns/workflows"
        found = self.looks.pop(0)
        if isinstance(found, ApiError):
            raise found
        return found

    async def patch(self, path: str, body: builtins.list[Manifest], _kind: str) -> Manifest:
        if self.refusals:
            raise self.refusals.pop()
        assert body[-1]["op"] == "remove"
        self.patched.append((path.rpartition("/")[2], int(body[-1]["path"].rpartition("/")[2])))
        return {}


def let_go(api: FakeApi, quiet: float = 0.0) -> FakeApi:
    settings = Settings("https://api", cast("Any", None), ("ns",), DEFAULTS)
    asyncio.run(uninstall._remove_finalizers(cast("Api", api), settings, quiet))  # noqa: SLF001 - as it is.
    assert api.looks == []
    return api


def test_what_is_held_is_let_go_and_told_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    held = workflow("held", "argoproj.io/other", FINALIZER)
    api = let_go(FakeApi([held, workflow("free"), workflow("theirs", "argoproj.io/other")], []))
    assert api.patched == [("held", 1)]
    assert caplog.messages == [
        "finalizer removed from ns/held; its exit event is not published: the event of held"
    ]


@pytest.mark.parametrize("code", [404, 422])
def test_what_has_changed_meanwhile_is_looked_at_again(code: int) -> None:
    held = [workflow("held", FINALIZER)]
    api = FakeApi(held, held, [])
    api.refusals = [ApiError(code, "", "")]
    assert let_go(api).patched == [("held", 0)]


def test_where_argo_is_gone_nothing_is_held() -> None:
    assert let_go(FakeApi(ApiError(404, "NotFound", ""))).patched == []


def test_without_a_lease_it_looks_until_nobody_made_another() -> None:
    held = [workflow("held", FINALIZER)]
    assert let_go(FakeApi(held, [], held, [], []), quiet=0.01).patched == [("held", 0)] * 2


@pytest.mark.parametrize(
    "api",
    [
        FakeApi(ApiError(403, "Forbidden", "not yours")),
        FakeApi(*[[workflow("held", FINALIZER)]] * uninstall.MAX_LISTS),
    ],
)
def test_what_cannot_be_done_is_an_error(api: FakeApi) -> None:
    with pytest.raises((ApiError, TimeoutError)):
        let_go(api)


def test_a_wrong_setting_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert uninstall.main() == 1
    assert "KUBERNETES_SERVICE_HOST" in capsys.readouterr().err
