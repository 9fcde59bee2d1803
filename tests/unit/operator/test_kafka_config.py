"""What a Secret says of a Kafka, and what a Kafka's errors say."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError

from cloudharness_operation.reasons import PUBLISH_FAILED
from cloudharness_operator.errors import InvalidSettings
from cloudharness_operator.kafka.config import (
    RateLimitedLogFilter,
    configuration,
    files,
    logger,
    security,
)
from cloudharness_operator.kafka.errors import (
    REASONS,
    ConnectionProblem,
    connection_problem,
    reason,
)

CA = "-----BEGIN CERTIFICATE-----\nauthority\n-----END CERTIFICATE-----"
CRT = "-----BEGIN CERTIFICATE-----\nclient\n-----END CERTIFICATE-----"
KEY = "-----BEGIN PRIVATE KEY-----\nclient\n-----END PRIVATE KEY-----"
USER = {"user": "alice", "password": "wonder land "}
PAIR = {"user.crt": CRT, "user.key": KEY}
CREDENTIALS = {"sasl.username": "alice", "sasl.password": "wonder land "}
TOKEN = {
    "protocol": "SASL_SSL",
    "sasl.mechanism": "OAUTHBEARER",
    "sasl.oauthbearer.token.endpoint.url": "https://example.org/token",
    "sasl.oauthbearer.client.id": "operations",
    "sasl.oauthbearer.client.secret": "wonder land",
}
SCRAM = {"protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", **USER}


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        pytest.param({"protocol": "PLAINTEXT"}, {"security.protocol": "PLAINTEXT"}, id="nothing"),
        pytest.param(
            {"protocol": "PLAINTEXT\n", "user": "\n", "..data": "x", "other": "y"},
            {"security.protocol": "PLAINTEXT"},
            id="ends of lines, and what is not ours",
        ),
        pytest.param(
            {"protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", **USER},
            {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", **CREDENTIALS},
            id="a password in the open",
        ),
        pytest.param(
            {**SCRAM, "sasl.mechanism": "SCRAM-SHA-256", "ca.crt": CA},
            {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "SCRAM-SHA-256",
                "ssl.ca.pem": CA,
                **CREDENTIALS,
            },
            id="SCRAM with an authority of its own",
        ),
        pytest.param(
            SCRAM,
            {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", **CREDENTIALS},
            id="SCRAM with an authority that all know",
        ),
        pytest.param(
            {**SCRAM, **PAIR},
            {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "SCRAM-SHA-512",
                "ssl.certificate.pem": CRT,
                "ssl.key.pem": KEY,
                **CREDENTIALS,
            },
            id="SCRAM and a certificate",
        ),
        pytest.param(
            {**TOKEN, "sasl.oauthbearer.scope": "events", "sasl.oauthbearer.ca.crt": CA},
            {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "OAUTHBEARER",
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.token.endpoint.url": "https://example.org/token",
                "sasl.oauthbearer.client.id": "operations",
                "sasl.oauthbearer.client.secret": "wonder land",
                "sasl.oauthbearer.scope": "events",
                "https.ca.pem": CA,
            },
            id="tokens",
        ),
        pytest.param(
            {"protocol": "SSL", "ca.crt": CA, **PAIR},
            {
                "security.protocol": "SSL",
                "ssl.ca.pem": CA,
                "ssl.certificate.pem": CRT,
                "ssl.key.pem": KEY,
            },
            id="a certificate",
        ),
        pytest.param(
            {"protocol": "SSL", "ca.crt": CA, "user.skip": "true"},
            {"security.protocol": "SSL", "ssl.ca.pem": CA},
            id="no certificate",
        ),
        pytest.param(
            {"protocol": "SSL", "user.skip": "True", **PAIR},
            {"security.protocol": "SSL"},
            id="a certificate that is not to be shown",
        ),
    ],
)
def test_a_secret(secret: dict[str, str], expected: dict[str, Any]) -> None:
    assert security(secret) == expected


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        pytest.param({}, "protocol is missing: use one of PLAINTEXT, SSL", id="empty"),
        pytest.param({"protocol": "TLS"}, "protocol is 'TLS': use one of", id="another protocol"),
        pytest.param(
            {"protocol": "PLAINTEXT", **USER},
            "user is of no use with protocol PLAINTEXT: use SASL_PLAINTEXT, or remove it",
            id="a password that would not be used",
        ),
        pytest.param(
            {"protocol": "SSL", "password": "x", **PAIR},
            "password is of no use with protocol SSL: use SASL_SSL, or remove it",
            id="a password beside a certificate",
        ),
        pytest.param(
            {"protocol": "PLAINTEXT", "ca.crt": CA},
            "ca.crt is of no use with protocol PLAINTEXT: use SSL, or remove it",
            id="an authority without TLS",
        ),
        pytest.param(
            {**SCRAM, "protocol": "SASL_PLAINTEXT", "user.key": KEY},
            "user.key is of no use with protocol SASL_PLAINTEXT: use SASL_SSL, or remove it",
            id="a key without TLS",
        ),
        pytest.param(
            {"protocol": "SASL_SSL", **USER},
            "sasl.mechanism is missing: use one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512",
            id="no mechanism",
        ),
        pytest.param(
            {**SCRAM, "sasl.mechanism": "GSSAPI"},
            "sasl.mechanism is 'GSSAPI': use one of",
            id="another mechanism",
        ),
        pytest.param(
            {k: v for k, v in SCRAM.items() if k != "password"},
            "password is missing: sasl.mechanism SCRAM-SHA-512 needs it",
            id="no password",
        ),
        pytest.param(
            {**TOKEN, "user": "alice"},
            "user is of no use with sasl.mechanism OAUTHBEARER: remove it",
            id="a user beside tokens",
        ),
        pytest.param(
            {**SCRAM, "sasl.oauthbearer.client.id": "x"},
            "sasl.oauthbearer.client.id is of no use with sasl.mechanism SCRAM-SHA-512: remove it",
            id="a client beside a password",
        ),
        pytest.param(
            {k: v for k, v in TOKEN.items() if not k.endswith("url")},
            "sasl.oauthbearer.token.endpoint.url is missing: sasl.mechanism OAUTHBEARER needs it",
            id="no endpoint",
        ),
        pytest.param(
            {**TOKEN, "sasl.oauthbearer.token.endpoint.url": "example.org"},
            "sasl.oauthbearer.token.endpoint.url is 'example.org': give a URL, https://...",
            id="an endpoint that is no URL",
        ),
        pytest.param(
            {**TOKEN, "sasl.oauthbearer.ca.crt": "MIIB"},
            "sasl.oauthbearer.ca.crt is not PEM",
            id="an authority of the endpoint in another form",
        ),
        pytest.param(
            {"protocol": "SSL", "ca.crt": CA},
            "user.crt and user.key are missing: add them, or user.skip: true",
            id="no certificate",
        ),
        pytest.param(
            {"protocol": "SSL", "user.key": KEY},
            "user.key is there alone: give both user.crt and user.key, or none",
            id="a key alone",
        ),
        pytest.param(
            {"protocol": "SSL", **PAIR, "ca.crt": "MIIB"},
            "ca.crt is not PEM",
            id="an authority in another form",
        ),
        pytest.param(
            {"protocol": "SSL", "user.skip": "yes"},
            "user.skip is 'yes': use true or false",
            id="neither true nor false",
        ),
    ],
)
def test_a_secret_that_is_refused(secret: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        security(secret)
    assert str(caught.value).startswith(f"Secret of kafka.secret: {message}")


def test_librdkafka_knows_the_settings(tmp_path: Path) -> None:
    """With a real key and certificate, since it reads them at once."""
    certificate, key = tmp_path / "user.crt", tmp_path / "user.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=alice"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    (tmp_path / "ca.crt").write_text(certificate.read_text())
    for name, text in SCRAM.items():
        (tmp_path / name).write_text(text)
    settings = configuration("127.0.0.1:1", tmp_path)
    assert settings["ssl.key.pem"].startswith("-----BEGIN")
    confluent_kafka.Producer(settings)


def test_a_mounted_secret_is_read_as_one_version(tmp_path: Path) -> None:
    """As the kubelet lays it out: a link to a link to the files."""
    for version in ("1", "2"):
        (tmp_path / f"..{version}").mkdir()
        (tmp_path / f"..{version}" / "user").write_text(version)
        (tmp_path / f"..{version}" / "other").write_text("x")
    link = tmp_path / "..data"
    link.symlink_to("..1")
    (tmp_path / "user").symlink_to("..data/user")
    assert files(tmp_path) == {"user": "1"}
    link.unlink()
    link.symlink_to("..2")
    assert files(tmp_path) == {"user": "2"}


def test_librdkafka_has_the_errors() -> None:
    known = {KafkaError(getattr(KafkaError, name)).name() for name in REASONS}
    assert known == set(REASONS)


def test_any_other_error_is_a_failure() -> None:
    assert reason("INVALID_RECORD") == PUBLISH_FAILED


def test_what_is_logged_over_and_over_is_logged_once_a_minute() -> None:
    seldom = RateLimitedLogFilter()

    def passes(text: str, at: float) -> bool:
        record = logging.makeLogRecord({"msg": text, "created": at})
        return bool(seldom.filter(record))

    assert passes("cut off (after 1ms in state UP)", 100.0)
    assert not passes("cut off (after 2ms in state UP)", 101.0)
    assert passes("refused", 102.0)
    assert not passes("cut off (after 1ms in state UP)", 159.0)
    assert passes("cut off (after 1ms in state UP)", 160.0)
    assert sum(isinstance(one, RateLimitedLogFilter) for one in logger().filters) == 1
    assert sum(isinstance(one, RateLimitedLogFilter) for one in logger().filters) == 1


ALERT = "ssl://kafka:9093: Receive failed: error:0A000412:SSL routines::ssl/tls alert"


def test_a_certificate_that_is_refused_is_told_apart_from_a_broker_that_is_away() -> None:
    message = f"{ALERT} bad certificate: SSL alert number 42 (after 0ms in state APIVERSION_QUERY)"
    found = connection_problem("_TRANSPORT", message, None)
    assert found == ("TLSFailed", f"{ALERT} bad certificate: SSL alert number 42")


DENIED = ConnectionProblem("AuthenticationFailed", "wrong password")
AWAY = ConnectionProblem("BrokerUnavailable", "refused")


@pytest.mark.parametrize(
    ("error", "known", "expected"),
    [
        pytest.param("_AUTHENTICATION", None, ("AuthenticationFailed", "new"), id="the first"),
        pytest.param("_AUTHENTICATION", AWAY, ("AuthenticationFailed", "new"), id="another"),
        pytest.param("_AUTHENTICATION", DENIED, DENIED, id="the same"),
        pytest.param("_TRANSPORT", DENIED, DENIED, id="cut off after that"),
        pytest.param("_SSL", DENIED, ("TLSFailed", "new"), id="then another"),
        pytest.param("_ALL_BROKERS_DOWN", None, ("BrokerUnavailable", "new"), id="all"),
        pytest.param("_ALL_BROKERS_DOWN", DENIED, DENIED, id="all, and why is known"),
        pytest.param("INVALID_RECORD", None, None, id="something else"),
        pytest.param("INVALID_RECORD", DENIED, DENIED, id="something else, besides"),
    ],
)
def test_what_hinders_all_events(
    error: str, known: ConnectionProblem | None, expected: tuple[str, str] | None
) -> None:
    message = "new (after 12ms in state AUTH_REQ, 3 identical error(s) suppressed)"
    assert connection_problem(error, message, known) == expected
