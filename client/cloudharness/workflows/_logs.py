"""Read the logs of an operation's tasks, while they run and after their pods have been deleted."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from typing_extensions import override

from cloudharness.workflows._api import PODS, Connection
from cloudharness.workflows._follower import Follower
from cloudharness.workflows.errors import ClusterUnavailable, OperationRefused, WorkflowNotFound
from cloudharness_operation.logs import own
from cloudharness_operation.status import OperationStatus, TaskPhase, TaskStatus

_MAIN_CONTAINER = "main"
_STARTED = (TaskPhase.RUNNING, TaskPhase.SUCCEEDED, TaskPhase.FAILED, TaskPhase.ERROR)


class LogLine(NamedTuple):
    """One line of a task's log."""

    task: str
    text: str

    @override
    def __str__(self) -> str:
        return f"{self.task} | {self.text}"


def current_lines(
    status: OperationStatus, connection: Connection, task: str | None
) -> Iterator[LogLine]:
    """Yield the log lines written so far, task by task, in the order in which the tasks started."""
    for one in _started_tasks(status, task):
        yield from _task_lines(one, status, connection)


def task_logs(status: OperationStatus, connection: Connection) -> list[str]:
    """Return the log of each task that has started."""
    lines: dict[str, list[str]] = {}
    for task in _started_tasks(status, None):
        lines[task.name] = [line.text for line in _task_lines(task, status, connection)]
    return ["\n".join(texts) for texts in lines.values()]


def pod_logs(pods: Sequence[str], connection: Connection) -> list[str]:
    """Return the log of each pod that exists."""
    logs = []
    for pod in pods:
        with contextlib.suppress(WorkflowNotFound):
            logs.append("\n".join(pod_lines(connection, pod, follow=False)))
    return logs


def _started_tasks(status: OperationStatus, task: str | None) -> list[TaskStatus]:
    tasks = [one for one in status.tasks if task in (None, one.name) and one.phase in _STARTED]
    return sorted(tasks, key=lambda one: (one.start_time is None, one.start_time))


def _task_lines(
    task: TaskStatus, status: OperationStatus, connection: Connection
) -> Iterator[LogLine]:
    try:
        for line in pod_lines(connection, task.pod_name or "", follow=False):
            yield LogLine(task.name, line)
    except WorkflowNotFound:
        # The pod has been deleted. The status has the last lines of the task that failed first.
        if status.failure and status.failure.task == task.name:
            yield from (LogLine(task.name, line) for line in status.failure.log_tail)


def pod_lines(connection: Connection, pod: str, *, follow: bool) -> Iterator[str]:
    """Yield the lines of a task's pod, without those of Argo's executor.

    Raises:
        WorkflowNotFound: the pod does not exist, or its container has not started.

    """
    if not pod:
        raise WorkflowNotFound("the task has no pod")
    query = {"container": _MAIN_CONTAINER, "follow": "true" if follow else None}
    try:
        yield from own(connection.lines(PODS, f"{pod}/log", query=query))
    except OperationRefused as error:
        # "container ... is waiting to start": there is no log yet, and may never be one.
        raise WorkflowNotFound(str(error)) from error


class LogFollower:
    """Yields the log lines of all pods of an operation until the operation has ended.

    One thread reads the log of each pod, since the Kubernetes API has no request for the logs of
    several pods; another thread watches the operation for new pods.
    """

    def __init__(self, follower: Follower, connection: Connection, task: str | None) -> None:
        self._follower = follower
        self._connection = connection
        self._task = task
        self._queue: queue.SimpleQueue[LogLine | BaseException | None] = queue.SimpleQueue()
        self._threads = 0
        self._read: set[str] = set()

    def lines(self) -> Iterator[LogLine]:
        """Yield lines until the operation has ended and all logs have been read.

        Raises:
            WorkflowException: as `Follower.states`.

        """
        self._start(self._follow_operation)
        while self._threads:
            item = self._queue.get()
            match item:
                case None:
                    self._threads -= 1
                case BaseException():
                    raise item
                case _:
                    yield item

    def _start(self, target: Any, *args: Any) -> None:
        # Incremented before the starting thread ends itself, so the count is never 0 too early.
        self._threads += 1
        threading.Thread(target=self._run, args=(target, *args), daemon=True).start()

    def _run(self, target: Any, *args: Any) -> None:
        try:
            target(*args)
        except BaseException as error:  # noqa: BLE001 - raised by `lines`.
            self._queue.put(error)
        self._queue.put(None)

    def _follow_operation(self) -> None:
        for state in self._follower.states():
            status = state.status
            for task in _started_tasks(status, self._task):
                if task.pod_name and task.pod_name not in self._read:
                    self._read.add(task.pod_name)
                    self._start(self._follow_pod, task, status)

    def _follow_pod(self, task: TaskStatus, status: OperationStatus) -> None:
        try:
            for line in pod_lines(self._connection, task.pod_name or "", follow=True):
                self._queue.put(LogLine(task.name, line))
        except WorkflowNotFound:
            for one in _task_lines(task, status, self._connection):
                self._queue.put(one)
        except ClusterUnavailable as error:
            if error.is_final:
                raise
            self._queue.put(LogLine(task.name, f"(cannot read the rest of this log: {error})"))
