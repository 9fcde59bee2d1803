"""The exceptions that this room raises.

Exception
└── InvalidOperation   the user's object is wrong; the message names the field and the fix
"""

from __future__ import annotations


class InvalidOperation(ValueError):
    """A `CloudHarnessOperation` that the API server accepted but that cannot be run."""
