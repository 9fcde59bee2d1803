"""Kubernetes Events, written once: what fails is logged, and holds nothing up."""

from __future__ import annotations

import logging
from typing import Any

from cloudharness_operator.errors import ApiError
from cloudharness_operator.ports import Cluster

log = logging.getLogger(__name__)


async def post(cluster: Cluster, events: list[dict[str, Any]]) -> None:
    """Create Events."""
    for event in events:
        try:
            await cluster.create_event(event)
        except (ApiError, OSError, TimeoutError) as error:
            log.warning("Event %s of %s: %r", event["reason"], event["regarding"]["name"], error)
