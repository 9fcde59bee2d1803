"""An application of workspaces: it copies files into volumes, scans them, and shows what runs."""

import uuid
from typing import Any

from cloudharness.workflows import argo, operations, tasks

ttl_strategy: dict[str, int] = {
    "secondsAfterCompletion": 60 * 60,
    "secondsAfterSuccess": 60 * 20,
    "secondsAfterFailure": 60 * 60 * 24 * 7,
}
SCAN = """
import os, sys
folder = os.environ["shared_directory"].split(":")[1]
found = sorted(os.path.join(root, file) for root, _, files in os.walk(folder) for file in files)
print("scanned", os.environ["workspace_id"], *found)
"""


def volume(workspace_id: int) -> str:
    return f"workspace-{workspace_id}"


def create_task(image_name: str, workspace_id: int, **kwargs: Any) -> tasks.CustomTask:
    return tasks.CustomTask(
        name=f"{image_name}-{str(uuid.uuid4())[:8]}",
        image_name=image_name,
        shared_directory=f"{volume(workspace_id)}:/project_download:rwx",
        workspace_id=workspace_id,
        **kwargs,
    )


def create_scan_task(workspace_id: int) -> tasks.CustomTask:
    return create_task("workspaces-scan", workspace_id, command=["python3", "-c", SCAN])


def context(workspace_id: int) -> operations.PodExecutionContext:
    return operations.PodExecutionContext("workspace", workspace_id, required=True)


def run_copy_tasks(workspace_id: int, *names: str) -> argo.Workflow:
    copies = [
        create_task(
            "workspaces-copy",
            workspace_id,
            folder=name,
            command=[
                "bash",
                "-c",
                'echo $folder > "${shared_directory#*:}/.tmp"; sleep 1; '
                'echo "$folder" > /project_download/"$folder"',
            ],
        )
        for name in names
    ]
    op = operations.SimpleDagOperation(
        "workspace-copy-tasks-job",
        copies,
        (create_scan_task(workspace_id),),
        shared_directory=f"{volume(workspace_id)}:/project_download:rwx",
        ttl_strategy=ttl_strategy,
        pod_context=context(workspace_id),
    )
    return op.execute()


def delete_resource(workspace_id: int, path: str) -> argo.Workflow:
    delete_task = tasks.CommandBasedTask(
        name="delete-resource", command=["rm", "-Rf", "project_download/" + path]
    )
    op = operations.PipelineOperation(
        basename="workspace-delete-resource-job",
        tasks=(delete_task, create_scan_task(workspace_id)),
        shared_directory=f"{volume(workspace_id)}:/project_download",
        ttl_strategy=ttl_strategy,
        pod_context=operations.PodExecutionContext("workspace", workspace_id, True),
    )
    return op.execute()


def hold(workspace_id: int) -> argo.Workflow:
    task = tasks.BashTask("hold", source="sleep 600")
    return operations.SingleTaskOperation(
        "workspace-hold-", task, pod_context=context(workspace_id)
    ).execute()


def clone(source: int, target: int) -> argo.Workflow:
    copy_task = tasks.BashTask(
        name="clone-workspace-data", source="cp -R /source/* /project_download"
    )
    op = operations.PipelineOperation(
        basename="workspace-clone-job",
        tasks=(copy_task, create_scan_task(target)),
        ttl_strategy=ttl_strategy,
        pod_context=operations.PodExecutionContext("workspace", target, True),
    )
    op.volumes = (f"{volume(source)}:/source", f"{volume(target)}:/project_download:rwx")
    return op.execute()


def running_in(workspace_id: int) -> list[str]:
    return [
        w.name
        for w in argo.get_workflows(status="Running", limit=9999).items
        if w.status == "Running"
        and w.raw.spec.templates[0].metadata.labels.get("workspace").strip() == str(workspace_id)
    ]


def remove_all(workspace_id: int) -> None:
    for name in running_in(workspace_id):
        argo.delete_workflow(name)
