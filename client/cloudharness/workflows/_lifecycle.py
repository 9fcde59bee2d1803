"""Methods of an operation that cancel, suspend, resume and rerun it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from cloudharness.workflows._api import OPERATIONS
from cloudharness.workflows._lazy_import import lazy_module
from cloudharness.workflows._submission import random_token
from cloudharness.workflows.errors import OperationExists, OperationTimeout, WorkflowNotFound

if TYPE_CHECKING:
    from cloudharness.workflows import _async, _follower
    from cloudharness.workflows._snapshots import Workflow
    from cloudharness.workflows._submission import SubmittedOperation
    from cloudharness_operation.model import Operation
else:
    _async, _follower = map(lazy_module, ("_async", "_follower"))

Manifest = dict[str, Any]
IsReached = Callable[["Operation"], bool]


def patch_spec(at: SubmittedOperation, changes: Manifest) -> int:
    """Patch the spec of an operation, and return its new generation.

    Raises:
        OperationRefused: the API server rejects the change.
        WorkflowNotFound: the operation does not exist any more.

    """
    # The uid makes the API server reject the patch if another operation has the name by now.
    body = {"metadata": {"uid": at.uid}, "spec": changes}
    try:
        generation: int = at.connection.patch(OPERATIONS, at.name, body)["metadata"]["generation"]
    except OperationExists as error:
        raise WorkflowNotFound(
            f"operation {at.name} was deleted, and another operation has its name"
        ) from error
    return generation


def patch_spec_and_wait(
    at: SubmittedOperation,
    changes: Manifest,
    is_reached: IsReached,
    timeout: float | None,
    stop: threading.Event | None,
) -> None:
    """Patch the spec of an operation, and wait until the change is in effect or the run has ended.

    Raises:
        OperationRefused: the API server rejects the change.
        WorkflowNotFound: the operation does not exist any more.
        OperationTimeout: the change is not in effect within the timeout; the patch remains.

    """
    generation = patch_spec(at, changes)
    try:
        for state in at.follower(timeout, stop).states():
            if (state.status.observed_generation or 0) >= generation and is_reached(state):
                return
    except OperationTimeout as error:
        requested = ", ".join(f"{key}: {value}" for key, value in changes.items())
        raise OperationTimeout(
            f"the change of operation {at.name} ({requested}) has not taken effect within "
            f"{timeout:g} s; it remains requested"
        ) from error


class LifecycleMethods(ABC):
    """The methods of an operation that cancel, suspend, resume and rerun it."""

    @abstractmethod
    def submitted(self) -> SubmittedOperation:
        """Return the operation's address on the cluster."""

    @abstractmethod
    def refresh(self) -> Workflow:
        """Read the operation from the API server, and return it."""

    def cancel(
        self, how: Literal["Stop", "Terminate"] = "Stop", timeout: float | None = None
    ) -> Workflow:
        """Terminate the run and wait for it; no-op if it has already ended.

        Args:
            how: `Stop` runs exit handlers; `Terminate` does not.
            timeout: seconds to wait. None: no limit.

        Raises:
            OperationTimeout: the run has not ended within the timeout.
            ClusterUnavailable: the API server has not responded for five minutes, or denies access.

        """
        return self._change({"cancel": how}, lambda _: False, timeout, None)

    def suspend(self, timeout: float | None = None) -> Workflow:
        """Suspend the operation, and wait until it is suspended or has ended.

        A suspended operation starts no new task; running tasks continue.

        Args:
            timeout: seconds to wait. None: no limit.

        Raises:
            OperationTimeout: the operation is not suspended within the timeout.
            ClusterUnavailable: the API server has not responded for five minutes, or denies access.

        """
        return self._change({"suspend": True}, _is_suspended, timeout, None)

    def resume(self, timeout: float | None = None) -> Workflow:
        """Resume a suspended operation, and wait until it is resumed or has ended.

        Args:
            timeout: seconds to wait. None: no limit.

        Raises:
            OperationTimeout: the operation is not resumed within the timeout.
            ClusterUnavailable: the API server has not responded for five minutes, or denies access.

        """
        return self._change({"suspend": False}, _is_resumed, timeout, None)

    def rerun(self, run_id: str | None = None, timeout: float | None = None) -> Workflow:
        """Run the operation again, and wait until the new run has started.

        The new run starts after the current one has ended. From then on `wait` and `result` refer
        to the new run.

        Args:
            run_id: id of the new run; it must differ from the ids of all previous runs. None: the
                previous run's number plus one, or the previous id with a random suffix.
            timeout: seconds to wait. None: no limit.

        Raises:
            OperationTimeout: the new run has not started within the timeout.
            ClusterUnavailable: the API server has not responded for five minutes, or denies access.

        """
        return self._rerun(run_id, timeout, None)

    def _rerun(
        self, run_id: str | None, timeout: float | None, stop: threading.Event | None
    ) -> Workflow:
        chosen = run_id or _next_id(_follower.parse(self.submitted().read()).spec.run_id)
        # The field `cancel` of the previous run would cancel the new run too.
        changes = {"runId": chosen, "cancel": None}
        return self._change(changes, lambda state: state.status.run_id == chosen, timeout, stop)

    def _change(
        self,
        changes: Manifest,
        is_reached: IsReached,
        timeout: float | None,
        stop: threading.Event | None,
    ) -> Workflow:
        patch_spec_and_wait(self.submitted(), changes, is_reached, timeout, stop)
        return self.refresh()

    async def cancel_async(
        self,
        how: Literal["Stop", "Terminate"] = "Stop",
        timeout: float | None = None,  # noqa: ASYNC109 - as in the blocking variant.
    ) -> Workflow:
        """Async variant of `cancel`. Cancelling this call does not revert the change."""
        changes = {"cancel": how}
        return await _async.run_in_thread(
            lambda stop: self._change(changes, lambda _: False, timeout, stop)
        )

    async def suspend_async(self, timeout: float | None = None) -> Workflow:  # noqa: ASYNC109
        """Async variant of `suspend`."""
        changes = {"suspend": True}
        return await _async.run_in_thread(
            lambda stop: self._change(changes, _is_suspended, timeout, stop)
        )

    async def resume_async(self, timeout: float | None = None) -> Workflow:  # noqa: ASYNC109
        """Async variant of `resume`."""
        changes = {"suspend": False}
        return await _async.run_in_thread(
            lambda stop: self._change(changes, _is_resumed, timeout, stop)
        )

    async def rerun_async(
        self,
        run_id: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Workflow:
        """Async variant of `rerun`."""
        return await _async.run_in_thread(lambda stop: self._rerun(run_id, timeout, stop))


def _is_suspended(state: Operation) -> bool:
    return state.status.is_true("Suspended")


def _is_resumed(state: Operation) -> bool:
    return not state.status.is_true("Suspended")


def _next_id(run_id: str) -> str:
    return str(int(run_id) + 1) if run_id.isdecimal() else f"{run_id[:50]}-{random_token()}"
