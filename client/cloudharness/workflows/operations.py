"""Operations: tasks, arranged. Names, parameters and their order are CloudHarness's.

    SyncOperation                       `execute` returns the result
    ├── DirectOperation                 calls a function, here
    │   ├── ResourceQueryOperation
    │   └── DataQueryOperation
    ├── DistributedSyncOperation        waits for a task on the cluster
    │   └── DataFrameOperation
    └── DistributedSyncOperationWithResults    and returns what it returned
    AsyncOperation                      `execute` returns at once
    ├── SingleTaskOperation
    └── CompositeOperation
        ├── PipelineOperation           one task after the other
        ├── ParallelOperation           all at once
        └── SimpleDagOperation          groups one after the other, tasks of a group at once

What they are told is checked when they are made. Nothing is sent before `execute` or `submit`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from typing_extensions import override

from cloudharness.workflows.containerized import ContainerizedOperation, ManagedOperation
from cloudharness.workflows.defaults import DEFAULT_VOLUME_SIZE
from cloudharness.workflows.direct import (
    DataQueryOperation,
    DirectOperation,
    ResourceQueryOperation,
    SyncOperation,
)
from cloudharness.workflows.errors import BadOperationConfiguration, bad
from cloudharness.workflows.tasks import (
    BashTask,
    CommandBasedTask,
    CustomTask,
    PythonTask,
    SendResultTask,
    Task,
)
from cloudharness.workflows.utils import PodExecutionContext, get_workflows_service_url


class AsyncOperation(ContainerizedOperation):
    """An operation on the cluster, whose `execute` returns at once."""

    def get_operation_update_url(self) -> str:
        """Return where CloudHarness's workflows service tells how this goes.

        Raises:
            WorkflowException: it has not been submitted, or CH_WORKFLOWS_SERVICE_URL is not set.

        """
        return f"{get_workflows_service_url()}/operations/{self.submitted().name}"


class SingleTaskOperation(AsyncOperation):
    """One task.

    Args:
        name: see `ContainerizedOperation`.
        task: the task.
        args: see `ContainerizedOperation`.
        settings: see `ContainerizedOperation`.

    """

    def __init__(self, name: str, task: Task, *args: Any, **settings: Any) -> None:
        self.task = _one(task)
        super().__init__(name, *args, **settings)

    @override
    def task_list(self) -> Sequence[Task]:
        return (self.task,)

    @override
    def _result(self, values: Mapping[str, Any]) -> Any:
        return values.get(self.task.name)


class ExecuteAndWaitOperation(ContainerizedOperation, SyncOperation):
    """An operation on the cluster, whose `execute` waits for its end."""

    @override
    def execute(self, timeout: float | None = None) -> Any:
        """Submit it, wait for its end, and return how it ended.

        Args:
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            OperationFailed: it ended otherwise than well.
            OperationTimeout: it goes on after that time.

        """
        self.submit()
        return self.wait(timeout)


class DistributedSyncOperation(ExecuteAndWaitOperation, SingleTaskOperation):
    """One task on the cluster, which `execute` waits for."""


class DataFrameOperation(DistributedSyncOperation):
    """One task on the cluster, which `execute` waits for: another name for it."""


class CompositeOperation(AsyncOperation):
    """Several tasks.

    Args:
        basename: see `ContainerizedOperation`.
        tasks: the tasks.
        shared_directory: see `ContainerizedOperation`.
        shared_volume_size: see `ContainerizedOperation`.
        pod_context: see `ContainerizedOperation`.
        settings: see `ContainerizedOperation`.

    """

    def __init__(
        self,
        basename: str,
        tasks: Iterable[Any],
        shared_directory: bool | str | Iterable[str] | None = "",  # noqa: FBT001
        shared_volume_size: int | str = DEFAULT_VOLUME_SIZE,
        pod_context: PodExecutionContext | Iterable[PodExecutionContext] | None = None,
        **settings: Any,
    ) -> None:
        self.tasks = _listed(tasks)
        super().__init__(
            basename,
            pod_context,
            shared_directory,
            shared_volume_size=shared_volume_size,
            **settings,
        )

    @override
    def task_list(self) -> Sequence[Task]:
        return self.tasks


class PipelineOperation(CompositeOperation):
    """Tasks that run one after the other."""

    kind = "Pipeline"


class ParallelOperation(CompositeOperation):
    """Tasks that run all at once."""

    kind = "Parallel"


class SimpleDagOperation(CompositeOperation):
    """Groups that run one after the other, the tasks of each at once.

    Args:
        basename: see `ContainerizedOperation`.
        task_groups: a group each: a task, or several.
        shared_directory: see `ContainerizedOperation`.
        pod_context: see `ContainerizedOperation`.
        settings: see `CompositeOperation`.

    """

    kind = "SimpleDag"

    def __init__(
        self,
        basename: str,
        *task_groups: Task | Iterable[Task],
        shared_directory: bool | str | Iterable[str] | None = None,
        pod_context: PodExecutionContext | Iterable[PodExecutionContext] | None = None,
        **settings: Any,
    ) -> None:
        self.task_groups = tuple(
            (group,) if isinstance(group, Task) else _listed(group) for group in task_groups
        )
        super().__init__(
            basename,
            [task for group in self.task_groups for task in group],
            shared_directory,
            pod_context=pod_context,
            **settings,
        )

    @override
    def groups(self) -> Sequence[int]:
        return [place for place, group in enumerate(self.task_groups) for _ in group]


class DistributedSyncOperationWithResults(PipelineOperation, ExecuteAndWaitOperation):
    """One task on the cluster, whose result `execute` returns.

    That is what the function of a `PythonTask` returns. Of any other task it is what it has written
    into the shared directory: a dict with the text of each file by its path there.

    Args:
        name: see `ContainerizedOperation`.
        task: the task.
        settings: see `CompositeOperation`. The shared directory is `/mnt/shared`, if nothing is
            said.

    """

    def __init__(self, name: str, task: Task, **settings: Any) -> None:
        more = () if isinstance(task, PythonTask) else (SendResultTask(),)
        super().__init__(name, (_one(task), *more), **{"shared_directory": True, **settings})

    @override
    def _result(self, values: Mapping[str, Any]) -> Any:
        return values.get(self.tasks[-1].name)

    @override
    def execute(self, timeout: float | None = None) -> Any:
        """Submit it, wait for its end, and return the result.

        Args:
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            OperationFailed: it ended otherwise than well.
            OperationTimeout: it goes on after that time.
            ResultUnavailable: it ended well, and the result cannot be had.

        """
        self.submit()
        return self.result(timeout)


def _one(task: Any) -> Task:
    if not isinstance(task, Task):
        raise bad("task", f"give a task, not {task!r}")
    return task


def _listed(tasks: Any) -> tuple[Task, ...]:
    if isinstance(tasks, Task) or not isinstance(tasks, Iterable):
        raise bad("tasks", f"give a list of tasks, not {tasks!r}")
    found = tuple(tasks)
    for one in found:
        if not isinstance(one, Task):
            raise bad("tasks", f"each must be a task, not {one!r}")
    return found


__all__ = [
    "AsyncOperation",
    "BadOperationConfiguration",
    "BashTask",
    "CommandBasedTask",
    "CompositeOperation",
    "ContainerizedOperation",
    "CustomTask",
    "DataFrameOperation",
    "DataQueryOperation",
    "DirectOperation",
    "DistributedSyncOperation",
    "DistributedSyncOperationWithResults",
    "ExecuteAndWaitOperation",
    "ManagedOperation",
    "ParallelOperation",
    "PipelineOperation",
    "PodExecutionContext",
    "PythonTask",
    "ResourceQueryOperation",
    "SimpleDagOperation",
    "SingleTaskOperation",
    "SyncOperation",
    "Task",
]
