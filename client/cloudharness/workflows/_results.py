"""Methods of an operation that read its result, its outputs and its logs."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cloudharness.workflows._lazy_import import lazy_module

if TYPE_CHECKING:
    from cloudharness.workflows import _async, _display, _follower, _logs, _outputs
    from cloudharness.workflows._logs import LogLine
    from cloudharness.workflows._submission import SubmittedOperation
else:
    _async, _display, _follower = map(lazy_module, ("_async", "_display", "_follower"))
    _logs, _outputs = map(lazy_module, ("_logs", "_outputs"))


class ResultMethods(ABC):
    """The methods of an operation that read its result, its outputs and its logs."""

    @abstractmethod
    def submitted(self) -> SubmittedOperation:
        """Return the operation's address on the cluster."""

    def _result(self, values: Mapping[str, Any]) -> Any:
        """Return the result of the operation, given the return values of its Python tasks."""
        return dict(values)

    def result(self, timeout: float | None = None) -> Any:
        """Wait until the operation has ended, and return its result.

        For an operation of one task, the result is the return value of the task's Python function;
        for a task that is not a Python function it is None. For an operation of several tasks, the
        result is a dict of the return values of its Python tasks by task name, in the order of the
        tasks.

        Args:
            timeout: seconds to wait. None: no limit.

        Raises:
            OperationFailed: the operation did not succeed, or was deleted.
            OperationTimeout: the operation has not ended within the timeout.
            ResultUnavailable: the operation succeeded, but its result cannot be read.

        """
        return self._wait_for_result(timeout, None)

    def _wait_for_result(self, timeout: float | None, stop: threading.Event | None) -> Any:
        at = self.submitted()
        state = at.wait(timeout, _display.Display.chosen(None), stop)
        _outputs.raise_unless_succeeded(state)
        return self._result(_outputs.return_values(state, at.connection))

    def outputs(self, timeout: float | None = None) -> dict[str, dict[str, str]]:
        """Wait until the operation has ended, and return its outputs; also if it failed.

        Args:
            timeout: seconds to wait. None: no limit.

        Returns:
            The text of each output, by task name and then by output name.

        Raises:
            OperationTimeout: the operation has not ended within the timeout.
            ResultUnavailable: an output is too large for the status, and its Workflow has been
                deleted.

        """
        return self._wait_for_outputs(timeout, None)

    def _wait_for_outputs(
        self, timeout: float | None, stop: threading.Event | None
    ) -> dict[str, dict[str, str]]:
        at = self.submitted()
        state = at.wait(timeout, _display.Display.chosen(None), stop)
        return _outputs.output_texts(state, at.connection)

    def logs(self, *, follow: bool = False, task: str | None = None) -> Iterator[LogLine]:
        """Yield the lines of the tasks' logs.

        Args:
            follow: yield new lines until the operation has ended.
            task: name of a task; only its log is read. None: all tasks.

        Raises:
            OperationFailed: with `follow`, the operation was deleted.
            ClusterUnavailable: the API server does not respond, or denies access.

        """
        return self._read_logs(task, None, follow=follow)

    def _read_logs(
        self, task: str | None, stop: threading.Event | None, *, follow: bool
    ) -> Iterator[LogLine]:
        at = self.submitted()
        if follow:
            return _logs.LogFollower(at.follower(None, stop), at.connection, task).lines()
        return _logs.current_lines(_follower.parse(at.read()).status, at.connection, task)

    async def result_async(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """Async variant of `result`. Cancelling it does not affect the operation."""
        return await _async.run_in_thread(lambda stop: self._wait_for_result(timeout, stop))

    async def outputs_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> dict[str, dict[str, str]]:
        """Async variant of `outputs`. Cancelling it does not affect the operation."""
        return await _async.run_in_thread(lambda stop: self._wait_for_outputs(timeout, stop))

    def logs_async(
        self, *, follow: bool = False, task: str | None = None
    ) -> AsyncIterator[LogLine]:
        """Async variant of `logs`."""
        return _async.iterate_in_thread(lambda stop: self._read_logs(task, stop, follow=follow))
