"""librdkafka's settings, from the operator's own and from the files of a mounted Secret.

The keys of the Secret are those of Knative's KafkaSink, so that one Secret serves both.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from cloudharness_operator.errors import InvalidSettings
from cloudharness_operator.kafka.errors import timeless

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
OAUTH: Final = "OAUTHBEARER"
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", OAUTH)

PASSWORD_KEYS: Final = {"user": "sasl.username", "password": "sasl.password"}
_BEARER: Final = "sasl.oauthbearer"
TOKEN_KEYS: Final = {
    f"{_BEARER}.token.endpoint.url": f"{_BEARER}.token.endpoint.url",
    f"{_BEARER}.client.id": f"{_BEARER}.client.id",
    f"{_BEARER}.client.secret": f"{_BEARER}.client.secret",
    f"{_BEARER}.scope": f"{_BEARER}.scope",
    f"{_BEARER}.extensions": f"{_BEARER}.extensions",
    f"{_BEARER}.ca.crt": "https.ca.pem",
}
"""KafkaSink has none for tokens, so these are librdkafka's own names (CONFIGURATION.md)."""
_NEEDED: Final = tuple(TOKEN_KEYS)[:3]
SASL_KEYS: Final = {"sasl.mechanism": "sasl.mechanism", **PASSWORD_KEYS, **TOKEN_KEYS}
TLS_KEYS: Final = {
    "ca.crt": "ssl.ca.pem",
    "user.crt": "ssl.certificate.pem",
    "user.key": "ssl.key.pem",
}
KEYS: Final = ("protocol", *SASL_KEYS, *TLS_KEYS, "user.skip")

PEM: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*(CERTIFICATE|PRIVATE KEY)-----")

QUIET_SECONDS: Final = 60.0
"""Seconds in which a message is logged once."""


class RateLimitedLogFilter(logging.Filter):
    """Logs each message once a minute: librdkafka reconnects at once when a broker disconnects it.

    It keeps the messages of the last minute only.
    """

    def __init__(self) -> None:
        """Start without a message."""
        super().__init__()
        self._logged: dict[str, float] = {}

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the message was not logged within the last minute."""
        text, now = timeless(record.getMessage()), record.created
        if now < self._logged.get(text, 0.0) + QUIET_SECONDS:
            return False
        self._logged = {one: at for one, at in self._logged.items() if now < at + QUIET_SECONDS}
        self._logged[text] = now
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
        # How long a topic may be unknown before its records fail: the first record creates it.
        "topic.metadata.propagation.max.ms": 5_000,
        # By default librdkafka reconnects 20 times a second after a refused handshake.
        "reconnect.backoff.ms": 500,
        "reconnect.backoff.max.ms": 2_000,
        "log_level": 4,
        "logger": logger(),
        **(security(files(secret)) if secret else {}),
    }


def logger() -> logging.Logger:
    """Return where librdkafka logs."""
    found = logging.getLogger("librdkafka")
    if not any(isinstance(one, RateLimitedLogFilter) for one in found.filters):
        found.addFilter(RateLimitedLogFilter())
    return found


def files(secret: Path) -> dict[str, str]:
    """Return the files of a mounted Secret, all of one version."""
    # The kubelet puts a new version in place by one rename of this link.
    version = secret / "..data"
    place = version.resolve() if version.exists() else secret
    return {
        file.name: file.read_text(errors="replace")
        for file in sorted(place.iterdir())
        if file.name in KEYS
    }


def security(secret: Mapping[str, str]) -> dict[str, Any]:
    """Return librdkafka's settings for a Secret.

    Raises:
        InvalidSettings: it contradicts itself or lacks something; the message names the key.

    """
    # A trailing newline comes from the file that the Secret was made from, not from a password.
    lines = {key: secret[key].strip("\r\n") for key in KEYS if key in secret}
    found = {key: text for key, text in lines.items() if text}
    if problem := next(_problems(found), None):
        raise InvalidSettings(f"Secret of kafka.secret: {problem}")
    protocol = found["protocol"]
    wanted = SASL_KEYS if protocol.startswith("SASL_") else {}
    if protocol.endswith("SSL"):
        wanted = wanted | ({"ca.crt": "ssl.ca.pem"} if _skips(found) else TLS_KEYS)
    settings = {name: found[key] for key, name in wanted.items() if key in found}
    if settings.get("sasl.mechanism") == OAUTH:
        # librdkafka then fetches tokens itself, and new ones before they expire.
        settings[f"{_BEARER}.method"] = "oidc"
    return {"security.protocol": protocol, **settings}


def _problems(found: Mapping[str, str]) -> Iterator[str]:
    protocol = found.get("protocol", "")
    if protocol not in PROTOCOLS:
        yield f"protocol is {_shown(protocol)}: use one of {', '.join(PROTOCOLS)}"
    if found.get("user.skip", "false").lower() not in ("true", "false"):
        yield f"user.skip is {found['user.skip']!r}: use true or false"
    sasl, tls = protocol.startswith("SASL_"), protocol.endswith("SSL")
    with_tls = "SASL_SSL" if sasl else "SSL"
    yield from _sasl_problems(found) if sasl else _needless(found, SASL_KEYS, f"SASL_{protocol}")
    yield from _tls_problems(found) if tls else _needless(found, TLS_KEYS, with_tls)


def _needless(found: Mapping[str, str], keys: Iterable[str], better: str) -> Iterator[str]:
    for key in keys:
        if key in found:
            yield (
                f"{key} is of no use with protocol {found['protocol']}: use {better}, or remove it"
            )


def _sasl_problems(found: Mapping[str, str]) -> Iterator[str]:
    mechanism = found.get("sasl.mechanism", "")
    if mechanism not in MECHANISMS:
        yield f"sasl.mechanism is {_shown(mechanism)}: use one of {', '.join(MECHANISMS)}"
    tokens = mechanism == OAUTH
    for key in _NEEDED if tokens else PASSWORD_KEYS:
        if key not in found:
            yield f"{key} is missing: sasl.mechanism {mechanism} needs it"
    for key in PASSWORD_KEYS if tokens else TOKEN_KEYS:
        if key in found:
            yield f"{key} is of no use with sasl.mechanism {mechanism}: remove it"
    if tokens:
        yield from _token_problems(found)


def _token_problems(found: Mapping[str, str]) -> Iterator[str]:
    url, authority = f"{_BEARER}.token.endpoint.url", f"{_BEARER}.ca.crt"
    if not found[url].startswith(("https://", "http://")):
        yield f"{url} is {found[url]!r}: give a URL, https://..."
    if authority in found and not PEM.search(found[authority]):
        yield _no_pem(authority)


def _tls_problems(found: Mapping[str, str]) -> Iterator[str]:
    for key in TLS_KEYS:
        if key in found and not PEM.search(found[key]):
            yield _no_pem(key)
    if _skips(found):
        return
    given = [key for key in ("user.crt", "user.key") if key in found]
    if len(given) == 1:
        yield f"{given[0]} is there alone: give both user.crt and user.key, or none"
    if not given and found["protocol"] == "SSL":
        yield (
            "user.crt and user.key are missing: add them, or user.skip: true "
            "where the broker asks for no client certificate"
        )


def _no_pem(key: str) -> str:
    return f"{key} is not PEM: it must hold a line like -----BEGIN CERTIFICATE-----"


def _skips(found: Mapping[str, str]) -> bool:
    return found.get("user.skip", "").lower() == "true"


def _shown(text: str) -> str:
    return repr(text) if text else "missing"
