"""How long what a run leaves behind is kept."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from cloudharness_operation.resource import Resource, rules

MAX_SECONDS: Final = 2**31 - 1
"""As in Kubernetes' own Jobs: 68 years."""

Seconds = Annotated[int, Field(ge=0, le=MAX_SECONDS)]

SecondsToSee = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_SECONDS,
        json_schema_extra={
            # The rule says it in words; the bare minimum would be told besides.
            "minimum": 0,
            **rules(
                (
                    "self != 0",
                    "the operation would be gone before anybody has seen how it ended: write 1 or "
                    "more, or leave it out to keep it",
                )
            ),
        },
    ),
]


class TtlStrategy(Resource):
    """Seconds for which the Workflow of a run is kept after its end. The names are Argo's."""

    seconds_after_completion: Seconds | None = None
    """After any end for which the other two say nothing."""
    seconds_after_success: Seconds | None = None
    """After success."""
    seconds_after_failure: Seconds | None = None
    """After any other end."""

    def after(self, *, success: bool) -> int | None:
        """Return the seconds to keep a Workflow for after such an end, or None: for ever."""
        # As Argo's workflow/gccontroller, function `ttl`: the outcome's own number comes first.
        own = self.seconds_after_success if success else self.seconds_after_failure
        return self.seconds_after_completion if own is None else own


TTL_DEFAULT: Final = TtlStrategy(
    seconds_after_completion=3600, seconds_after_success=1200, seconds_after_failure=7200
)
"""What CloudHarness's client sends for an operation that says nothing."""
