"""Which release of Argo is installed, as far as its Workflow CRD shows.

With full CRDs, the API server names the fields of a request that the CRD does not have. So a
request with a field of each release shows which one it is. It also has a field that no kind has, so
the API server always rejects it, before admission.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cloudharness_operation.names import WORKFLOW_API_VERSION, WORKFLOW_KIND
from cloudharness_operation.render.engine_types import ENGINES
from cloudharness_operator.errors import ApiError
from cloudharness_operator.kube.cluster import STRICT, workflows_path
from cloudharness_operator.kube.http import Api

Manifest = dict[str, Any]

_NOWHERE: Final = "cloudharnessProbe"
"""A field that neither a Workflow nor its spec has. A minimal CRD permits it in the spec."""


class Novelty(NamedTuple):
    """A field of a template that a release has, and the ones before it do not."""

    place: str
    template: Manifest


NOVELTIES: Final[Mapping[str, Novelty]] = {
    "3.7": Novelty("annotations", {"annotations": {}}),
    "4.0": Novelty(
        "inputs.artifacts[0].plugin",
        {"inputs": {"artifacts": [{"name": "probe", "plugin": {"name": "probe"}}]}},
    ),
    "4.1": Novelty("pendingTimeout", {"pendingTimeout": "1m"}),
}
"""By the release. The oldest that is supported needs none."""
_UNKNOWN: Final = re.compile(r'unknown field "([^"]+)"')
"""As the API server reports it (`k8s.io/apimachinery`, strict decoding)."""

log = logging.getLogger(__name__)


def probe(namespace: str) -> Manifest:
    """Return a Workflow that no API server accepts."""
    template: Manifest = {"name": "probe", "suspend": {}}
    for novelty in NOVELTIES.values():
        template.update(novelty.template)
    return {
        "apiVersion": WORKFLOW_API_VERSION,
        "kind": WORKFLOW_KIND,
        "metadata": {"name": "cloudharness-probe", "namespace": namespace},
        "spec": {"entrypoint": "probe", "templates": [template], _NOWHERE: True},
        _NOWHERE: True,
    }


def release(message: str) -> str | None:
    """Return the release that an error message shows, or None if it shows none."""
    unknown = set(_UNKNOWN.findall(message))
    if f"spec.{_NOWHERE}" not in unknown:
        return None
    known = [
        engine
        for engine, novelty in NOVELTIES.items()
        if f"spec.templates[0].{novelty.place}" not in unknown
    ]
    return max(known, key=ENGINES.index, default=ENGINES[0])


async def report(api: Api, namespace: str, configured: str) -> None:
    """Log the installed release, and a contradiction with `argo.version`; `""`: it is not set."""
    try:
        await api.post(workflows_path(namespace), probe(namespace), {**STRICT, "dryRun": "All"})
    except ApiError as error:
        _log(release(error.message), configured, error)
    except OSError as error:
        log.info("the installed release of Argo is unknown: %r", error)


def _log(found: str | None, configured: str, error: ApiError) -> None:
    if found is None:
        why = "its CRDs are minimal" if _NOWHERE in error.message else str(error)
        log.info("the installed release of Argo is unknown: %s", why)
    elif configured in ("", found):
        log.info("the CRDs of Argo are those of release %s", found)
    else:
        log.warning(
            "argo.version is %s, but the CRDs of Argo are those of release %s: "
            "set argo.version to %s in the Helm chart",
            configured,
            found,
            found,
        )
