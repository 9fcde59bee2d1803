"""Tasks: one container execution each, to be put into an operation.

Names, parameters and their order are CloudHarness's. What a task is told is checked when it is
made: a wrong argument raises `BadOperationConfiguration`, which names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from cloudharness.workflows import shipping
from cloudharness.workflows.errors import BadOperationConfiguration
from cloudharness.workflows.lazily import lazily
from cloudharness.workflows.passing import OutputReference
from cloudharness.workflows.retrying import Backoff, Retry
from cloudharness.workflows.task import Task
from cloudharness.workflows.templates import Overrides, V1alpha1Template

if TYPE_CHECKING:
    from cloudharness.workflows import building
else:
    building = lazily("building")

RETRY_LIMIT: Final = 10
"""How often a task in an image of its own is tried again, if nothing is said: CloudHarness's."""


class InlinedTask(Task):
    """A script in the default task image.

    Args:
        name: see `Task`.
        source: the script.
        settings: see `Task`; whatever else is an environment variable.

    """

    def __init__(self, name: str, source: str, **settings: Any) -> None:
        self.source = source
        super().__init__(name, **settings)


class PythonTask(InlinedTask):
    """A Python function, run in the default task image.

    Its return value, which must be JSON, is the result of the task. It is shipped with what it
    uses of its module: see `cloudharness.workflows.shipping`.

    Args:
        name: see `Task`.
        func: the function.
        settings: those of `Task`. What the function has a parameter for is its argument, and must
            be JSON; whatever else is an environment variable.

    Raises:
        CannotBeShipped: the function cannot run elsewhere; the message says why.
        BadOperationConfiguration: an argument is wrong.

    """

    def __init__(self, name: str, func: Callable[..., Any], **settings: Any) -> None:
        own = {"resources", "volume_mounts", "retry_limit", "template_overrides"}
        wanted = shipping.parameters(func) - own
        given = {key: value for key, value in settings.items() if key in wanted}
        self.func = func
        self._shipment = shipping.ship(func, given)
        rest = {key: value for key, value in settings.items() if key not in wanted}
        super().__init__(name, self._shipment.source, **rest)

    @override
    def _kind(self) -> dict[str, Any]:
        code: dict[str, Any] = {"source": self.source, "function": self._shipment.function}
        if self._shipment.args:
            code["args"] = dict(self._shipment.args)
        return {"python": code}


class BashTask(InlinedTask):
    """A bash script, run in the default task image."""

    @override
    def _kind(self) -> dict[str, Any]:
        return {"bash": {"source": self.source}}


class ContainerizedTask(Task):
    """A container of an image: what CustomTask and CommandBasedTask have in common.

    Args:
        name: see `Task`.
        resources: see `Task`.
        image_pull_policy: `Always`, `IfNotPresent` or `Never`.
        command: what is run in place of the image's own program: a list, or one word.
        retry_limit: see `Task`.
        template_overrides: see `Task`.
        env_args: `volume_mounts`, see `Task`; all others are environment variables.

    """

    def __init__(
        self,
        name: str,
        resources: Mapping[str, Any] | None = None,
        image_pull_policy: str = "IfNotPresent",
        command: str | Sequence[str] | None = None,
        retry_limit: int = RETRY_LIMIT,
        template_overrides: Mapping[str, Any] | Overrides | None = None,
        **env_args: Any,
    ) -> None:
        self.image_pull_policy = image_pull_policy
        self.command = building.command(command, name)
        super().__init__(
            name,
            resources,
            retry_limit=retry_limit,
            template_overrides=template_overrides,
            **env_args,
        )

    @property
    def image_name(self) -> str:
        """The image that it runs in."""
        raise BadOperationConfiguration(
            f"{type(self).__name__} has no image_name: use CustomTask, or define the property"
        )

    @override
    def _kind(self) -> dict[str, Any]:
        container: dict[str, Any] = {
            "image": self.image_name,
            "imagePullPolicy": self.image_pull_policy,
        }
        if self.command:
            container["command"] = self.command
        return {"custom": container}


class CustomTask(ContainerizedTask):
    """A container of any image.

    Args:
        name: see `Task`.
        image_name: an image as in a pod, or a name of the operator's catalogue: `myapp-mytask`.
        resources: see `Task`.
        image_pull_policy: see `ContainerizedTask`.
        command: see `ContainerizedTask`.
        env_args: further settings of `ContainerizedTask`; all others are environment variables.

    """

    def __init__(
        self,
        name: str,
        image_name: str,
        resources: Mapping[str, Any] | None = None,
        image_pull_policy: str = "IfNotPresent",
        command: str | Sequence[str] | None = None,
        **env_args: Any,
    ) -> None:
        self._image_name = image_name
        super().__init__(name, resources, image_pull_policy, command, **env_args)

    @property
    @override
    def image_name(self) -> str:
        return self._image_name


class CommandBasedTask(ContainerizedTask):
    """A command in the default task image.

    Args:
        name: see `Task`.
        command: the program and its arguments; not run in a shell.
        resources: see `Task`.
        image_pull_policy: see `ContainerizedTask`.
        env_args: further settings of `ContainerizedTask`; all others are environment variables.

    """

    def __init__(
        self,
        name: str,
        command: str | Sequence[str],
        resources: Mapping[str, Any] | None = None,
        image_pull_policy: str = "IfNotPresent",
        **env_args: Any,
    ) -> None:
        super().__init__(name, resources, image_pull_policy, command, **env_args)

    @override
    def _kind(self) -> dict[str, Any]:
        return {"command": {"command": self.command}}

    @override
    def _overrides(self) -> dict[str, Any]:
        if self.image_pull_policy == "IfNotPresent":
            return self.template_overrides
        own = self.template_overrides.get("container") or {}
        policy = {"imagePullPolicy": self.image_pull_policy}
        return {**self.template_overrides, "container": {**policy, **own}}


class SendResultTask(PythonTask):
    """Makes the files of the shared directory the result: of each its text, by its path there."""

    def __init__(self) -> None:
        super().__init__("send-result-event", _files)


def _files() -> dict[str, str]:
    """Return the text of all files of the shared directory."""
    import os
    import pathlib

    top = pathlib.Path(os.environ["shared_directory"])  # noqa: SIM112 - its name.
    files = sorted(path for path in top.rglob("*") if path.is_file())
    return {str(path.relative_to(top)): path.read_text(errors="replace") for path in files}


__all__ = [
    "Backoff",
    "BadOperationConfiguration",
    "BashTask",
    "CommandBasedTask",
    "ContainerizedTask",
    "CustomTask",
    "InlinedTask",
    "OutputReference",
    "PythonTask",
    "Retry",
    "SendResultTask",
    "Task",
    "V1alpha1Template",
]
