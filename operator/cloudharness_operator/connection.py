"""librdkafka's settings, from the operator's own and from the files of a mounted Secret."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from cloudharness_operator.brokers import KEYS, security, timeless

QUIET_SECONDS: Final = 60.0


class Seldom(logging.Filter):
    """Lets each message through once a minute: whom a broker cuts off comes back at once.

    It keeps no more than the messages of a minute.
    """

    def __init__(self) -> None:
        """Know of no message."""
        super().__init__()
        self._said: dict[str, float] = {}

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the message was not let through just now."""
        text, now = timeless(record.getMessage()), record.created
        if now < self._said.get(text, 0.0) + QUIET_SECONDS:
            return False
        self._said = {one: at for one, at in self._said.items() if now < at + QUIET_SECONDS}
        self._said[text] = now
        return True


def configuration(servers: str, secret: Path | None = None) -> dict[str, Any]:
    """Return librdkafka's settings for few small records that must not be lost.

    Raises:
        InvalidSettings: the Secret contradicts itself or lacks something.
        OSError: the Secret is not there, or was replaced just now.

    """
    return {
        "bootstrap.servers": servers,
        "client.id": "cloudharness-operator",
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 0,
        # After this the record is reported as failed and published anew, with a back-off.
        "message.timeout.ms": 60_000,
        # So long a topic may be unknown before its records fail: its first one makes it.
        "topic.metadata.propagation.max.ms": 5_000,
        # Whom a broker cuts off after the handshake would be back 20 times a second by default.
        "reconnect.backoff.ms": 500,
        "reconnect.backoff.max.ms": 2_000,
        "log_level": 4,
        "logger": logger(),
        **(security(files(secret)) if secret else {}),
    }


def logger() -> logging.Logger:
    """Return where librdkafka logs."""
    found = logging.getLogger("librdkafka")
    if not any(isinstance(one, Seldom) for one in found.filters):
        found.addFilter(Seldom())
    return found


def files(secret: Path) -> dict[str, str]:
    """Return what a mounted Secret holds, all of one version."""
    # The kubelet puts a new version in place by one rename of this link.
    version = secret / "..data"
    place = version.resolve() if version.exists() else secret
    return {
        file.name: file.read_text(errors="replace")
        for file in sorted(place.iterdir())
        if file.name in KEYS
    }
