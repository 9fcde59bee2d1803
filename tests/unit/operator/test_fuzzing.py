"""No operation makes the operator's code fail."""

from __future__ import annotations

import os
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.model import Operation
from cloudharness_operation.policy import Policy
from cloudharness_operation.render import forbidden, needs, unsupported, workflow
from cloudharness_operation.render.facts import ClusterFacts
from cloudharness_operator import bounded_json
from cloudharness_operator.decide import decision
from cloudharness_operator.decide.child import Child
from cloudharness_operator.decide.plan import Plan
from cloudharness_operator.decide.state import InvalidManifest
from cloudharness_operator.loop import intake
from cloudharness_operator.loop.served import Served
from cloudharness_operator.loop.store import Store
from tests.support.builders import NAMESPACE, UID, child, observed, operation_manifest, plan, task
from tests.support.drawn import JSON, operations

STRICT = Policy(namespace=NAMESPACE, accounts=("jobs-*",), images=("a/*",), own_secrets=("kafka",))
SETTINGS = (
    Defaults(task_image="python:3.13", topic="all"),
    Defaults(task_image="python:3.13", argo="3.7", topics=("events-*",), policy=STRICT),
)
SERVED = Served((), intake.KINDS)
CHILDREN = (None, child("Running", tasks=(task("a"),)), child("Failed"), child("Succeeded"))

pytestmark = pytest.mark.filterwarnings(
    # What is drawn is large on purpose.
    "ignore:Generating overly large repr:hypothesis.errors.HypothesisWarning"
)

fuzzed = settings(
    max_examples=int(os.environ.get("FUZZ", "60")),
    deadline=None,
    # The same ones each time, but where many are asked for.
    derandomize="FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
)


@fuzzed
@given(manifest=operations(), defaults=st.sampled_from(SETTINGS), found=st.sampled_from(CHILDREN))
@example(manifest=operation_manifest(), defaults=SETTINGS[0], found=None)
def test_an_operation_is_read_planned_and_rendered_or_refused(
    manifest: dict[str, Any], defaults: Defaults, found: Child | None
) -> None:
    try:
        operation = Operation.parse(manifest)
    except InvalidOperation as error:
        bad = InvalidManifest.of(manifest, error)
        decided = plan(observed(invalid=bad, child=found), defaults)
        orjson.dumps(decided.status)
        return
    step = decision.decide(
        observed(operation=operation, child=found, facts=ClusterFacts(), certain=True, log="x"),
        defaults,
    )
    orjson.dumps(step.status if isinstance(step, Plan) else None)
    if unsupported(operation, defaults) is None:
        needs(operation, defaults)
        made = workflow(operation, defaults)
        forbidden(made, defaults)
        orjson.dumps(made)


@fuzzed
@given(manifest=operations())
def test_an_operation_is_kept_or_skipped(manifest: dict[str, Any]) -> None:
    store = Store(lambda _: None, lambda: 0.0)
    intake.operations(store, SERVED).upsert(manifest)
    record = store.operation(UID)
    if record and record.text:
        assert len(record.text) <= bounded_json.LARGE


@fuzzed
@given(nodes=JSON, phase=JSON, message=JSON, spec=JSON)
def test_a_workflow_is_read_or_skipped(nodes: Any, phase: Any, message: Any, spec: Any) -> None:
    manifest = {
        "metadata": {"name": "x", "namespace": "y", "uid": "z", "resourceVersion": "1"},
        "spec": spec,
        "status": {"nodes": nodes, "phase": phase, "message": message},
    }
    intake.workflows(Store(lambda _: None, lambda: 0.0), SERVED).upsert(manifest)
