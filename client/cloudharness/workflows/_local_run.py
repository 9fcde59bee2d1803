"""Run an operation without a cluster: its tasks are processes of this machine."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from cloudharness.workflows._follower import Stopped
from cloudharness.workflows._local_attempt import TaskAttempt
from cloudharness.workflows._local_limits import unsupported_locally
from cloudharness.workflows._logs import LogLine
from cloudharness.workflows.errors import (
    BadOperationConfiguration,
    OperationFailed,
    OperationTimeout,
)
from cloudharness_operation import reasons
from cloudharness_operation.model import OperationSpec
from cloudharness_operation.render.containers import WORKFLOW_NAME, WORKFLOW_RESULT
from cloudharness_operation.render.volumes import task_mounts
from cloudharness_operation.tasks import Task

_TAIL_LINES: Final = 20
_MISSING_OUTPUT: Final = 64
"""Exit code of a task that has not written an output: the one of Argo's executor for errors."""
_INTERVAL: Final = 0.1
"""Seconds between checks of the timeout and of the stop event."""


@dataclass(frozen=True)
class AttemptResult:
    """The result of one attempt of a task."""

    exit_code: int
    value: Any
    """Return value of the Python function."""
    outputs: Mapping[str, str]
    """Texts of the outputs, by name."""
    tail: tuple[str, ...]
    """The last lines of the log."""
    ended_at: float
    """Time of the end on the monotonic clock."""


