"""Changing the course of an operation on a cluster, and waiting until that has come about."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from cloudharness.workflows.connection import OPERATIONS
from cloudharness.workflows.errors import OperationExists, OperationTimeout, WorkflowNotFound
from cloudharness.workflows.lazily import lazily

if TYPE_CHECKING:
    from cloudharness.workflows import assembling, following, twins
    from cloudharness.workflows.running import Submitted
    from cloudharness.workflows.snapshots import Workflow
    from cloudharness_operation.model import Operation
else:
    assembling, following, twins = map(lazily, ("assembling", "following", "twins"))

Manifest = dict[str, Any]
Reached = Callable[["Operation"], bool]


def steer(
    at: Submitted,
    changes: Manifest,
    reached: Reached,
    timeout: float | None,
    stop: threading.Event | None,
) -> None:
    """Change an operation's spec, and wait until what it asks for is reached, or its run is over.

    Raises:
        OperationRefused: the API server does not accept the change.
        WorkflowNotFound: it is not there any more.
        OperationTimeout: it is not reached in time; it will be, all the same.

    """
    wanted = ask(at, changes)
    try:
        for state in at.follower(timeout, stop).states():
            if (state.status.observed_generation or 0) >= wanted and reached(state):
                return
    except OperationTimeout as error:
        asked = ", ".join(f"{key}: {value}" for key, value in changes.items())
        raise OperationTimeout(
            f"operation {at.name} has not come to what was asked for ({asked}) within "
            f"{timeout:g} s; that still holds"
        ) from error


def ask(at: Submitted, changes: Manifest) -> int:
    """Change an operation's spec, and return its generation from then on.

    Raises:
        OperationRefused: the API server does not accept the change.
        WorkflowNotFound: it is not there any more.

    """
    # By its uid it is this one, and no other that was made under its name since.
    body = {"metadata": {"uid": at.uid}, "spec": changes}
    try:
        generation: int = at.connection.patch(OPERATIONS, at.name, body)["metadata"]["generation"]
    except OperationExists as error:
        raise WorkflowNotFound(f"operation {at.name} is gone, and another has its name") from error
    return generation


class Steered(ABC):
    """The part of an operation by which people change its course."""

    @abstractmethod
    def submitted(self) -> Submitted:
        """Return where it is."""

    @abstractmethod
    def refresh(self) -> Workflow:
        """Read it anew, and return it."""

    def cancel(
        self, how: Literal["Stop", "Terminate"] = "Stop", timeout: float | None = None
    ) -> Workflow:
        """End its run for good, and wait until it has ended; nothing comes of it if it has already.

        Args:
            how: `Stop` lets what is to be done at the end be done; `Terminate` does not.
            timeout: seconds; None for as long as it takes.

        Raises:
            OperationTimeout: it goes on after that time.
            ClusterUnavailable: the API server has not answered for five minutes.

        """
        return self._steer({"cancel": how}, lambda _: False, timeout, None)

    def suspend(self, timeout: float | None = None) -> Workflow:
        """Have no new task begin, and wait until that is so, or until it has ended.

        Raises:
            OperationTimeout: it is not so after that time.
            ClusterUnavailable: the API server has not answered for five minutes.

        """
        return self._steer({"suspend": True}, _is_suspended, timeout, None)

    def resume(self, timeout: float | None = None) -> Workflow:
        """Have it go on after `suspend`, and wait until it does, or until it has ended.

        Raises:
            OperationTimeout: it does not after that time.
            ClusterUnavailable: the API server has not answered for five minutes.

        """
        return self._steer({"suspend": False}, _goes_on, timeout, None)

    def rerun(self, run_id: str | None = None, timeout: float | None = None) -> Workflow:
        """Run it once more, and wait until that run has begun; `wait` and `result` are of it then.

        A run that goes on is not ended by it: the new one follows.

        Args:
            run_id: what the run is called, and none of it was before. None: the number after that
                of the run before, or what it was called with some letters of chance behind it.
            timeout: seconds; None for as long as it takes.

        Raises:
            OperationTimeout: it has not begun after that time.
            ClusterUnavailable: the API server has not answered for five minutes.

        """
        return self._rerun(run_id, timeout, None)

    def _rerun(
        self, run_id: str | None, timeout: float | None, stop: threading.Event | None
    ) -> Workflow:
        chosen = run_id or _next(following.read(self.submitted().read()).spec.run_id)
        # What ended the run before would end this one too.
        changes = {"runId": chosen, "cancel": None}
        return self._steer(changes, lambda one: one.status.run_id == chosen, timeout, stop)

    def _steer(
        self,
        changes: Manifest,
        reached: Reached,
        timeout: float | None,
        stop: threading.Event | None,
    ) -> Workflow:
        steer(self.submitted(), changes, reached, timeout, stop)
        return self.refresh()

    async def cancel_async(
        self,
        how: Literal["Stop", "Terminate"] = "Stop",
        timeout: float | None = None,  # noqa: ASYNC109 - as its twin.
    ) -> Workflow:
        """As `cancel`. Cancelling this call takes nothing back."""
        work = {"cancel": how}
        return await twins.run(lambda stop: self._steer(work, lambda _: False, timeout, stop))

    async def suspend_async(self, timeout: float | None = None) -> Workflow:  # noqa: ASYNC109
        """As `suspend`."""
        work = {"suspend": True}
        return await twins.run(lambda stop: self._steer(work, _is_suspended, timeout, stop))

    async def resume_async(self, timeout: float | None = None) -> Workflow:  # noqa: ASYNC109
        """As `resume`."""
        work = {"suspend": False}
        return await twins.run(lambda stop: self._steer(work, _goes_on, timeout, stop))

    async def rerun_async(
        self,
        run_id: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Workflow:
        """As `rerun`."""
        return await twins.run(lambda stop: self._rerun(run_id, timeout, stop))


def _is_suspended(state: Operation) -> bool:
    return state.status.is_true("Suspended")


def _goes_on(state: Operation) -> bool:
    return not state.status.is_true("Suspended")


def _next(run_id: str) -> str:
    return str(int(run_id) + 1) if run_id.isdecimal() else f"{run_id[:50]}-{assembling.token()}"
