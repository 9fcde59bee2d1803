"""The exceptions of this package.

Exception
└── WorkflowException            base class; `status` is the HTTP status code of the error
    ├── BadOperationConfiguration    400, also a RuntimeError: an argument is wrong
    │   └── CannotBeShipped          a Python function cannot run in a task
    ├── BadParam                     400: an argument of a query is wrong; `param` names it
    ├── WorkflowNotFound             404: no operation or Workflow has this name
    ├── OperationExists              409: an operation of this name exists
    ├── OperationRefused             422: the API server rejects the operation
    ├── OperationFailed              500: the operation did not succeed; attributes have the task,
    │   │                            its exit code, its reason and the end of its log
    │   └── OperationCancelled       500: the operation was cancelled
    ├── ResultUnavailable            500: the operation succeeded, its result cannot be read
    ├── ClusterUnavailable           503: the API server does not respond, or denies access
    └── OperationTimeout             504, also a TimeoutError: the wait has ended, not the operation
"""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override


class WorkflowException(Exception):
    """The base class of all exceptions of this package.

    Args:
        status: an HTTP status code.
        message: a description of the error.

    """

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status = status


class BadOperationConfiguration(WorkflowException, RuntimeError):
    """An argument is wrong. The message names the argument and the fix."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


class CannotBeShipped(BadOperationConfiguration):
    """A Python function cannot run in a task. The message gives the reason and the fix."""


class BadParam(WorkflowException):
    """An argument of a query is wrong.

    Attributes:
        param: name of the argument.

    """

    def __init__(self, param_name: str, message: str = "") -> None:
        super().__init__(400, message)
        self.param = param_name


class WorkflowNotFound(WorkflowException):
    """No operation or Workflow has this name."""

    def __init__(self, message: str = "") -> None:
        super().__init__(404, message)


class OperationExists(WorkflowException):
    """Another operation of this name exists."""

    def __init__(self, message: str) -> None:
        super().__init__(409, message)


class OperationRefused(WorkflowException):
    """The API server rejects the operation. The message is the API server's."""

    def __init__(self, message: str) -> None:
        super().__init__(422, message)


class OperationFailed(WorkflowException):
    """The operation did not succeed.

    Attributes:
        operation: name of the operation.
        phase: `Failed`, `Error` or `Cancelled`.
        reason: reason of the operation's status, such as `TaskFailed` or `DeadlineExceeded`.
        task: name of the task that failed first. None: no task failed.
        exit_code: exit code of its container. None: there is none.
        task_reason: reason of the task's failure, such as `OOMKilled`. None: not known.
        log_tail: the last lines of the task's log, at most 20.

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
        """Return the message, followed by the last lines of the task's log."""
        return "\n".join([super().__str__(), *(f"  | {line}" for line in self.log_tail)])


class OperationCancelled(OperationFailed):
    """The operation was cancelled."""


class ResultUnavailable(WorkflowException):
    """The operation succeeded, but its result cannot be read."""

    def __init__(self, message: str) -> None:
        super().__init__(500, message)


class ClusterUnavailable(WorkflowException):
    """The API server does not respond, or denies access.

    Attributes:
        is_final: whether repeating the request is useless, for example because access is denied.

    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(503, message)
        self.is_final = is_final


class OperationTimeout(WorkflowException, TimeoutError):
    """The timeout of the call has expired. An operation on a cluster continues."""

    def __init__(self, message: str) -> None:
        super().__init__(504, message)


def bad(what: str, problem: str) -> BadOperationConfiguration:
    """Return the exception for a wrong argument."""
    return BadOperationConfiguration(f"{what}: {problem}")
