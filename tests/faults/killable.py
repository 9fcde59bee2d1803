"""The operator's own program, which ends itself where a file says: before Kafka knows, or after.

All else is as it is: `python -m tests.faults.killable FILE`.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import confluent_kafka

from tests.faults.calls import Kind

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


if __name__ == "__main__":
    vars(confluent_kafka)["Producer"] = producer(Path(sys.argv.pop()))
    # It takes the producer as it is imported.
    from cloudharness_operator.__main__ import main

    sys.exit(main())
