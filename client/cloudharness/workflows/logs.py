"""The logs of an operation's tasks: of what runs, what has ended, and what is kept after that."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from typing_extensions import override

from cloudharness.workflows.connection import PODS, Connection
from cloudharness.workflows.errors import ClusterUnavailable, OperationRefused, WorkflowNotFound
from cloudharness.workflows.following import Follower
from cloudharness_operation.logs import own
from cloudharness_operation.status import OperationStatus, TaskPhase, TaskStatus

_MAIN = "main"
_BEGUN = (TaskPhase.RUNNING, TaskPhase.SUCCEEDED, TaskPhase.FAILED, TaskPhase.ERROR)


class LogLine(NamedTuple):
    """One line of a task's log."""

    task: str
    text: str

    @override
    def __str__(self) -> str:
        return f"{self.task} | {self.text}"


def recorded(state: OperationStatus, connection: Connection, task: str | None) -> Iterator[LogLine]:
    """Yield the logs as they are, task by task in the order in which they began."""
    for one in _begun(state, task):
        yield from _lines(one, state, connection)


def of_operation(state: OperationStatus, connection: Connection) -> list[str]:
    """Return the log of each task that has begun, as one text."""
    said: dict[str, list[str]] = {}
    for task in _begun(state, None):
        said[task.name] = [line.text for line in _lines(task, state, connection)]
    return ["\n".join(lines) for lines in said.values()]


def of_pods(pods: Sequence[str], connection: Connection) -> list[str]:
    """Return the log of each pod that is there, as one text."""
    found = []
    for pod in pods:
        with contextlib.suppress(WorkflowNotFound):
            found.append("\n".join(pod_log(connection, pod, follow=False)))
    return found


def _begun(state: OperationStatus, task: str | None) -> list[TaskStatus]:
    found = [one for one in state.tasks if task in (None, one.name) and one.phase in _BEGUN]
    return sorted(found, key=lambda one: (one.start_time is None, one.start_time))


def _lines(task: TaskStatus, state: OperationStatus, connection: Connection) -> Iterator[LogLine]:
    try:
        for line in pod_log(connection, task.pod_name or "", follow=False):
            yield LogLine(task.name, line)
    except WorkflowNotFound:
        # The pod is gone; of the task that failed first, the operator has kept the end.
        if state.failure and state.failure.task == task.name:
            yield from (LogLine(task.name, line) for line in state.failure.log_tail)


def pod_log(connection: Connection, pod: str, *, follow: bool) -> Iterator[str]:
    """Yield what a task has said in its pod, without what Argo's executor says there.

    Raises:
        WorkflowNotFound: the pod is gone, or its container has not begun.

    """
    if not pod:
        raise WorkflowNotFound("there is no pod")
    asked = {"container": _MAIN, "follow": "true" if follow else None}
    try:
        yield from own(connection.lines(PODS, f"{pod}/log", query=asked))
    except OperationRefused as error:
        # "container ... is waiting to start": a log that does not exist yet, or never will.
        raise WorkflowNotFound(str(error)) from error


class Tail:
    """The logs of all pods of an operation, as they come, until it has ended.

    Each pod has a thread that reads it, and the operation one that tells of new pods: the API
    has no way to ask for all at once.
    """

    def __init__(self, follower: Follower, connection: Connection, task: str | None) -> None:
        self._follower = follower
        self._connection = connection
        self._task = task
        self._lines: queue.SimpleQueue[LogLine | BaseException | None] = queue.SimpleQueue()
        self._open = 0
        self._read: set[str] = set()

    def lines(self) -> Iterator[LogLine]:
        """Yield what tasks say, until all have ended and all is told.

        Raises:
            WorkflowException: as `Follower.states`.

        """
        self._begin(self._follow)
        while self._open:
            one = self._lines.get()
            match one:
                case None:
                    self._open -= 1
                case BaseException():
                    raise one
                case _:
                    yield one

    def _begin(self, work: Any, *args: Any) -> None:
        # Counted here and in `lines` alone, by a thread that holds one itself: never 0 too soon.
        self._open += 1
        threading.Thread(target=self._report, args=(work, *args), daemon=True).start()

    def _report(self, work: Any, *args: Any) -> None:
        try:
            work(*args)
        except BaseException as error:  # noqa: BLE001 - handed to whoever reads.
            self._lines.put(error)
        self._lines.put(None)

    def _follow(self) -> None:
        last: OperationStatus | None = None
        for state in self._follower.states():
            last = state.status
            for task in _begun(last, self._task):
                if task.pod_name and task.pod_name not in self._read:
                    self._read.add(task.pod_name)
                    self._begin(self._pod, task, last)

    def _pod(self, task: TaskStatus, state: OperationStatus) -> None:
        try:
            for line in pod_log(self._connection, task.pod_name or "", follow=True):
                self._lines.put(LogLine(task.name, line))
        except WorkflowNotFound:
            for one in _lines(task, state, self._connection):
                self._lines.put(one)
        except ClusterUnavailable as error:
            if error.is_final:
                raise
            self._lines.put(LogLine(task.name, f"(the rest of this log is not to be had: {error})"))
