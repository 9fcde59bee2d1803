"""How a Kafka wants to be spoken to, and what it means by its errors: librdkafka's names and ours.

The keys of the Secret are those of Knative's KafkaSink, so that one Secret serves both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from cloudharness_operator.delivery import (
    AUTHENTICATION_FAILED,
    AUTHORIZATION_FAILED,
    BROKER_UNAVAILABLE,
    MESSAGE_TOO_LARGE,
    PUBLISH_FAILED,
    TLS_FAILED,
    TOPIC_NOT_FOUND,
)
from cloudharness_operator.errors import InvalidSettings

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

REASONS: Final = {
    "_MSG_TIMED_OUT": BROKER_UNAVAILABLE,
    "_TRANSPORT": BROKER_UNAVAILABLE,
    "_ALL_BROKERS_DOWN": BROKER_UNAVAILABLE,
    "_RESOLVE": BROKER_UNAVAILABLE,
    "_AUTHENTICATION": AUTHENTICATION_FAILED,
    "SASL_AUTHENTICATION_FAILED": AUTHENTICATION_FAILED,
    "UNSUPPORTED_SASL_MECHANISM": AUTHENTICATION_FAILED,
    "ILLEGAL_SASL_STATE": AUTHENTICATION_FAILED,
    "_SSL": TLS_FAILED,
    "TOPIC_AUTHORIZATION_FAILED": AUTHORIZATION_FAILED,
    "CLUSTER_AUTHORIZATION_FAILED": AUTHORIZATION_FAILED,
    "_UNKNOWN_TOPIC": TOPIC_NOT_FOUND,
    "UNKNOWN_TOPIC_OR_PART": TOPIC_NOT_FOUND,
    "MSG_SIZE_TOO_LARGE": MESSAGE_TOO_LARGE,
    "RECORD_LIST_TOO_LARGE": MESSAGE_TOO_LARGE,
}
"""What errors mean, by librdkafka's names of them."""

TLS_ALERT: Final = "SSL routines"
"""What OpenSSL begins its own words with."""

_TIMING: Final = re.compile(r" \(after \d+ms in state .*\)$")


class Trouble(NamedTuple):
    """What stands between us and the broker."""

    reason: str
    message: str


def reason(error: str) -> str:
    """Return our reason for an error of librdkafka, by its name."""
    return REASONS.get(error, PUBLISH_FAILED)


def connection_trouble(error: str, message: str, known: Trouble | None) -> Trouble | None:
    """Return what hinders all events, from an error that is about no record."""
    # With TLS 1.3 a client's certificate is refused after the handshake, by an alert in its stead.
    why = TLS_FAILED if error == "_TRANSPORT" and TLS_ALERT in message else REASONS.get(error)
    if why is None or (known and why in (known.reason, BROKER_UNAVAILABLE)):
        # Whom a broker turns away it also cuts off, and that says less.
        return known
    return Trouble(why, timeless(message))


def timeless(message: str) -> str:
    """Return a message without how long something took, which differs each time."""
    return _TIMING.sub("", message)


def security(secret: Mapping[str, str]) -> dict[str, Any]:
    """Return librdkafka's settings for what a Secret says.

    Raises:
        InvalidSettings: it contradicts itself or lacks something; the message names the key.

    """
    # A line's end is of the file that the Secret was made from, not of a password.
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
