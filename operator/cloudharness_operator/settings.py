"""The operator's settings, which its Helm chart gives as environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.policy import Policy, TemplatePatch
from cloudharness_operation.render.engine_types import ENGINES
from cloudharness_operation.resource import LABEL_VALUE_LENGTH, LABEL_VALUE_PATTERN
from cloudharness_operator.errors import InvalidSettings
from cloudharness_operator.logs import FORMATS

EVERYWHERE: Final = ("",)
ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts a pod's service account (Kubernetes docs, "Access the API")."""

PULL_POLICIES: Final = ("", "Always", "IfNotPresent", "Never")
POD_SECURITY: Final = ("", "restricted")
CONTENT_MODES: Final = ("binary", "structured")
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class Settings:
    """What differs between installations."""

    server: str
    """URL of the API server."""
    account: Path
    """Directory with the service account's `token` and `ca.crt`."""
    namespaces: tuple[str, ...]
    """The namespaces to serve; `("",)` for all."""
    defaults: Defaults
    """Defaults and limits of operations."""
    kafka: str = ""
    """Bootstrap servers, `host:port`, separated by commas. Empty: no events."""
    kafka_secret: Path | None = None
    """Directory with the mounted Secret of the Kafka connection."""
    content_mode: str = CONTENT_MODES[0]
    """How events become records, one of `CONTENT_MODES`."""
    resync: float = 600.0
    """Seconds between two full lists."""
    workers: int = 32
    """Operations that are reconciled at the same time."""
    deletions: float = 200.0
    """Maximum deletions per second of expired Workflows and operations."""
    port: int = 8080
    """Port of /healthz, /readyz and /metrics."""
    log_level: str = "INFO"
    log_format: str = "text"
    """One of `logs.FORMATS`."""
    lease: str = ""
    """Name of the Lease of the leader. Empty: each replica acts, which does no harm."""
    namespace: str = ""
    """The operator's own namespace, which has the Lease."""
    identity: str = ""
    """The holder identity of this pod, unique over time."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read the settings.

        Raises:
            InvalidSettings: a variable is missing or wrong; the message names it and the fix.

        """
        kafka = env.get("KAFKA_BOOTSTRAP_SERVERS", "").strip()
        topic = env.get("EVENTS_TOPIC", "").strip()
        if topic and not kafka:
            raise InvalidSettings("EVENTS_TOPIC needs KAFKA_BOOTSTRAP_SERVERS: set both or none")
        level = env.get("LOG_LEVEL", "INFO").upper()
        if level not in LOG_LEVELS:
            raise InvalidSettings(f"LOG_LEVEL is {level!r}: use one of {', '.join(LOG_LEVELS)}")
        lease = env.get("LEASE_NAME", "").strip()
        return cls(
            server=_server(env),
            account=Path(env.get("SERVICE_ACCOUNT_DIR", str(ACCOUNT))),
            namespaces=_namespaces(env),
            defaults=Defaults(
                task_image=_required(env, "TASK_IMAGE", "the image of python and bash tasks"),
                service_account=env.get("TASK_SERVICE_ACCOUNT", ""),
                topic=topic,
                topics=_names(env.get("ALLOWED_TOPICS", "")),
                has_broker=bool(kafka),
                image_pull_policy=_one_of(env, "TASK_IMAGE_PULL_POLICY", PULL_POLICIES),
                image_pull_secrets=_names(env.get("TASK_IMAGE_PULL_SECRETS", "")),
                catalogue=env.get("IMAGE_CATALOGUE", "").strip(),
                pod_security=_one_of(env, "TASK_POD_SECURITY", POD_SECURITY),
                argo=_one_of(env, "ARGO_VERSION", ("", *ENGINES)),
                argo_instance=_label_value(env, "ARGO_INSTANCE_ID"),
                give_up=int(_number(env, "EVENTS_GIVE_UP_SECONDS", "604800", 0, 1e9)),
                policy=_policy(env),
                pending_deadline=int(_number(env, "PENDING_DEADLINE_SECONDS", "600", 0, 31536000)),
            ),
            kafka=kafka,
            kafka_secret=_secret(env, kafka),
            content_mode=_one_of(env, "EVENTS_CONTENT_MODE", CONTENT_MODES),
            resync=_number(env, "RESYNC_SECONDS", "600", 10.0),
            workers=int(_number(env, "WORKERS", "32", 1)),
            deletions=_number(env, "DELETIONS_PER_SECOND", "200", 0.1, 1000.0),
            port=int(_number(env, "HTTP_PORT", "8080", 1, 65535)),
            log_level=level,
            log_format=_one_of(env, "LOG_FORMAT", FORMATS),
            lease=lease,
            namespace=_required(env, "POD_NAMESPACE", "where the Lease is") if lease else "",
            identity=_identity(env) if lease else "",
        )


