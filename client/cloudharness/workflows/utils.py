"""Functions for code that runs in a task, and the context for pods that share a node."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import override

from cloudharness.workflows.errors import WorkflowException

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


def notify_queue(queue: str, message: Any) -> None:
    """Publish a message to a Kafka topic, and return after the brokers have acknowledged it.

    The environment variable KAFKA_BOOTSTRAP_SERVERS has the addresses of the brokers.

    Args:
        queue: name of the topic.
        message: the message; it is encoded as JSON.

    Raises:
        WorkflowException: KAFKA_BOOTSTRAP_SERVERS is not set, confluent-kafka is not installed, or
            the brokers have not acknowledged the message within 30 s.

    """
    brokers = _variable(BROKERS_VARIABLE_NAME)
    try:
        from confluent_kafka import KafkaException, Producer
    except ImportError as error:
        raise WorkflowException(
            500, "notify_queue needs confluent-kafka: pip install confluent-kafka"
        ) from error
    failures: list[object] = []
    try:
        producer = Producer({"bootstrap.servers": brokers, "acks": "all"})
        producer.produce(
            queue,
            json.dumps(message).encode(),
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
        waiting = producer.flush(_PUBLISH_SECONDS)
    except KafkaException as error:
        raise WorkflowException(503, f"queue {queue!r}: {error}") from error
    if failures or waiting:
        problem = failures[0] if failures else f"not acknowledged within {_PUBLISH_SECONDS:g} s"
        raise WorkflowException(503, f"queue {queue!r}: {problem}")


def get_workflows_service_url() -> str:
    """Return the URL of CloudHarness's workflows service.

    Raises:
        WorkflowException: the environment variable CH_WORKFLOWS_SERVICE_URL is not set.

    """
    return _variable(WORKFLOWS_URL_VARIABLE_NAME).rstrip("/")


def _variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError as error:
        raise WorkflowException(500, f"the environment variable {name} is not set") from error
