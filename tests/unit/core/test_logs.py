"""Lines of a log without the executor's, in a time that grows with their length."""

from __future__ import annotations

import time

import pytest

from cloudharness_operation.logs import own, readable
from cloudharness_operator.decide import failure

LONG_TIME = f"time={'9' * 65}"
EXECUTOR = 'time="2026-01-02T03:04:05Z" level=info msg="sub-process exited" argo=true error="<nil>"'


JSON_3 = '{"argo":true,"error":null,"level":"info","msg":"exited","time":"2026-01-02T03:04:05Z"}'
JSON_4 = (
    '{"time":"2026-01-02T03:04:05.139Z","level":"INFO","msg":"exited","error":null,"argo":true}'
)
SLOG = 'time=2026-01-02T03:04:05.139Z level=INFO msg="sub-process exited" error=<nil> argo=true'


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (SLOG, []),
        (f"begun{SLOG}", ["begun"]),
        (SLOG.replace(" error=<nil> argo=true", " argo=true error=<nil>"), []),
        (SLOG.replace("<nil>", '"a \\"quoted\\" word, argo=true"'), []),
        (SLOG.replace('"sub-process exited"', '"saved: time=1 level=INFO msg=x"'), []),
        (SLOG.replace(" argo=true", ""), [SLOG.replace(" argo=true", "")]),
        (SLOG.replace(" argo=true", " argo=truest"), [SLOG.replace(" argo=true", " argo=truest")]),
        (f"{SLOG} and more", [f"{SLOG} and more"]),
        (f'{SLOG} a="open', [f'{SLOG} a="open']),
        (JSON_3, []),
        (JSON_4, []),
        (f"begun{JSON_4}", ["begun"]),
        (JSON_4.replace("true", "1"), [JSON_4.replace("true", "1")]),
        (JSON_4.replace("level", "grade"), [JSON_4.replace("level", "grade")]),
        (f"{JSON_4} and more", [f"{JSON_4} and more"]),
        ("plain", ["plain"]),
        ("", [""]),
        (EXECUTOR, []),
        (f"begun{EXECUTOR}", ["begun"]),
        ("time=2026 level=info msg=short argo=true", []),
        ('time="2026" level=info msg="a \\"quoted\\" word" argo=true', []),
        ("time=2026 level=info msg=mine", ["time=2026 level=info msg=mine"]),
        (f"{LONG_TIME} level=info msg=a argo=true", [f"{LONG_TIME} level=info msg=a argo=true"]),
    ],
)
def test_the_executors_lines_are_taken_out(line: str, expected: list[str]) -> None:
    assert list(own([line])) == expected


SIZE = 256 * 1024
HOSTILE = (
    "time=",
    'time="',
    "time=a level=b msg=",
    'time=a level=b msg="',
    'time=a level=b msg="\\"',
    'time=a level=b msg="\\\\',
    'time=a level=b msg="" argo=tru',
    'time=a level=b msg="x" argo=true ',
    "time=a level=b msg=x argo=true ",
    'time=a level=b msg=x a="',
    '{"time":"',
    '{"argo":true,',
    '{"argo":true,"a":',
    "level=",
    "Error: ",
    "Error: exit status 1",
    "Error: signal: ",
    "\x1b[",
    "\x1b[0;",
    "\x1b[ ",
    "\r",
    "a\r",
    " ",
    "\x00",
)


@pytest.mark.parametrize("word", HOSTILE)
def test_a_line_takes_no_time_that_grows_with_the_square_of_its_length(word: str) -> None:
    text = (word * (SIZE // len(word) + 1))[:SIZE]
    begun = time.process_time()
    assert len("".join(readable(line) for line in own([text]))) <= SIZE
    # It takes a tenth of a second. A search that is quadratic takes some minutes.
    assert time.process_time() - begun < 60


def test_of_a_line_of_a_megabyte_the_end_is_read() -> None:
    text = "time=" * 200_000 + "the end"
    assert failure.tail(text) == (text[-failure.MAX_SIZE :],)
