"""Find and parse Python files."""

from __future__ import annotations

import ast
import functools
import io
import os
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
_ENVIRONMENT: Final = "pyvenv.cfg"
"""A file that each virtual environment has."""


@dataclass(frozen=True)
class Source:
    """A file, parsed."""

    path: str
    text: str
    tree: ast.Module

    @functools.cached_property
    def lines(self) -> list[str]:
        """The lines, as the positions of the tree count them."""
        return self.text.split("\n")

    @property
    def is_package(self) -> bool:
        """Whether the file is the `__init__.py` of a package."""
        return Path(self.path).stem == "__init__"

    @property
    def parts(self) -> tuple[str, ...]:
        """The dotted name of the module, counted from the root of the file system."""
        *folders, _ = Path(self.path).resolve().parts[1:]
        return (*folders, *(() if self.is_package else (Path(self.path).stem,)))


@dataclass(frozen=True)
class Problem:
    """A path that cannot be read, or a file that cannot be parsed."""

    path: str
    line: int
    column: int
    message: str


def read(paths: Iterable[str]) -> Iterator[Source | Problem]:
    """Yield the Python files of these paths, each once; or why one cannot be read."""
    known: set[str] = set()
    for path in paths:
        for found in _files(path):
            real = found.path if isinstance(found, Problem) else os.path.realpath(found)
            if real not in known:
                known.add(real)
                yield found if isinstance(found, Problem) else parse(found)


def _files(path: str) -> Iterator[str | Problem]:
    if Path(path).is_file():
        yield path
    elif not Path(path).is_dir():
        what = "is not a file or a directory" if os.path.lexists(path) else "does not exist"
        yield Problem(path, 1, 1, f"the path {what}")
    else:
        failed: list[OSError] = []
        for folder, folders, files in os.walk(path, onerror=failed.append):
            folders[:] = sorted(one for one in folders if not _is_skipped(Path(folder, one)))
            names = sorted(one for one in files if one.endswith(".py"))
            yield from (os.path.join(folder, one) for one in names if Path(folder, one).is_file())  # noqa: PTH118 - keeps "./".
        for error in failed:
            yield Problem(str(error.filename), 1, 1, error.strerror or str(error))


def _is_skipped(folder: Path) -> bool:
    hidden = folder.name.startswith(".")
    return hidden or folder.name in _SKIPPED or (folder / _ENVIRONMENT).exists()


def parse(path: str) -> Source | Problem:
    """Parse a file. Its encoding is found as Python finds it."""
    try:
        content = Path(path).read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of the code that is read, not of this one.
            return Source(path, text, ast.parse(text))
    except SyntaxError as error:
        message = f"the file cannot be parsed: {error.msg}"
        return Problem(path, error.lineno or 1, error.offset or 1, message)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return Problem(path, line, 1, f"the file cannot be parsed: {error}")
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "it is nested too deeply"
        return Problem(path, 1, 1, f"the file cannot be read: {reason}")
