"""Print text, with colours on a terminal, and manifests."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import click

from cloudharness.workflows._format import coloured
from cloudharness.workflows._operation_spec import to_yaml

Manifest = Mapping[str, Any]


def print_lines(lines: Iterable[str]) -> None:
    """Write lines to stdout. click removes their colours if stdout is not a terminal."""
    for line in lines:
        click.echo(coloured(line))


def styled(text: str, colour: str) -> str:
    """Return a text in one of click's colours, or unchanged if NO_COLOR is set."""
    return text if "NO_COLOR" in os.environ else click.style(text, fg=colour)


def manifests(found: Iterable[Manifest], form: str) -> None:
    """Write objects as `json` or `yaml`, or their names. Several become one List, as in kubectl."""
    every = [_bare(one) for one in found]
    if form == "name":
        for one in every:
            click.echo(one["metadata"]["name"])
        return
    whole: Manifest = (
        every[0] if len(every) == 1 else {"apiVersion": "v1", "kind": "List", "items": every}
    )
    click.echo(json.dumps(whole, indent=2) if form == "json" else to_yaml(dict(whole)).rstrip())


def compact(value: Any) -> str:
    """Return a value as JSON in one line."""
    return json.dumps(value, ensure_ascii=False)


def _bare(one: Manifest) -> dict[str, Any]:
    """Return an object without `managedFields`."""
    meta = {key: value for key, value in one["metadata"].items() if key != "managedFields"}
    return {**one, "metadata": meta}
