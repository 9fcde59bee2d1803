"""A service with the endpoints of CloudHarness's samples and of its workflows server."""

import sys
from typing import Any

import flask

from cloudharness import log
from cloudharness.workflows import argo_service, operations, tasks

app = flask.Flask(__name__)


def fetch(**more: Any) -> tasks.CustomTask:
    command = ["bash", "-c", 'echo "$url" > ${shared_directory:-/tmp}/README.md']
    return tasks.CustomTask("download-file", "composer", command=command, url="x://y", **more)


@app.post("/operation_async")
def submit_async() -> Any:
    shared_directory = "/mnt/shared"
    task_print = tasks.CustomTask(
        "print-file",
        "composer",
        command=["bash", "-c", "cat $file_path"],
        file_path=shared_directory + "/README.md",
    )
    op = operations.PipelineOperation(
        "test-custom-connected-op-", (fetch(), task_print), shared_directory=shared_directory
    )
    submitted = op.execute()
    if not op.is_error():
        return {"task": {"href": op.get_operation_update_url(), "name": submitted.name}}, 202
    return "Error submitting operation", 500


@app.post("/operation_sync")
def submit_sync() -> Any:
    op = operations.DistributedSyncOperation("test-sync-op-", fetch())
    try:
        workflow = op.execute()
        if workflow.status == "Error":
            return "Workflow error", 500
        return workflow.raw.to_dict()
    except Exception as e:
        log.error("Error submitting sync operation", exc_info=True)
        return f"Error submitting operation: {e}", 500


def with_results(name: str, command: str, **more: Any) -> Any:
    task = tasks.CustomTask(name, "composer", command=["bash", "-c", command], **more)
    op = operations.DistributedSyncOperationWithResults(f"{name}-results-", task)
    result = op.execute()
    assert result[0]["result"] != ""
    return flask.jsonify(result[0]["result"])


@app.post("/operation_sync_results")
def submit_sync_with_results() -> Any:
    a, b = (float(flask.request.args[name]) for name in ("a", "b"))
    return with_results(
        "test-sum", "printf $((a + b)) > $shared_directory/result", a=int(a), b=int(b)
    )


@app.post("/operation_secret")
def submit_secret_sync_with_results() -> Any:
    path = "/opt/cloudharness/resources/secrets/accounts/api_user_password"
    return with_results("test-secret", f"cp {path} $shared_directory/result")


def described(workflow: argo_service.Workflow) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "status": workflow.status,
        "create_time": workflow.create_time,
        "workflow": workflow.raw.to_str(),
    }


@app.get("/operations")
def list_operations() -> Any:
    found = argo_service.get_workflows(
        flask.request.args.get("status"), limit=None, continue_token=None
    )
    return {"items": [described(one) for one in found.items], "token": found.continue_token}


@app.get("/operations/<name>")
def get_operation(name: str) -> Any:
    try:
        return described(argo_service.get_workflow(name))
    except argo_service.WorkflowNotFound:
        return "Not found", 404


@app.delete("/operations/<name>")
def delete_operation(name: str) -> Any:
    argo_service.delete_workflow(name)
    return "OK"


@app.get("/operations/<name>/logs")
def log_operation(name: str) -> Any:
    return argo_service.get_workflow_logs(name)


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]))
