"""What came of an operation: what it returned, what it has left, what its tasks have said."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cloudharness.workflows.lazily import lazily

if TYPE_CHECKING:
    from cloudharness.workflows import following, live, logs, results, twins
    from cloudharness.workflows.logs import LogLine
    from cloudharness.workflows.running import Submitted
else:
    following, live, logs = map(lazily, ("following", "live", "logs"))
    results, twins = map(lazily, ("results", "twins"))


class Answering(ABC):
    """The part of an operation that people ask for what came of it."""

    @abstractmethod
    def submitted(self) -> Submitted:
        """Return where it is."""

    def _result(self, values: Mapping[str, Any]) -> Any:
        """Return the result of the whole, by those of its tasks."""
        return dict(values)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for its end, and return what it returned.

        Of a single task that is what its Python function returned, and None of other tasks. Of
        several tasks it is a dict of that, for each Python task by its name.

        Raises:
            OperationFailed: it ended otherwise than well, or was deleted.
            OperationTimeout: it goes on after that time.
            ResultUnavailable: it ended well, and the result cannot be had.

        """
        return self._returned(timeout, None)

    def _returned(self, timeout: float | None, stop: threading.Event | None) -> Any:
        at = self.submitted()
        state = at.end(timeout, live.Display.chosen(None), stop)
        results.check(state)
        return self._result(results.values(state, at.connection))

    def outputs(self, timeout: float | None = None) -> dict[str, dict[str, str]]:
        """Wait for its end, however it ends, and return the text of each output of each task.

        Raises:
            OperationTimeout: it goes on after that time.
            ResultUnavailable: one is too large for the status, and its Workflow is gone.

        """
        return self._outputs(timeout, None)

    def _outputs(
        self, timeout: float | None, stop: threading.Event | None
    ) -> dict[str, dict[str, str]]:
        at = self.submitted()
        return results.outputs(at.end(timeout, live.Display.chosen(None), stop), at.connection)

    def logs(self, *, follow: bool = False, task: str | None = None) -> Iterator[LogLine]:
        """Yield what its tasks have said.

        Args:
            follow: go on until it has ended, and yield lines as they come.
            task: of this task alone.

        """
        return self._logs(task, None, follow=follow)

    def _logs(
        self, task: str | None, stop: threading.Event | None, *, follow: bool
    ) -> Iterator[LogLine]:
        at = self.submitted()
        if follow:
            return logs.Tail(at.follower(None, stop), at.connection, task).lines()
        return logs.recorded(following.read(at.read()).status, at.connection, task)

    async def result_async(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """As `result`. Cancelling it leaves the operation as it is."""
        return await twins.run(lambda stop: self._returned(timeout, stop))

    async def outputs_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> dict[str, dict[str, str]]:
        """As `outputs`. Cancelling it leaves the operation as it is."""
        return await twins.run(lambda stop: self._outputs(timeout, stop))

    def logs_async(
        self, *, follow: bool = False, task: str | None = None
    ) -> AsyncIterator[LogLine]:
        """As `logs`."""
        return twins.iterate(lambda stop: self._logs(task, stop, follow=follow))
