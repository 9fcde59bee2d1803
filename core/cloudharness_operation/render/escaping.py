"""Text of the user that arrives in the pod as it is, although Argo replaces in all of a Workflow.

Argo takes `{{...}}` for something of its own wherever it stands: it puts in what it knows, computes
`{{=...}}`, and refuses a Workflow with `{{item.name}}` or `{{steps.x}}` that it does not know
(argo-workflows, util/template, workflow/validate). It has no escape. Text that has no `{{` stays
readable; other text is encoded, in a way that fits what reads it.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

OPENING: Final = "{{"


def arguments(value: Any) -> str:  # noqa: ANN401 - any JSON.
    """Return a value as JSON, for the command of a container.

    Kubernetes takes `$(NAME)` there for a variable and `$$` for `$`. All of these can only be
    within text, for which JSON has escapes. The API server sorts keys when it stores them, so
    an order would not have come this far.
    """
    text = json.dumps(value, sort_keys=True)
    return text.replace("$", r"\u0024").replace(OPENING, r"{\u007b")


def python(source: str) -> str:
    """Return Python code that does what this code does, in the same file and namespace."""
    if OPENING not in source:
        return source
    decoded = f"__import__('base64').b64decode('{_encoded(source)}')"
    return f"exec(compile({decoded}, __file__, 'exec'))\n"


def bash(source: str) -> str:
    """Return a bash script that does what this script does, in the same shell."""
    if OPENING not in source:
        return source
    return f"eval \"$(printf %s '{_encoded(source)}' | base64 -d)\"\n"


def _encoded(source: str) -> str:
    return base64.b64encode(source.encode()).decode()
