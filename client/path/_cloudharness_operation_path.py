"""Make `cloudharness.workflows` this project's, whether or not CloudHarness's library is installed.

Both provide the package `cloudharness.workflows`. In the wheel, this project's has a directory of
its own, so neither installation overwrites files of the other. `cloudharness_operation_client.pth`
adds that directory to `sys.path` and calls `install` when Python starts. The finder is needed where
the library is installed too:

- `cloudharness` is then the library, a package with code. After `pip install -e` of the library,
  Python would find this project's directory first, and take `cloudharness` for a namespace package.
- `cloudharness.workflows` is then this project's, which is not in the directory of the library.

See docs/decisions/0024-beside-cloudharness.md.
"""

from __future__ import annotations

import os
import sys

# This runs whenever Python starts, so it imports only what is loaded already; `typing` is not.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_HERE = os.path.dirname(os.path.abspath(__file__))
_LIBRARY = "cloudharness"
_PACKAGE = "cloudharness.workflows"


class Finder:
    """Finds the two packages; all other imports are left to the other finders."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a package, or None if another finder shall find it."""
        if name == _LIBRARY:
            return _with_code(name, path, target)
        return _own() if name == _PACKAGE else None


def _with_code(
    name: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    """Return the first spec of a package that has code, or None: it is a namespace package."""
    for finder in sys.meta_path:
        find = None if finder is Finder else getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find(name, path, target) if find else None
        # A namespace package has no file.
        if spec is not None and spec.has_location:
            return spec
    return None


def _own() -> ModuleSpec | None:
    from importlib.util import spec_from_file_location

    directory = os.path.join(_HERE, "cloudharness_operation_client", *_PACKAGE.split("."))
    file = os.path.join(directory, "__init__.py")
    if not os.path.exists(file):
        return None
    return spec_from_file_location(_PACKAGE, file, submodule_search_locations=[directory])


def install() -> None:
    """Add the finder before all others, once."""
    if Finder not in sys.meta_path:
        sys.meta_path.insert(0, Finder)  # type: ignore[arg-type]
