"""What code in a task asks of where it is, and how pods are told to share a node."""

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

_SECONDS_TO_SEND: Final = 30.0


@dataclass(frozen=True, init=False)
class PodExecutionContext:
    """A label that pods share in order to run on one node, also with those of other operations.

    Args:
        key: key of the label.
        value: its value.
        required: rather wait than run on another node.

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
    """Return the name of the Workflow that this task is of.

    Raises:
        WorkflowException: this is no task.

    """
    return _variable(WORKFLOW_NAME_VARIABLE_NAME)


def get_shared_directory() -> str | None:
    """Return the path of the shared directory, the first if there are several; None without."""
    return os.environ.get(SHARED_DIRECTORY_VARIABLE_NAME)


def notify_queue(queue: str, message: Any) -> None:
    """Send a message, as JSON, to a Kafka topic, and return when a broker has it.

    The brokers are those that the variable KAFKA_BOOTSTRAP_SERVERS names.

    Raises:
        WorkflowException: no brokers are named, confluent-kafka is not there, or the brokers do
            not take the message.

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
        waiting = producer.flush(_SECONDS_TO_SEND)
    except KafkaException as error:
        raise WorkflowException(503, f"queue {queue!r}: {error}") from error
    if failures or waiting:
        problem = failures[0] if failures else f"no answer within {_SECONDS_TO_SEND:g} s"
        raise WorkflowException(503, f"queue {queue!r}: {problem}")


def get_workflows_service_url() -> str:
    """Return where CloudHarness's workflows service answers.

    Raises:
        WorkflowException: nobody has said.

    """
    return _variable(WORKFLOWS_URL_VARIABLE_NAME).rstrip("/")


def _variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError as error:
        raise WorkflowException(500, f"the environment variable {name} is not set") from error
