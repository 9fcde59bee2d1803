"""An application that runs its own image on its volume, and mails its users at the end."""

import json
from typing import Any

from cloudharness.applications import get_current_configuration

from cloudharness.workflows import operations, tasks

MEDIA = "/usr/src/app/persistent"
SHOW = """
import os, yaml
with open("/opt/cloudharness/resources/allvalues.yaml") as file:
    apps = yaml.safe_load(file)["apps"]
name = os.environ["CH_CURRENT_APP_NAME"]
print("application", apps[name]["harness"]["deployment"]["volume"]["name"])
"""
"""What the library does in a task to find the application's configuration."""


def directory(current_app: Any) -> str:
    return f"{current_app.harness.deployment.volume.name}:{MEDIA}"


def ingest(file_id: str) -> Any:
    """Use a name without a dash at its end, as often as one likes."""
    current_app = get_current_configuration()
    task = tasks.CustomTask(
        name="ingest",
        image_name="composer",
        command=["bash", "-c", f"echo {file_id} > {MEDIA}/{file_id}"],
        resources={"requests": {"cpu": "10m", "memory": "16Mi"}},
    )
    return operations.PipelineOperation(
        basename="ingest-task-op",
        tasks=(task,),
        shared_directory=directory(current_app),
        pod_context=operations.PodExecutionContext(
            "usesvolume", current_app.harness.deployment.volume.name, required=True
        ),
    ).execute()


def export(email: str, queue: str) -> Any:
    current_app = get_current_configuration()
    export_task = tasks.CustomTask(
        name="export-task", image_name="composer", command=["ls", MEDIA], retry_limit=2
    )
    show = tasks.BashTask("show", source=f"python3 - <<END{SHOW}END")
    op = operations.PipelineOperation(
        basename="export-op",
        tasks=[export_task, show],
        shared_directory=directory(current_app),
        on_exit_notify={
            "image": "composer-notify",
            "queue": queue,
            "payload": json.dumps({"type": "export", "email": email}),
            "command": ["bash", "-c", 'echo "mail: $workflow_result $payload $sender"'],
            "sender": "composer@example.org",
        },
    )
    return op.execute()


def explore() -> tuple[dict[str, Any], int]:
    current_app = get_current_configuration()
    task = tasks.CustomTask(
        "ingestion",
        image_name="composer",
        command=["ls", MEDIA],
        retry_limit=2,
        volume_mounts=[directory(current_app)],
    )
    op = operations.PipelineOperation("explorer-ingestion-op-", [task])
    workflow = op.to_workflow()
    assert workflow["kind"] == "Workflow"
    submitted = op.execute()
    if not op.is_error():
        return {"task": {"name": submitted.name}}, 202
    return {}, 500


def index(*names: str) -> Any:
    shared_directory = "/data/db"
    ingestion_tasks = [
        tasks.CustomTask(
            f"ingest-{name.lower().split('.')[0]}",
            "composer",
            command=["bash", "-c", "echo $filename > $shared_directory/$filename"],
            shared_directory=shared_directory,
            filename=f"{name}",
        )
        for name in names
    ]
    op = operations.ParallelOperation(
        "ingest-data",
        tuple(ingestion_tasks),
        shared_directory=shared_directory,
        shared_volume_size=16,
    )
    return op.execute()
