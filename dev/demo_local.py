"""The README's example in Python, without a cluster: `make demo-local`."""

import sys
import textwrap
import time

from tests.support.documents import sections
from tests.support.examples import ROOT


def show() -> None:
    """Print the example and what it prints."""
    (code,) = (one.code for one in sections(ROOT / "README.md").values() if one.code)
    print(textwrap.indent(code, "  "), flush=True)
    begun = time.monotonic()
    # A file, since the client sends the source of a function to the process that runs it.
    path = ROOT / "build" / "demo_local.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(code)
    exec(compile(code, str(path), "exec"), {"__name__": "__main__"})  # noqa: S102 - our README.
    print(f"\n  run_local() ran it in a process of this machine: {time.monotonic() - begun:.1f} s")


def main() -> int:
    """Show it, and say how to go on."""
    print("\n== An operation in Python, as in README.md\n")
    show()
    print("\n== To go on\n")
    print("  op.execute()   runs the same operation on a cluster: docs/getting-started.md")
    print("  make doctor    shows which ways to a cluster this machine has")
    print("  make demo      runs an operation on a real cluster, to the event in Kafka")
    return 0


if __name__ == "__main__":
    sys.exit(main())
