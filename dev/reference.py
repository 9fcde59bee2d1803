"""The reference of the Python client, `docs/reference/python.md`, made from its docstrings."""

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

PACKAGE: Final = "cloudharness.workflows"
MODULES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "operations": ("Arrangements of tasks.", ()),
    "_operation_base": ("Arguments and methods of all operations", ("ContainerizedOperation",)),
    "_remote": ("Methods of operations on a cluster", ("RemoteOperation",)),
    "_lifecycle": ("Methods that cancel, suspend, resume and rerun", ("LifecycleMethods",)),
    "_results": ("Methods that read results, outputs and logs", ("ResultMethods",)),
    "tasks": ("The parts of operations.", ()),
    "_task_options": ("Types of task arguments", ()),
    "attach": ("Operations that exist on a cluster.", ()),
    "argo": ("List, read, submit and delete by name.", ()),
    "_snapshots": ("Operations and Workflows at the time they were read", ()),
    "utils": ("Functions for code in tasks, and the context of pods that share a node.", ()),
    "_display": ("The table shown while waiting", ("Display",)),
    "errors": ("Exceptions.", ()),
}
"""Modules with names for users, what they contain, and the names, if not all. A name from a module
that begins with an underscore is public through a class or a module that is."""
_SECTION: Final = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):$")
_ENTRY: Final = re.compile(r"^    (\*{0,2}\w+): (.*)$")
_HEAD: Final = """\
# Reference of the Python client

Generated from the docstrings. [Getting started](../getting-started.md) shows how to use the client.
"""


def text() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for name, (about, chosen) in MODULES.items():
        module = importlib.import_module(f"{PACKAGE}.{name}")
        is_private = name.startswith("_")
        parts.append(f"## {about}\n" if is_private else f"## `{PACKAGE}.{name}`\n\n{about}\n")
        parts += _members(module, chosen)
    return "\n".join(parts)


def _members(module: ModuleType, chosen: tuple[str, ...]) -> Iterator[str]:
    for name, one in vars(module).items():
        if getattr(one, "__module__", "") != module.__name__ or name.startswith("_"):
            continue
        if chosen and name not in chosen:
            continue
        if inspect.isclass(one):
            yield from _class(one)
        elif inspect.isfunction(one):
            yield f"### {name}\n\n{_code(name + _signature(one))}\n\n{_said(one)}\n"


def _class(one: type) -> Iterator[str]:
    bases = [base.__name__ for base in one.__bases__ if base.__module__.startswith(PACKAGE)]
    kind = f"A kind of {' and '.join(f'`{base}`' for base in bases)}.\n\n" if bases else ""
    made = f"{_code(one.__name__ + _made(one))}\n\n" if "__init__" in vars(one) else ""
    yield f"### {one.__name__}\n\n{kind}{made}{_said(one)}\n"
    for name, member in vars(one).items():
        function = member.__func__ if isinstance(member, classmethod) else member
        if name.startswith("_"):
            continue
        if isinstance(member, property) and member.fget and member.fget.__doc__:
            yield f"- `.{name}`\n\n{_indented(_said(member.fget))}\n"
        elif inspect.isfunction(function) and function.__doc__:
            called = "await " if inspect.iscoroutinefunction(function) else ""
            yield f"- `{called}.{name}{_signature(function)}`\n\n{_indented(_said(function))}\n"


def _code(words: str) -> str:
    """Return a call as a block, an argument a line where it is long."""
    if len(words) > 90:
        head, _, rest = words.partition("(")
        inner, _, given = rest.rpartition(")")
        words = f"{head}(\n    " + ",\n    ".join(_arguments(inner)) + f",\n){given}"
    return f"```\n{words}\n```"


def _arguments(inner: str) -> Iterator[str]:
    """Split arguments at their own commas."""
    depth, begun = 0, 0
    for place, letter in enumerate(inner):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            yield inner[begun:place].strip()
            begun = place + 1
    yield inner[begun:].strip()


def _made(one: type) -> str:
    return _signature(vars(one)["__init__"]).partition(" -> ")[0]


def _signature(function: Callable[..., Any]) -> str:
    """Return the parameters with their annotations, as they are written in the source."""
    found = inspect.signature(function)
    parts, star = [], False
    for one in found.parameters.values():
        if one.name in ("self", "cls"):
            continue
        if one.kind is inspect.Parameter.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        star = star or one.kind is inspect.Parameter.VAR_POSITIONAL
        parts.append(_parameter(one))
    given = found.return_annotation
    return f"({', '.join(parts)})" + (f" -> {given}" if isinstance(given, str) else "")


def _parameter(one: inspect.Parameter) -> str:
    plain = str(one.replace(annotation=one.empty, default=one.empty))
    # Of what is taken as it comes, the docstring says what it is.
    told = isinstance(one.annotation, str) and not one.kind.name.startswith("VAR")
    annotated = f"{plain}: {one.annotation}" if told else plain
    if one.default is one.empty:
        return annotated
    default = one.default.__name__ if inspect.isfunction(one.default) else repr(one.default)
    return f"{annotated} = {default}" if told else f"{plain}={default}"


def _said(one: object) -> str:
    """Return a docstring as Markdown."""
    lines: list[str] = []
    section = ""
    for line in (inspect.cleandoc(one.__doc__ or "")).splitlines():
        if found := _SECTION.match(line):
            section = found[1]
            lines += [f"{section}:", ""]
        elif section and (entry := _ENTRY.match(line)):
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        elif section and line.startswith("    "):
            lines.append(f"  {line.strip()}")
        else:
            section = "" if line else section
            lines.append(line)
    return "\n".join(lines).strip()


def _indented(words: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in words.splitlines())
