"""Parse durations of command line options."""

from __future__ import annotations

import re
from typing import Any, Final

import click
from typing_extensions import override

_WRITTEN: Final = re.compile(r"(?P<count>\d+(\.\d+)?)(?P<unit>[smhd]?)")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Seconds(click.ParamType[float]):
    """A duration such as `90`, `90s`, `10m`, `2h` or `1d`, in seconds."""

    name = "time"

    @override
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            self.fail(f"{value!r} is not a duration: write 90, 90s, 10m, 2h or 1d", param, ctx)
        return float(found["count"]) * _UNITS[found["unit"]]


SECONDS: Final = Seconds()
