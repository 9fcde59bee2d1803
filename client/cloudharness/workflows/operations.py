"""Operations: arrangements of tasks. Names and parameters are CloudHarness's, in the same order.

    SyncOperation                       `execute` returns the result
    ├── DirectOperation                 calls a function in this process
    │   ├── ResourceQueryOperation
    │   └── DataQueryOperation
    ├── DistributedSyncOperation        runs a task on the cluster and waits for it
    │   └── DataFrameOperation
    └── DistributedSyncOperationWithResults    also returns the task's result
    AsyncOperation                      `execute` submits and returns immediately
    ├── SingleTaskOperation             one task
    └── CompositeOperation              several tasks
        ├── PipelineOperation           tasks run one after the other
        ├── ParallelOperation           tasks run at the same time
        └── SimpleDagOperation          groups run in order, the tasks of a group at the same time

Arguments are validated in the constructor. `execute` and `submit` send the first request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from typing_extensions import override

from cloudharness.workflows._defaults import DEFAULT_VOLUME_SIZE
from cloudharness.workflows._operation_base import ContainerizedOperation, ManagedOperation
from cloudharness.workflows._snapshots import Phase
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


class OperationStatus:
    """The phases of operations, under CloudHarness's names."""

    PENDING: Final = Phase.Pending
    RUNNING: Final = Phase.Running
    ERROR: Final = Phase.Error
    SUCCEEDED: Final = Phase.Succeeded
    SKIPPED: Final = Phase.Skipped
    FAILED: Final = Phase.Failed


class SyncOperation(ManagedOperation):
    """An operation whose `execute` returns the result."""


class DirectOperation(SyncOperation):
    """An operation that calls a function in this process.

    Args:
        name: name of the operation.
        callback: the function.

    Raises:
        BadOperationConfiguration: `callback` is not callable.

    """

    def __init__(self, name: str, callback: Callable[..., Any]) -> None:
        super().__init__(name)
        if not callable(callback):
            raise bad("callback", f"give a function, not {callback!r}")
        self.callback = callback

    @override
    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function with these arguments, and return its return value."""
        return self.callback(*args, **kwargs)


class ResourceQueryOperation(DirectOperation):
    """A `DirectOperation` that queries a resource."""


class DataQueryOperation(DirectOperation):
    """A `DirectOperation` that queries data."""


class AsyncOperation(ContainerizedOperation):
    """An operation on the cluster. `execute` submits it and returns immediately."""

    def get_operation_update_url(self) -> str:
        """Return the URL of the operation in CloudHarness's workflows service.

        Raises:
            WorkflowException: the operation has not been submitted, or the URL of the service is
                not known: see `utils.get_workflows_service_url`.

        """
        return f"{get_workflows_service_url()}/operations/{self.submitted().name}"


class SingleTaskOperation(AsyncOperation):
    """An operation of one task.

    Args:
        name: see `ContainerizedOperation`.
        task: the task.
        args: see `ContainerizedOperation`.
        settings: see `ContainerizedOperation`.

    """

    def __init__(self, name: str, task: Task, *args: Any, **settings: Any) -> None:
        self.task = _checked_task(task)
        super().__init__(name, *args, **settings)

    @override
    def task_list(self) -> Sequence[Task]:
        return (self.task,)

    @override
    def _result(self, values: Mapping[str, Any]) -> Any:
        return values.get(self.task.name)


class ExecuteAndWaitOperation(ContainerizedOperation, SyncOperation):
    """An operation on the cluster. `execute` waits until it has ended."""

    @override
    def execute(self, timeout: float | None = None) -> Any:
        """Submit the operation, wait until it has ended, and return it.

        Args:
            timeout: seconds to wait. None: no limit.

        Raises:
            OperationFailed: the operation did not succeed.
            OperationTimeout: the operation has not ended within the timeout.

        """
        self.submit()
        return self.wait(timeout)


class DistributedSyncOperation(ExecuteAndWaitOperation, SingleTaskOperation):
    """An operation of one task on the cluster. `execute` waits until it has ended."""


class DataFrameOperation(DistributedSyncOperation):
    """An alias of `DistributedSyncOperation`."""


class CompositeOperation(AsyncOperation):
    """An operation of several tasks.

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
        self.tasks = _checked_tasks(tasks)
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
    """An operation whose tasks run one after the other."""

    kind = "Pipeline"


class ParallelOperation(CompositeOperation):
    """An operation whose tasks run at the same time."""

    kind = "Parallel"


class SimpleDagOperation(CompositeOperation):
    """An operation of groups of tasks. Groups run in order, the tasks of a group at the same time.

    Args:
        basename: see `ContainerizedOperation`.
        task_groups: the groups; each is a task, or an iterable of tasks.
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
            (group,) if isinstance(group, Task) else _checked_tasks(group) for group in task_groups
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
    """An operation of one task on the cluster. `execute` returns the task's result.

    The result of a `PythonTask` is the return value of its function. The result of any other task
    is the content of the shared directory: a list with a dict for each file, with its text by its
    relative path, in the order of the paths.

    Args:
        name: see `ContainerizedOperation`.
        task: the task.
        settings: see `CompositeOperation`. The default of `shared_directory` is `/mnt/shared`.

    """

    def __init__(self, name: str, task: Task, **settings: Any) -> None:
        more = () if isinstance(task, PythonTask) else (SendResultTask(),)
        super().__init__(
            name, (_checked_task(task), *more), **{"shared_directory": True, **settings}
        )

    @override
    def _result(self, values: Mapping[str, Any]) -> Any:
        found = values.get(self.tasks[-1].name)
        if isinstance(self.tasks[-1], SendResultTask) and isinstance(found, Mapping):
            # As CloudHarness returns the messages of its result topic: one for each file.
            return [{path: text} for path, text in sorted(found.items())]
        return found

    @override
    def execute(self, timeout: float | None = None) -> Any:
        """Submit the operation, wait until it has ended, and return its result.

        Args:
            timeout: seconds to wait. None: no limit.

        Raises:
            OperationFailed: the operation did not succeed.
            OperationTimeout: the operation has not ended within the timeout.
            ResultUnavailable: the operation succeeded, but its result cannot be read.

        """
        self.submit()
        return self.result(timeout)


def _checked_task(task: Any) -> Task:
    if not isinstance(task, Task):
        raise bad("task", f"give a task, not {task!r}")
    return task


def _checked_tasks(tasks: Any) -> tuple[Task, ...]:
    if isinstance(tasks, Task) or not isinstance(tasks, Iterable):
        raise bad("tasks", f"give a list of tasks, not {tasks!r}")
    several = tuple(tasks)
    for one in several:
        if not isinstance(one, Task):
            raise bad("tasks", f"each must be a task, not {one!r}")
    return several


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
    "OperationStatus",
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
