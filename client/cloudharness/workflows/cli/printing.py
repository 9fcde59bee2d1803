"""Text for people, in colours where it is a terminal, and manifests for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click

from cloudharness.workflows.assembling import text
from cloudharness.workflows.colours import painted

Manifest = Mapping[str, Any]


def say(lines: Iterable[str]) -> None:
    """Write lines to stdout. Where that is no terminal, click takes their colours out."""
    for line in lines:
        click.echo(painted(line))


def manifests(found: Iterable[Manifest], form: str) -> None:
    """Write objects as `json`, `yaml` or by `name`; several as one List, as kubectl does."""
    every = [_bare(one) for one in found]
    if form == "name":
        for one in every:
            click.echo(one["metadata"]["name"])
        return
    whole: Manifest = (
        every[0] if len(every) == 1 else {"apiVersion": "v1", "kind": "List", "items": every}
    )
    click.echo(json.dumps(whole, indent=2) if form == "json" else text(dict(whole)).rstrip())


def compact(value: Any) -> str:
    """Return a JSON value as a line."""
    return json.dumps(value, ensure_ascii=False)


def _bare(one: Manifest) -> dict[str, Any]:
    """Return an object without the record of who wrote which field."""
    meta = {key: value for key, value in one["metadata"].items() if key != "managedFields"}
    return {**one, "metadata": meta}