@dataclass
class LocalRun:
    """One run of an operation on this machine.

    Args:
        name: name of the run.
        spec: spec of the operation.
        on_line: called with each line that a task prints, by one thread at a time.
        timeout: seconds after which all tasks are terminated. None: no limit.
        stop: an event that terminates all tasks when another thread sets it.

    """

    name: str
    spec: OperationSpec
    on_line: Callable[[LogLine], None]
    timeout: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    _attempts: list[TaskAttempt] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _outputs: dict[tuple[str, str], str] = field(default_factory=dict)
    _terminated: bool = False
    _workflow_result: Mapping[str, str] = field(default_factory=dict)
    """The variable of the exit task, once the other tasks have ended."""
    _directory: Path = field(init=False)

    def return_values(self) -> dict[str, Any]:
        """Run the operation; return the return values of its Python tasks, in the tasks' order.

        Raises:
            OperationFailed: a task failed, and all its retries.
            OperationTimeout: the timeout has expired. All tasks have been terminated.
            BadOperationConfiguration: the operation needs a cluster, for example for a Secret, or
                a container engine, and none answers.
            Stopped: the stop event was set. All tasks have been terminated.

        """
        if unsupported := list(unsupported_locally(self.spec)):
            raise BadOperationConfiguration(
                f"operation {self.name} cannot run without a cluster: {'; '.join(unsupported)}"
            )
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        values: dict[str, Any] = {}
        with tempfile.TemporaryDirectory(prefix=f"{self.name}-") as directory:
            # Without symbolic links, so that a task's working directory equals its variables.
            self._directory = Path(directory).resolve()
            with contextlib.ExitStack() as stack:
                stack.callback(self._terminate)
                try:
                    for group in _groups(self.spec):
                        values |= self._run_stage(group, deadline)
                except OperationFailed:
                    # As on a cluster, the first failure is reported.
                    with contextlib.suppress(OperationFailed):
                        self._run_exit_task("Failed", deadline)
                    raise
                values |= self._run_exit_task("Succeeded", deadline)
        return {task.name: values[task.name] for task in self.spec.all_tasks if task.name in values}

    def _run_stage(self, group: list[Task], deadline: float | None) -> dict[str, Any]:
        """Run the tasks of a group, keep their outputs, and return their return values."""
        results = self._run_group(group, deadline)
        self._raise_on_failure(results)
        for name, one in results.items():
            self._outputs |= {(name, key): text for key, text in one.outputs.items()}
        with_result = {task.name for task in group if task.python and task.python.function}
        return {name: one.value for name, one in results.items() if name in with_result}

    def _run_exit_task(self, result: str, deadline: float | None) -> dict[str, Any]:
        if self.spec.exit_task is None:
            return {}
        self._workflow_result = {WORKFLOW_RESULT: result}
        return self._run_stage([self.spec.exit_task], deadline)

    def _run_group(self, group: list[Task], deadline: float | None) -> dict[str, AttemptResult]:
        """Run the tasks of a group at the same time, within the limit of `parallelism`."""
        width = min(self.spec.parallelism or len(group), len(group))
        with ThreadPoolExecutor(width) as pool:
            futures = {pool.submit(self._run_task, task): task.name for task in group}
            try:
                for future in self._as_completed(set(futures), deadline):
                    future.result()
            except BaseException:
                self._terminate()
                pool.shutdown(cancel_futures=True)
                raise
        return {name: future.result() for future, name in futures.items()}

    def _as_completed(
        self, running: set[Future[AttemptResult]], deadline: float | None
    ) -> Iterator[Future[AttemptResult]]:
        while running:
            done, running = wait(running, _INTERVAL, FIRST_COMPLETED)
            yield from done
            if running and deadline is not None and time.monotonic() > deadline:
                raise OperationTimeout(
                    f"operation {self.name} has not ended within {self.timeout:g} s, and was "
                    "terminated"
                )
            if running and self.stop.is_set():
                raise Stopped

    def _run_task(self, task: Task) -> AttemptResult:
        limit = task.retry.limit if task.retry else 0
        for number in range(limit + 1):
            result = self._run_attempt(task, number)
            if result.exit_code == 0 or self._terminated:
                break
        return result

    def _run_attempt(self, task: Task, number: int) -> AttemptResult:
        directory = self._directory / f"{task.name}-{number}"
        directory.mkdir()
        tail: deque[str] = deque(maxlen=_TAIL_LINES)

        def on_line(text: str) -> None:
            tail.append(text)
            with self._lock:
                self.on_line(LogLine(task.name, text))

        injected = {WORKFLOW_NAME: self.name, **self._workflow_result}
        attempt = TaskAttempt(
            task, directory, injected, self._outputs, self._volumes(task), on_line
        )
        with self._lock:
            self._attempts.append(attempt)
        if self._terminated:
            attempt.terminate()
        with contextlib.closing(attempt):
            code, outputs = attempt.run(), {}
            if code == 0:
                try:
                    outputs = attempt.outputs()
                except OSError as error:
                    # As on a cluster, a missing output fails the task.
                    on_line(f"cannot read an output: {error}")
                    code = _MISSING_OUTPUT
            value = attempt.return_value() if code == 0 else None
        return AttemptResult(code, value, outputs, tuple(tail), time.monotonic())

    def _volumes(self, task: Task) -> dict[str, Path]:
        """Return a directory for each mount path. Volumes of one claim share a directory."""
        directories = {}
        for wish in task_mounts(self.spec, task):
            directory = self._directory / "volumes" / (wish.claim or wish.mount_path.strip("/"))
            directory.mkdir(parents=True, exist_ok=True)
            directories[wish.mount_path] = directory
        return directories

    def _raise_on_failure(self, results: Mapping[str, AttemptResult]) -> None:
        failed = sorted((one.ended_at, name) for name, one in results.items() if one.exit_code != 0)
        if not failed:
            return
        name = failed[0][1]
        result = results[name]
        raise OperationFailed(
            f"operation {self.name} failed: TaskFailed: task {name!r} ended with exit code "
            f"{result.exit_code}",
            operation=self.name,
            reason=reasons.TASK_FAILED,
            task=name,
            exit_code=result.exit_code,
            task_reason="Error",
            log_tail=result.tail,
        )

    def _terminate(self) -> None:
        with self._lock:
            self._terminated = True
            attempts = list(self._attempts)
        for one in attempts:
            one.terminate()


def _groups(spec: OperationSpec) -> Iterator[list[Task]]:
    stages = spec.stages()
    ordered = sorted(spec.tasks, key=lambda task: stages[task.name])
    for _, group in groupby(ordered, key=lambda task: stages[task.name]):
        yield list(group)
