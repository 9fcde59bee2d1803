"""The operator's own program, which ends itself where a file says: before Kafka knows, or after.

It also has two defects, each for operations of a name in `DEFECTS`. All else is as it is:
`python -m tests.faults.killable FILE`.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import confluent_kafka

from cloudharness_operation.model import Operation
from cloudharness_operator.loop.store import Store
from tests.faults.calls import Kind

NOT_STORED: Final = "is-not-stored"
NOT_PARSED: Final = "is-not-parsed"
DEFECTS: Final = {NOT_STORED: (Store, "upsert_operation"), NOT_PARSED: (Operation, "parse")}
"""By the name of an operation, the method that fails for it."""
_REAL: Final[Any] = confluent_kafka.Producer


def producer(order: Path) -> Callable[[dict[str, Any]], object]:
    """Return a maker of Kafka's own producers, which die at what the file orders, once."""

    class Producer(_REAL):  # type: ignore[misc]
        def produce(self, topic: str, **record: Any) -> None:
            kind = _taken(order)
            if kind is Kind.KILL_BEFORE:
                _die()
            if kind is Kind.KILL_ANSWERED:
                # The broker has it, and the operator will never hear of that.
                record["on_delivery"] = _die
            super().produce(topic, **record)
            if kind is Kind.KILL_UNANSWERED:
                _die()

    return Producer


def _taken(order: Path) -> Kind | None:
    if not order.exists():
        return None
    kind = Kind[order.read_text()]
    # It happens once, whatever comes after.
    order.unlink()
    return kind


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def defective(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that fails if its last argument is the operation of a name."""

    def fails_or_not(*arguments: Any) -> object:
        if arguments[-1]["metadata"]["name"] == name:
            raise RuntimeError(f"a defect: {name}")
        return real(*arguments)

    return fails_or_not


if __name__ == "__main__":
    for name, (owner, method) in DEFECTS.items():
        setattr(owner, method, defective(name, getattr(owner, method)))
    vars(confluent_kafka)["Producer"] = producer(Path(sys.argv.pop()))
    # It takes the producer as it is imported.
    from cloudharness_operator.__main__ import main

    sys.exit(main())
