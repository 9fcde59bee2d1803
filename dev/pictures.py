"""The pictures of the docs: what a person sees on a terminal, recorded from real runs.

`make pictures`, on the cluster that runs, with the operator that `make install` has installed.
"""

import html
import itertools
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support import terminal
from tests.support.examples import ROOT

PLACE: Final = ROOT / "docs" / "pictures"
_LETTER, _LINE, _EDGE = 8.4, 19, 14
_LAST: Final = 4.0
"""Seconds for which the end is shown, before it begins again."""
_COLOURS: Final = {
    "31": "#f47067",
    "32": "#57ab5a",
    "33": "#c69026",
    "35": "#b083f0",
    "36": "#39c5cf",
    "90": "#768390",
}
_PAINTED: Final = re.compile(r"\x1b\[(\d+)m(.*?)\x1b\[0m")
_CLEARED: Final = "\x1b[J"
"""What stands at the end of each picture that the client draws."""
_MOVES: Final = re.compile(r"\x1b\[\d+A|\x1b\[2K|\r")
_ANEW: Final = "\r\x1b[2K"
"""What stands before each of its lines, and before nothing else."""

MODULE: Final = "means.py"
FUNCTION: Final = """\
def mean(values):
    return sum(values) / len(values)
"""
"""What the module holds: Python 3.11 and 3.12 do not keep the source of what is typed."""
DEFINITIONS: Final = """\
from cloudharness.workflows import operations, tasks
from means import mean
op = operations.PipelineOperation("means-", [
    tasks.BashTask("prepare", "sleep 2"),
    tasks.PythonTask("mean", mean, values=[1, 2, 6]),
])
"""
CALLS: Final = """\
op.execute()
op.wait()
"""


@dataclass(frozen=True)
class Frame:
    """What is on the screen from a time on, in seconds."""

    at: float
    lines: tuple[str, ...]


def record(words: Sequence[str]) -> list[Frame]:
    """Run a command on a terminal; return what it draws, one after the other."""
    return list(_frames(terminal.said(words)))


def _frames(chunks: Iterable[str]) -> Iterator[Frame]:
    begun, said = time.monotonic(), ""
    before: list[str] | None = None
    for chunk in chunks:
        said += chunk
        *whole, said = said.split(_CLEARED)
        for one in whole:
            printed, _, picture = one.partition(_ANEW) if before is None else ("", "", one)
            before = [printed.strip()] if printed.strip() else before or []
            lines = _MOVES.sub("", picture).strip("\n").split("\n")
            yield Frame(time.monotonic() - begun, (*before, *lines))


def drawn(above: Sequence[str], frames: Sequence[Frame]) -> str:
    """Return the frames as an SVG that shows one after the other, below lines that stay."""
    length = frames[-1].at + _LAST
    rows = len(above) + max(len(frame.lines) for frame in frames)
    width, height = terminal.COLUMNS * _LETTER + 2 * _EDGE, rows * _LINE + 2 * _EDGE
    styles, groups = [], []
    for number, (frame, after) in enumerate(itertools.zip_longest(frames, frames[1:])):
        begin, end = frame.at / length * 100, (after.at / length * 100 if after else 100.0)
        steps = f"0%{{opacity:0}}{begin:.2f}%{{opacity:1}}{end:.2f}%{{opacity:0}}"
        styles.append(f"@keyframes f{number}{{{steps}}}")
        styles.append(
            f"#f{number}{{opacity:0;animation:f{number} {length:.1f}s step-end infinite}}"
        )
        body = "".join(_row(line, len(above) + row) for row, line in enumerate(frame.lines))
        groups.append(f'<g id="f{number}">{body}</g>')
    stays = "".join(_row(line, row) for row, line in enumerate(above))
    # Where nothing moves, as in print, the end is seen.
    last = f"#f{len(frames) - 1}{{opacity:1!important}}"
    still = f"@media(prefers-reduced-motion:reduce){{g{{animation:none!important}}{last}}}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
        f'width="{width:.0f}" height="{height}">\n<style>text{{font:14px ui-monospace,Menlo,'
        f"Consolas,'DejaVu Sans Mono',monospace;fill:#cdd9e5;white-space:pre}}"
        f"{''.join(styles)}{still}</style>\n"
        f'<rect width="100%" height="100%" rx="8" fill="#1c2128"/>\n{stays}\n'
        + "\n".join(groups)
        + "\n</svg>\n"
    )


def _row(line: str, row: int) -> str:
    """Return a line as texts that stand in their columns, whatever the font."""
    y, column, found = _EDGE + row * _LINE + 14, 0, ""
    for text, colour in _runs(line):
        for word in re.finditer(r"\S+(?: \S+)*", text):
            x = _EDGE + (column + word.start()) * _LETTER
            wide = len(word[0]) * _LETTER
            fill = f' style="fill:{_COLOURS[colour]}"' if colour else ""
            found += (
                f'<text x="{x:.1f}" y="{y}" textLength="{wide:.1f}"{fill}>'
                f"{html.escape(word[0])}</text>"
            )
        column += len(text)
    return found


def _runs(line: str) -> Iterator[tuple[str, str]]:
    """Yield pieces of a line, and the colour of each."""
    end = 0
    for found in _PAINTED.finditer(line):
        yield line[end : found.start()], ""
        yield found[2], found[1]
        end = found.end()
    yield line[end:], ""


def main() -> None:
    """Record all pictures."""
    program = str(Path(sys.executable).parent / "cloudharness-operation")
    PLACE.mkdir(exist_ok=True)
    words = ["run", "examples/simple-dag.yaml", "--name", "sums-", "--watch", "--gantt"]
    frames = record([program, *words])
    shown = [f"$ cloudharness-operation {' '.join(words)}", ""]
    (PLACE / "watch.svg").write_text(drawn(shown, frames))
    with tempfile.TemporaryDirectory() as place:
        Path(place, MODULE).write_text(FUNCTION)
        script = Path(place, "session.py")
        script.write_text(DEFINITIONS + CALLS)
        frames = record([sys.executable, str(script)])
    (PLACE / "wait.svg").write_text(drawn(session(), frames))
    print(f"  Recorded: {', '.join(path.name for path in sorted(PLACE.glob('*.svg')))}")


def session() -> list[str]:
    """Return what a person types, on a shell and then at Python's prompt."""
    typed = (DEFINITIONS + CALLS).splitlines()
    prompted = [f"{'...' if line[:1] in (' ', ']') else '>>>'} {line}" for line in typed]
    return [f"$ cat {MODULE}", *FUNCTION.splitlines(), "$ python", *prompted]


if __name__ == "__main__":
    main()
