"""The exceptions that this package raises.

Exception
└── WorkflowException            anything below; `status` is what an HTTP API would answer with
    ├── BadOperationConfiguration    400, also a RuntimeError: what was written cannot be run
    │   └── CannotBeShipped          a Python function cannot run elsewhere; the message says why
    ├── BadParam                     400: an argument of a query is wrong; `param` names it
    ├── WorkflowNotFound             404: there is no operation or Workflow of that name
    ├── OperationExists              409: there is one of that name already
    ├── OperationRefused             422: the API server does not accept it; the message says why
    ├── OperationFailed              500: it ended otherwise than well; the task, its exit code,
    │   │                            reason and last lines of log are fields
    │   └── OperationCancelled       500: because somebody cancelled it
    ├── ResultUnavailable            500: it ended well, and its result cannot be had
    ├── ClusterUnavailable           503: the API server does not answer, or not to us
    └── OperationTimeout             504, also a TimeoutError: it goes on; only the waiting is over
"""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override


class WorkflowException(Exception):
    """What all others are: `except WorkflowException` catches whatever goes wrong here.

    Args:
        status: an HTTP status code.
        message: a sentence for people.

    """

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status = status


class BadOperationConfiguration(WorkflowException, RuntimeError):
    """An argument is wrong. The message names it, and the fix."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


class CannotBeShipped(BadOperationConfiguration):
    """A Python function needs what a task does not have: a closure, an object, its source."""


class BadParam(WorkflowException):
    """An argument of a query is wrong."""

    def __init__(self, param_name: str, message: str = "") -> None:
        super().__init__(400, message)
        self.param = param_name


class WorkflowNotFound(WorkflowException):
    """There is no operation, and no Workflow, of that name."""

    def __init__(self, message: str = "") -> None:
        super().__init__(404, message)


class OperationExists(WorkflowException):
    """An operation of that name is there already, and it is not this one."""

    def __init__(self, message: str) -> None:
        super().__init__(409, message)


class OperationRefused(WorkflowException):
    """The API server does not accept the operation. The message is its own."""

    def __init__(self, message: str) -> None:
        super().__init__(422, message)


class OperationFailed(WorkflowException):
    """The operation ended otherwise than well.

    Attributes:
        operation: name of the operation.
        phase: `Failed`, `Error` or `Cancelled`.
        reason: one CamelCase word, such as `TaskFailed` or `DeadlineExceeded`.
        task: name of the task that failed first; None if none did.
        exit_code: exit code of its container; None if it had none.
        task_reason: one word for how the task failed, such as `OOMKilled`; None if not known.
        log_tail: the last lines of its log, at most 20.

    """

    def __init__(
        self,
        message: str,
        *,
        operation: str = "",
        phase: str = "Failed",
        reason: str = "",
        task: str | None = None,
        exit_code: int | None = None,
        task_reason: str | None = None,
        log_tail: Sequence[str] = (),
    ) -> None:
        super().__init__(500, message)
        self.operation = operation
        self.phase = phase
        self.reason = reason
        self.task = task
        self.exit_code = exit_code
        self.task_reason = task_reason
        self.log_tail = tuple(log_tail)

    @override
    def __str__(self) -> str:
        """Return the message, and below it the end of the task's log."""
        return "\n".join([super().__str__(), *(f"  | {line}" for line in self.log_tail)])


class OperationCancelled(OperationFailed):
    """Somebody cancelled the operation."""


class ResultUnavailable(WorkflowException):
    """The operation ended well, and its result cannot be had."""

    def __init__(self, message: str) -> None:
        super().__init__(500, message)


class ClusterUnavailable(WorkflowException):
    """The API server does not answer, or does not let us in.

    Attributes:
        is_final: it has answered, and asking again is of no use.

    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(503, message)
        self.is_final = is_final


class OperationTimeout(WorkflowException, TimeoutError):
    """The operation goes on; only the time to wait for it is over."""

    def __init__(self, message: str) -> None:
        super().__init__(504, message)


def bad(what: str, problem: str) -> BadOperationConfiguration:
    """Return the error that an argument is wrong."""
    return BadOperationConfiguration(f"{what}: {problem}")
