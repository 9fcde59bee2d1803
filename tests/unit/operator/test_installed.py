"""Which release of Argo is installed, by what the API server says of a request."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import pytest

from cloudharness_operation.render.engine import errors_in_template
from cloudharness_operation.render.engine_types import ENGINES
from cloudharness_operator.errors import ApiError
from cloudharness_operator.kube.http import Api
from cloudharness_operator.kube.installed import NOVELTIES, probe, release, report

TOP = 'unknown field "cloudharnessProbe"'
FULL = f'{TOP}, unknown field "spec.cloudharnessProbe"'
ANNOTATIONS = 'unknown field "spec.templates[0].annotations"'
PLUGIN = 'unknown field "spec.templates[0].inputs.artifacts[0].plugin"'
TIMEOUT = 'unknown field "spec.templates[0].pendingTimeout"'


def strict(*unknown: str) -> str:
    begin = "Workflow in version v1alpha1 cannot be handled as a Workflow: strict decoding error: "
    return begin + ", ".join(unknown)


@pytest.mark.parametrize("engine", NOVELTIES)
def test_a_release_and_the_later_ones_have_its_novelty(engine: str) -> None:
    template = NOVELTIES[engine].template
    have = [one for one in ENGINES if errors_in_template(template, one) is None]
    assert have == list(ENGINES[ENGINES.index(engine) :])


def test_all_releases_but_the_oldest_have_a_novelty() -> None:
    assert tuple(NOVELTIES) == ENGINES[1:]


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (strict(FULL, ANNOTATIONS, PLUGIN, TIMEOUT), "3.6"),
        (strict(FULL, PLUGIN, TIMEOUT), "3.7"),
        (strict(TIMEOUT, FULL), "4.0"),
        (strict(FULL), "4.1"),
        (strict(TOP), None),
        ("the server could not find the requested resource", None),
        ("", None),
    ],
)
def test_the_release_follows_from_the_fields_that_are_unknown(
    message: str, found: str | None
) -> None:
    assert release(message) == found


class FakeApi:
    """An API server that answers each request with an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked: list[Any] = []

    async def post(self, *request: Any) -> None:
        self.asked.append(request)
        raise self.error


@pytest.mark.parametrize(
    ("error", "configured", "level", "said"),
    [
        (strict(FULL, TIMEOUT), "", "INFO", "those of release 4.0"),
        (strict(FULL, TIMEOUT), "4.0", "INFO", "those of release 4.0"),
        (
            strict(FULL, TIMEOUT),
            "4.1",
            "WARNING",
            "argo.version is 4.1, but the CRDs of Argo are those of release 4.0: set argo.version",
        ),
        (strict(TOP), "4.1", "INFO", "is unknown: its CRDs are minimal"),
        ("no such resource", "4.1", "INFO", "is unknown: 400 BadRequest: no such resource"),
        (None, "4.1", "INFO", "is unknown: ConnectionError"),
    ],
)
def test_a_contradiction_is_logged(
    caplog: pytest.LogCaptureFixture, error: str | None, configured: str, level: str, said: str
) -> None:
    caplog.set_level(logging.INFO)
    failure = ConnectionError("gone") if error is None else ApiError(400, "BadRequest", error)
    api = FakeApi(failure)
    asyncio.run(report(cast("Api", api), "team", configured))
    (record,) = caplog.records
    assert record.levelname == level
    assert said in record.getMessage()
    ((path, body, query),) = api.asked
    assert path.endswith("/namespaces/team/workflows")
    assert body == probe("team")
    assert query == {"fieldValidation": "Strict", "dryRun": "All"}
