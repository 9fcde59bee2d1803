"""What the operator's settings give to operations, and allow them."""

from __future__ import annotations

from dataclasses import dataclass

from cloudharness_operation.policy import ANYTHING, Policy


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the operator's settings give to operations that leave it out."""

    task_image: str
    """Image of `python`, `bash` and `command` tasks. It must have `python3` and `bash`."""
    service_account: str = ""
    """Service account of the tasks' pods. Empty: the namespace's own `default`."""
    topic: str = ""
    """Kafka topic that hears every operation's exit besides its own. Empty: none."""
    has_broker: bool = True
    """Whether there is a Kafka to publish to."""
    image_pull_policy: str = ""
    """When images are pulled. Empty: as in a pod, by the image's tag."""
    image_pull_secrets: tuple[str, ...] = ()
    """Names of Secrets to pull images with."""
    catalogue: str = ""
    """Name of a ConfigMap in the namespace with an image for each name. Empty: none."""
    argo: str = ""
    """Release of the installed Argo, one of `engine.ENGINES`. Empty: any of them."""
    argo_instance: str = ""
    """`instanceID` of the Argo controller that runs the Workflows. Empty: the one without."""
    pending_deadline: int = 600
    """Seconds that a task's pod may wait to start. 0: for ever."""
    give_up: int = 604800
    """Seconds after the end of a run for which its event is tried. 0: for ever."""
    topics: tuple[str, ...] = ()
    """Patterns of the topics that operations may name. Empty: any."""
    policy: Policy = ANYTHING
    """What operations may name and patch."""
    pod_security: str = ""
    """Pod Security Standard that tasks' pods conform to by default: `restricted`. Empty: none."""
