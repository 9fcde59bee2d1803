"""Writes the files that are made from others, or says which are stale."""

import argparse
import difflib
import sys
from functools import cache
from pathlib import Path

from cloudharness_operation import crd, event_schema
from cloudharness_operation.names import PLURAL
from dev import alerts_reference, crd_reference, dashboard, metrics_reference, reference, states
from tests.faults import table
from tests.support import attacks, health
from tests.support.examples import Example, names

ROOT = Path(__file__).parents[1]


@cache
def generated() -> dict[str, str]:
    """Every generated file by its path, with what it should hold."""
    text = crd.text()
    return {
        f"crds/{PLURAL}.yaml": text,
        f"charts/cloudharness-operator/crds/{PLURAL}.yaml": text,
        "charts/cloudharness-operator/files/dashboard.json": dashboard.text(),
        "docs/event.schema.json": event_schema.text(),
        "docs/faults.md": table.text(),
        "docs/reference/api.md": crd_reference.text(),
        "docs/reference/metrics.md": metrics_reference.text(),
        "docs/reference/python.md": reference.text(),
        "docs/runbooks/README.md": alerts_reference.text(),
        "docs/security.md": attacks.page(_text(ROOT / "docs/security.md")),
        "docs/states.md": states.page(_text(ROOT / "docs/states.md")),
        "gitops/argocd/argocd-cm.yaml": health.setting(),
        **{f"examples/workflows/{name}.yaml": Example(name).text() for name in names()},
    }


def stale(root: Path) -> dict[str, str]:
    """Return what each stale file should contain, by its path."""
    return {name: text for name, text in generated().items() if _text(root / name) != text}


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def main() -> int:
    """Write what is stale; with --check only show it and fail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if stale")
    check = parser.parse_args().check
    found = stale(ROOT)
    for name, text in found.items():
        path = ROOT / name
        if check:
            old, new = _text(path).splitlines(), text.splitlines()
            print("\n".join(difflib.unified_diff(old, new, name, "generated", lineterm="")))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"  wrote {name}")
    if check and found:
        print(f"stale: {', '.join(found)}: run `make generate`", file=sys.stderr)
    return int(check and bool(found))


if __name__ == "__main__":
    sys.exit(main())
