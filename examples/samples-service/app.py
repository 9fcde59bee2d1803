"""A service that runs operations: behind an API, some while the caller waits, some afterwards."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, Response, jsonify, request, url_for

from cloudharness.workflows import operations, tasks
from cloudharness.workflows.argo import Workflow, get_workflows
from cloudharness.workflows.attach import attach
from cloudharness.workflows.errors import BadParam, OperationFailed, WorkflowException

app = Flask(__name__)

TOPIC = os.environ.get("SAMPLES_TOPIC")
"""Kafka topic of the exit events of counts; left out: none."""
PATIENCE = 120
"""Seconds that a caller waits for a sum."""


def add(a: int, b: int) -> int:
    """Return a sum. It is run in this process, or in a task: its source is sent there."""
    return a + b


def count() -> dict[str, int]:
    """Return how often each word is in the text that the task before has written."""
    import collections
    import os
    import pathlib

    text = pathlib.Path(os.environ["shared_directory"], "text").read_text()
    return dict(collections.Counter(text.split()))


@app.get("/healthz")
def health() -> str:
    """Say that the service is there."""
    return "ok"


@app.get("/api/sum")
def sum_here() -> Response:
    """Add here: nothing is made on the cluster."""
    op = operations.DirectOperation("sum", add)
    return jsonify(result=op.execute(_number("a"), _number("b")))


@app.post("/api/sum")
def sum_in_a_task() -> Response:
    """Add in a task, and answer with the result: the caller waits."""
    task = tasks.PythonTask("add", add, a=_number("a"), b=_number("b"))
    op = operations.DistributedSyncOperationWithResults("sum-", task)
    return jsonify(result=op.execute(timeout=PATIENCE), operation=_name(op.persisted))


@app.post("/api/words")
def count_words() -> tuple[Response, int, dict[str, str]]:
    """Count the words of the request's text: answer at once with where the result will be."""
    write = 'printf %s "$text" > $shared_directory/text; sleep ${pause:-0}'
    text = request.get_data(as_text=True)
    op = operations.PipelineOperation(
        "words-",
        [
            tasks.BashTask("write", write, text=text, pause=request.args.get("pause")),
            tasks.PythonTask("count", count),
        ],
        shared_directory="/mnt/shared",
        on_exit_notify={"queue": TOPIC, "payload": {"words": len(text.split())}} if TOPIC else None,
        active_deadline_seconds=3600,
    )
    made = op.execute()
    place = url_for("one_operation", name=made.name)
    return jsonify(_summary(made)), 202, {"Location": place}


@app.get("/api/operations")
def all_operations() -> Response:
    """List operations: `?status=Running`, `?token=` of the page before."""
    page = get_workflows(
        status=request.args.get("status"), limit=100, continue_token=request.args.get("token")
    )
    return jsonify(operations=[_summary(one) for one in page], token=page.continue_token)


@app.get("/api/operations/<name>")
def one_operation(name: str) -> Response:
    """Return the state of an operation, with its result once it has succeeded."""
    found = attach(name)
    answer = _summary(found.persisted)
    if found.persisted and found.persisted.succeeded():
        answer["result"] = found.result(timeout=PATIENCE)
    return jsonify(answer)


@app.get("/api/operations/<name>/logs")
def logs(name: str) -> Response:
    """Return what the tasks of an operation have said so far."""
    text = "".join(f"{line}\n" for line in attach(name).logs())
    return Response(text, mimetype="text/plain")


@app.delete("/api/operations/<name>")
def cancel(name: str) -> Response:
    """End an operation; its record stays."""
    return jsonify(_summary(attach(name).cancel(timeout=PATIENCE)))


@app.errorhandler(WorkflowException)
def failed(error: WorkflowException) -> tuple[Response, int]:
    """Answer with an error; each says itself which status is right for it."""
    answer: dict[str, Any] = {"error": str(error)}
    if isinstance(error, OperationFailed):
        answer |= {"operation": error.operation, "task": error.task, "exitCode": error.exit_code}
    return jsonify(answer), error.status


def _number(name: str) -> int:
    given = request.args.get(name, "")
    try:
        return int(given)
    except ValueError as error:
        raise BadParam(name, f"{name}: give a whole number, not {given!r}") from error


def _name(found: Workflow | None) -> str | None:
    return found.name if found else None


def _summary(found: Workflow | None) -> dict[str, Any]:
    if found is None:
        return {}
    status = found.raw.status or {}
    return {
        "name": found.name,
        "phase": found.status or "Pending",
        "progress": status.get("progress"),
        "message": found.get_status_message(),
    }
