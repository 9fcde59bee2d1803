"""Text for people, in colours where it is a terminal, and manifests for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import click

from cloudharness.workflows.assembling import text

Manifest = Mapping[str, Any]

_COLOURS: Final = {
    "Succeeded": "green",
    "✔": "green",
    "Running": "cyan",
    "▶": "cyan",
    "Pending": "yellow",
    "Suspended": "yellow",
    "Failed": "red",
    "Error": "red",
    "✖": "red",
    "Cancelled": "magenta",
    "Skipped": "bright_black",
    "NAME": "bright_black",
    "NAMESPACE": "bright_black",
}
_WORDS: Final = re.compile(
    "|".join(rf"(?<![\w-]){re.escape(word)}(?![\w-])" for word in _COLOURS), re.UNICODE
)


def painted(line: str) -> str:
    """Return a line with its phases in colours. Where it is no terminal, click takes them out."""
    return _WORDS.sub(lambda found: click.style(found[0], fg=_COLOURS[found[0]]), line)


def say(lines: Iterable[str]) -> None:
    """Write lines to stdout."""
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
