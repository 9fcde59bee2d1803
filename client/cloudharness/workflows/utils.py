"""Functions for code that runs in a task, and the context for pods that share a node."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from cloudharness.workflows._lazy_import import lazy_module
from cloudharness.workflows.errors import WorkflowException

if TYPE_CHECKING:
    from cloudharness.workflows import _deployment
else:
    _deployment = lazy_module("_deployment")

WORKFLOW_NAME_VARIABLE_NAME: Final = "CH_WORKFLOW_NAME"
SHARED_DIRECTORY_VARIABLE_NAME: Final = "shared_directory"
BROKERS_VARIABLE_NAME: Final = "KAFKA_BOOTSTRAP_SERVERS"
WORKFLOWS_URL_VARIABLE_NAME: Final = "CH_WORKFLOWS_SERVICE_URL"

_PUBLISH_SECONDS: Final = 30.0


@dataclass(frozen=True, init=False)
class PodExecutionContext:
    """A pod label. All pods with this label run on one node, also those of other operations.

    Args:
        key: key of the label.
        value: value of the label.
        required: whether a pod stays pending if the node has no room for it. False: the pod runs on
            another node.

    """

    key: str
    value: str
    required: bool

    def __init__(self, key: object, value: object, required: bool = False) -> None:  # noqa: FBT001, FBT002 - CloudHarness's own.
        object.__setattr__(self, "key", str(key))
        object.__setattr__(self, "value", str(value))
        object.__setattr__(self, "required", bool(required))

    @override
    def __str__(self) -> str:
        return f"{self.key}={self.value}"


def get_workflow_name() -> str:
    """Return the name of the Workflow that this task belongs to.

    Raises:
        WorkflowException: this process is not a task.

    """
    return _variable(WORKFLOW_NAME_VARIABLE_NAME)


def get_shared_directory() -> str | None:
    """Return the path of the first shared directory, or None if there is none."""
    return os.environ.get(SHARED_DIRECTORY_VARIABLE_NAME)


def volume_requires_affinity(v: str) -> bool:
    """Return whether pods that mount a volume `[CLAIM:]PATH[:MODE]` must run on one node."""
    return ":" in v and not v.endswith(":rwx")


def is_accounts_present() -> bool:
    """Return whether this process belongs to a CloudHarness deployment with user accounts."""
    found: bool = _deployment.here().has_accounts
    return found


def notify_queue(queue: str, message: Any) -> None:
    """Publish a message to a Kafka topic, and return after the brokers have acknowledged it.

    The environment variable KAFKA_BOOTSTRAP_SERVERS has the addresses of the brokers. Without it,
    the brokers are those of the CloudHarness deployment that this process belongs to.

    Args:
        queue: name of the topic.
        message: the message; it is encoded as JSON.

    Raises:
        WorkflowException: there are no brokers, neither confluent-kafka nor kafka-python is
            installed, or the brokers have not acknowledged the message within 30 s.

    """
    brokers = os.environ.get(BROKERS_VARIABLE_NAME) or _deployment.here().brokers
    if not brokers:
        raise WorkflowException(
            500,
            f"the environment variable {BROKERS_VARIABLE_NAME} is not set, and there is no "
            "CloudHarness deployment with the application events",
        )
    value = json.dumps(message).encode()
    if importlib.util.find_spec("confluent_kafka"):
        _publish(brokers, queue, value)
    elif importlib.util.find_spec("kafka"):
        _publish_by_kafka_python(brokers, queue, value)
    else:
        raise WorkflowException(
            500, "notify_queue needs confluent-kafka: pip install confluent-kafka"
        )


def _publish(brokers: str, queue: str, value: bytes) -> None:
    from confluent_kafka import KafkaException, Producer

    failures: list[object] = []
    try:
        producer = Producer({"bootstrap.servers": brokers, "acks": "all"})
        producer.produce(
            queue,
            value,
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
        waiting = producer.flush(_PUBLISH_SECONDS)
    except KafkaException as error:
        raise WorkflowException(503, f"queue {queue!r}: {error}") from error
    if failures or waiting:
        problem = failures[0] if failures else f"not acknowledged within {_PUBLISH_SECONDS:g} s"
        raise WorkflowException(503, f"queue {queue!r}: {problem}")


def _publish_by_kafka_python(brokers: str, queue: str, value: bytes) -> None:
    """Publish with the library that CloudHarness's base image has."""
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

    milliseconds = int(_PUBLISH_SECONDS * 1000)
    try:
        producer = KafkaProducer(
            bootstrap_servers=brokers.split(","), acks="all", max_block_ms=milliseconds
        )
        try:
            producer.send(queue, value).get(_PUBLISH_SECONDS)
        finally:
            producer.close(timeout=1)
    except KafkaError as error:
        raise WorkflowException(503, f"queue {queue!r}: {error}") from error


def get_workflows_service_url() -> str:
    """Return the URL of CloudHarness's workflows service.

    It is the environment variable CH_WORKFLOWS_SERVICE_URL, or else the public address of the
    application `workflows` of the CloudHarness deployment.

    Raises:
        WorkflowException: there is neither.

    """
    found: str = os.environ.get(WORKFLOWS_URL_VARIABLE_NAME) or _deployment.here().workflows_url
    if not found:
        raise WorkflowException(
            500,
            f"the environment variable {WORKFLOWS_URL_VARIABLE_NAME} is not set, and there is no "
            "CloudHarness deployment with the application workflows",
        )
    return found.rstrip("/")


def _variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError as error:
        raise WorkflowException(500, f"the environment variable {name} is not set") from error
