"""Errors of librdkafka, as reasons of the condition `Notified`."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from cloudharness_operation import reasons

REASONS: Final = {
    "_MSG_TIMED_OUT": reasons.BROKER_UNAVAILABLE,
    "_TRANSPORT": reasons.BROKER_UNAVAILABLE,
    "_ALL_BROKERS_DOWN": reasons.BROKER_UNAVAILABLE,
    "_RESOLVE": reasons.BROKER_UNAVAILABLE,
    "_AUTHENTICATION": reasons.AUTHENTICATION_FAILED,
    "SASL_AUTHENTICATION_FAILED": reasons.AUTHENTICATION_FAILED,
    "UNSUPPORTED_SASL_MECHANISM": reasons.AUTHENTICATION_FAILED,
    "ILLEGAL_SASL_STATE": reasons.AUTHENTICATION_FAILED,
    "_SSL": reasons.TLS_FAILED,
    "TOPIC_AUTHORIZATION_FAILED": reasons.AUTHORIZATION_FAILED,
    "CLUSTER_AUTHORIZATION_FAILED": reasons.AUTHORIZATION_FAILED,
    "_UNKNOWN_TOPIC": reasons.TOPIC_NOT_FOUND,
    "UNKNOWN_TOPIC_OR_PART": reasons.TOPIC_NOT_FOUND,
    "MSG_SIZE_TOO_LARGE": reasons.MESSAGE_TOO_LARGE,
    "RECORD_LIST_TOO_LARGE": reasons.MESSAGE_TOO_LARGE,
}
"""Our reasons by librdkafka's names of errors."""

TLS_ALERT: Final = "SSL routines"
"""In every message of OpenSSL."""

_TIMING: Final = re.compile(r" \(after \d+ms in state .*\)$")


class ConnectionProblem(NamedTuple):
    """Why the brokers cannot be used, for all events."""

    reason: str
    message: str


def reason(error: str) -> str:
    """Return our reason for an error of librdkafka, by its name."""
    return REASONS.get(error, reasons.PUBLISH_FAILED)


def connection_problem(
    error: str, message: str, known: ConnectionProblem | None
) -> ConnectionProblem | None:
    """Return the problem of all events, from an error that is about no record."""
    # With TLS 1.3 a broker refuses a client's certificate by an alert after the handshake.
    why = (
        reasons.TLS_FAILED if error == "_TRANSPORT" and TLS_ALERT in message else REASONS.get(error)
    )
    if why is None or (known and why in (known.reason, reasons.BROKER_UNAVAILABLE)):
        # A broker that refuses a client also closes the connection, which says less.
        return known
    return ConnectionProblem(why, timeless(message))


def timeless(message: str) -> str:
    """Return a message without durations, which differ each time."""
    return _TIMING.sub("", message)
