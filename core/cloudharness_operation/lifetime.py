"""How long Workflows, pods and operations are kept."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from cloudharness_operation.resource import Resource, form, rules

MAX_SECONDS: Final = 2**31 - 1
"""As in Kubernetes' own Jobs: 68 years."""

Seconds = Annotated[int, Field(ge=0, le=MAX_SECONDS)]

Duration = Annotated[
    str,
    form(r"^([0-9]+(s|m|h))+$", 32, "write a time, such as 10s, 5m or 1h30m"),
]

PositiveSeconds = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_SECONDS,
        json_schema_extra={
            # The rule says it in words; a minimum would add a second message.
            "minimum": 0,
            **rules(
                (
                    "self != 0",
                    "the operation would be deleted before anybody has read its result: write 1 or "
                    "more, or leave it out to keep it",
                )
            ),
        },
    ),
]


class TtlStrategy(Resource):
    """Seconds for which the Workflow of a run is kept after its end. The names are Argo's."""

    seconds_after_completion: Seconds | None = None
    """After any end for which the other two are not set."""
    seconds_after_success: Seconds | None = None
    """After success."""
    seconds_after_failure: Seconds | None = None
    """After any other end."""

    def after(self, *, success: bool) -> int | None:
        """Return the seconds to keep a Workflow for after such an end, or None: for ever."""
        # As Argo's workflow/gccontroller, function `ttl`: the outcome's own number comes first.
        own = self.seconds_after_success if success else self.seconds_after_failure
        return self.seconds_after_completion if own is None else own


class PodGC(Resource):
    """When pods are deleted before their Workflow is. The names are Argo's."""

    strategy: Literal[
        "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"
    ]
    """OnPodCompletion: each pod when it has ended. OnPodSuccess: each that has succeeded.
    OnWorkflowCompletion: all when the run has ended. OnWorkflowSuccess: all when it has succeeded.
    Logs are deleted with the pods; the end of a failed task's log is kept in the status."""
    delete_delay_duration: Duration | None = None
    """Delay of the deletion, such as `10s`, `5m` or `1h30m`. Left out: Argo's setting, by default
    5s."""


TTL_DEFAULT: Final = TtlStrategy(
    seconds_after_completion=3600, seconds_after_success=1200, seconds_after_failure=7200
)
"""The default of CloudHarness's own client."""