def _policy(env: Mapping[str, str]) -> Policy:
    patch = _one_of(env, "TEMPLATE_PATCH", (TemplatePatch.RESTRICTED, *TemplatePatch))
    return Policy(
        template_patch=TemplatePatch(patch),
        accounts=_names(env.get("ALLOWED_SERVICE_ACCOUNTS", "")),
        images=_names(env.get("ALLOWED_IMAGES", "")),
        namespace=env.get("POD_NAMESPACE", "").strip(),
        own_accounts=_names(env.get("OWN_SERVICE_ACCOUNTS", "")),
        own_secrets=_names(env.get("OWN_SECRETS", "")),
    )


def _server(env: Mapping[str, str]) -> str:
    host = _required(env, "KUBERNETES_SERVICE_HOST", "set by the kubelet: run this in a pod")
    port = env.get("KUBERNETES_SERVICE_PORT", "443")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _identity(env: Mapping[str, str]) -> str:
    # A restarted container may continue with its pod's Lease: the one before it has ended.
    why = "give it by the downward API, for the Lease"
    return f"{_required(env, 'POD_NAME', why)}_{_required(env, 'POD_UID', why)}"


def _namespaces(env: Mapping[str, str]) -> tuple[str, ...]:
    text = _required(env, "WATCH_NAMESPACES", "namespaces with commas between, or * for all")
    names = _names(text)
    if not names:
        raise InvalidSettings(f"WATCH_NAMESPACES is {text!r}: name at least one, or * for all")
    if "*" not in names:
        return names
    if len(names) > 1:
        raise InvalidSettings(f"WATCH_NAMESPACES is {text!r}: * stands alone")
    return EVERYWHERE


def _secret(env: Mapping[str, str], kafka: str) -> Path | None:
    directory = env.get("KAFKA_SECRET_DIR", "").strip()
    if directory and not kafka:
        raise InvalidSettings("KAFKA_SECRET_DIR needs KAFKA_BOOTSTRAP_SERVERS: set both or none")
    return Path(directory) if directory else None


def _names(text: str) -> tuple[str, ...]:
    """Read names that are separated by commas."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _one_of(env: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = env.get(name, choices[0])
    if value not in choices:
        wanted = ", ".join(choice for choice in choices if choice)
        raise InvalidSettings(f"{name} is {value!r}: use one of {wanted}")
    return value


def _label_value(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if len(value) > LABEL_VALUE_LENGTH or not re.fullmatch(LABEL_VALUE_PATTERN, value):
        raise InvalidSettings(
            f"{name} is {value!r}: use the value of a label, {LABEL_VALUE_LENGTH} characters at "
            "most of A-Z, a-z, 0-9, '-', '_' and '.', the first and the last alphanumeric"
        )
    return value


def _required(env: Mapping[str, str], name: str, what: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise InvalidSettings(f"{name} is not set: {what}")
    return value


def _number(
    env: Mapping[str, str], name: str, default: str, least: float, most: float = 1e6
) -> float:
    text = env.get(name, default)
    try:
        value = float(text)
    except ValueError:
        raise InvalidSettings(f"{name} is {text!r}: give a number") from None
    if not least <= value <= most:
        raise InvalidSettings(f"{name} is {text!r}: give a number from {least:g} to {most:g}")
    return value
