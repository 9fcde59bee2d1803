"""The exceptions of the operator.

Exception
├── InvalidSettings   the environment is wrong; the message names the variable and the fix
├── ApiError          the API server said no, or could not be reached
└── NotLeading        this process may not write now, since another one may lead
"""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from cloudharness_operation.bounds import MAX_MESSAGE, shortened


class InvalidSettings(ValueError):
    """The operator's environment does not hold what it must."""


class NotLeading(Exception):
    """A write that was not sent, since another process may lead."""


class ApiError(Exception):
    """An answer of the API server other than success."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        """Keep the parts of the server's `metav1.Status`."""
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message

    @override
    def __str__(self) -> str:
        return f"{self.code} {self.reason}: {self.message}"

    @classmethod
    def from_status(cls, code: int, status: dict[str, Any]) -> ApiError:
        """Read a `metav1.Status`, or whatever a proxy put in its place."""
        message = shortened(str(status.get("message") or "no message"), MAX_MESSAGE)
        return cls(code, status.get("reason") or f"HTTP{code}", message)

    @property
    def is_final(self) -> bool:
        """Whether the same request would get the same response."""
        # The API server reports etcd's limit of an object as an internal error.
        return self.code in (400, 413, 422) or "request is too large" in self.message


def is_unexpected(error: Exception) -> bool:
    """Whether an error is a defect of the operator's own code, whose traceback is needed.

    An error of the API server has a reason, and that of a broken connection needs none.
    """
    return not isinstance(error, ApiError | OSError | TimeoutError)
