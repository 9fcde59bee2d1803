"""An operation without a cluster: its tasks as processes, in the order that they have on one."""

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

from cloudharness.workflows import clusterbound
from cloudharness.workflows.errors import (
    BadOperationConfiguration,
    OperationFailed,
    OperationTimeout,
)
from cloudharness.workflows.following import Stopped
from cloudharness.workflows.logs import LogLine
from cloudharness.workflows.processes import Attempt
from cloudharness_operation.model import OperationSpec
from cloudharness_operation.render.containers import WORKFLOW_NAME
from cloudharness_operation.render.volumes import task_mounts
from cloudharness_operation.tasks import Task

_TAIL: Final = 20
_NO_OUTPUT: Final = 64
"""Exit code of a task that has not written an output: that of Argo's executor, for any error."""
_INTERVAL: Final = 0.1
"""Seconds after which it is seen that the time is over, or that somebody does not want more."""


@dataclass(frozen=True)
class Ended:
    """How a task ended."""

    code: int
    result: Any
    outputs: Mapping[str, str]
    """Texts that later tasks may ask for."""
    tail: tuple[str, ...]
    at: float
    """When, by a clock of its own."""


@dataclass
class LocalRun:
    """One run of an operation on this machine.

    Args:
        name: name of the run.
        spec: what is run.
        say: is called with each line that a task prints, by one thread at a time.
        timeout: seconds; None for as long as it takes.
        stop: ends it, from another thread.

    """

    name: str
    spec: OperationSpec
    say: Callable[[LogLine], None]
    timeout: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    _attempts: list[Attempt] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _outputs: dict[tuple[str, str], str] = field(default_factory=dict)
    _over: bool = False
    _place: Path = field(init=False)

    def values(self) -> dict[str, Any]:
        """Run it; return what the functions of Python tasks have returned, by task.

        Raises:
            OperationFailed: a task failed, as often as it may be tried again.
            OperationTimeout: the time is over. All tasks have been ended.
            BadOperationConfiguration: it needs what is not here, as a Secret, or something to run
                an image with.

        """
        if lacking := list(clusterbound.wanted(self.spec)):
            raise BadOperationConfiguration(
                f"operation {self.name} cannot run here, where there is no cluster: "
                + "; ".join(lacking)
            )
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        found: dict[str, Any] = {}
        with tempfile.TemporaryDirectory(prefix=f"{self.name}-") as place:
            # Its name may hold links, and a task is to find its directory as it is told it.
            self._place = Path(place).resolve()
            with contextlib.ExitStack() as stack:
                stack.callback(self._end)
                for group in _groups(self.spec):
                    ends = self._all_of(group, deadline)
                    self._check(ends)
                    for name, end in ends.items():
                        self._outputs |= {(name, key): text for key, text in end.outputs.items()}
                    found |= {n: e.result for n, e in ends.items() if _has_result(self.spec, n)}
        return found

    def _all_of(self, group: list[Task], deadline: float | None) -> dict[str, Ended]:
        """Run the tasks of a group, as many at once as may be, to their ends."""
        width = min(self.spec.parallelism or len(group), len(group))
        with ThreadPoolExecutor(width) as pool:
            futures = {pool.submit(self._task, task): task.name for task in group}
            try:
                for future in self._as_they_end(set(futures), deadline):
                    future.result()
            except BaseException:
                self._end()
                pool.shutdown(cancel_futures=True)
                raise
        return {name: future.result() for future, name in futures.items()}

    def _as_they_end(
        self, left: set[Future[Ended]], deadline: float | None
    ) -> Iterator[Future[Ended]]:
        while left:
            done, left = wait(left, _INTERVAL, FIRST_COMPLETED)
            yield from done
            if left and deadline is not None and time.monotonic() > deadline:
                raise OperationTimeout(
                    f"operation {self.name} has not ended within {self.timeout:g} s, and was ended"
                )
            if left and self.stop.is_set():
                raise Stopped

    def _task(self, task: Task) -> Ended:
        limit = task.retry.limit if task.retry else 0
        for number in range(limit + 1):
            ended = self._attempt(task, number)
            if ended.code == 0 or self._over:
                break
        return ended

    def _attempt(self, task: Task, number: int) -> Ended:
        place = self._place / f"{task.name}-{number}"
        place.mkdir()
        tail: deque[str] = deque(maxlen=_TAIL)

        def say(text: str) -> None:
            tail.append(text)
            with self._lock:
                self.say(LogLine(task.name, text))

        told = {WORKFLOW_NAME: self.name}
        one = Attempt(task, place, told, self._outputs, self._volumes(task), say)
        with self._lock:
            self._attempts.append(one)
        if self._over:
            one.end()
        code, outputs = one.run(), {}
        if code == 0:
            try:
                outputs = one.outputs()
            except OSError as error:
                # As on a cluster: it has done all, but not what it was for.
                say(f"an output is not there: {error}")
                code = _NO_OUTPUT
        result = one.result() if code == 0 else None
        return Ended(code, result, outputs, tuple(tail), time.monotonic())

    def _volumes(self, task: Task) -> dict[str, Path]:
        """Return a directory for each path: the same for the same claim, or path without one."""
        found = {}
        for mount in task_mounts(self.spec, task):
            directory = self._place / "volumes" / (mount.claim or mount.mount_path.strip("/"))
            directory.mkdir(parents=True, exist_ok=True)
            found[mount.mount_path] = directory
        return found

    def _check(self, ends: Mapping[str, Ended]) -> None:
        bad = sorted((end.at, name) for name, end in ends.items() if end.code != 0)
        if not bad:
            return
        name = bad[0][1]
        end = ends[name]
        raise OperationFailed(
            f"operation {self.name} failed: TaskFailed: task {name!r} ended with exit code "
            f"{end.code}",
            operation=self.name,
            reason="TaskFailed",
            task=name,
            exit_code=end.code,
            task_reason="Error",
            log_tail=end.tail,
        )

    def _end(self) -> None:
        with self._lock:
            self._over = True
            attempts = list(self._attempts)
        for one in attempts:
            one.end()


def _groups(spec: OperationSpec) -> Iterator[list[Task]]:
    stages = spec.stages()
    ordered = sorted(spec.tasks, key=lambda task: stages[task.name])
    for _, group in groupby(ordered, key=lambda task: stages[task.name]):
        yield list(group)


def _has_result(spec: OperationSpec, name: str) -> bool:
    (task,) = (task for task in spec.tasks if task.name == name)
    return bool(task.python and task.python.function)
