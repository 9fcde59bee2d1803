"""Tasks: one container execution each, to be put into an operation.

Names, parameters and their order are CloudHarness's. What a task is told is checked when it is
made: a wrong argument raises `BadOperationConfiguration`, which names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from cloudharness.workflows import shipping
from cloudharness.workflows.errors import BadOperationConfiguration
from cloudharness.workflows.lazily import lazily
from cloudharness.workflows.templates import Overrides, V1alpha1Template

if TYPE_CHECKING:
    from cloudharness.workflows import building, overriding
    from cloudharness_operation.tasks import Task as TaskSpec
else:
    building, overriding = map(lazily, ("building", "overriding"))

RETRY_LIMIT: Final = 10
"""How often a task in an image of its own is tried again, if nothing is said: CloudHarness's."""


class Task:
    """What all tasks have.

    Args:
        name: name of the task, unique in its operation. Capitals become small, spaces dashes.
        resources: `requests` and `limits` of its container, as in a pod.
        volume_mounts: volumes of this task alone, each as `[CLAIM:]PATH[:MODE]`.
        retry_limit: how often it is tried again when it fails.
        template_overrides: changes to its Argo template, in place of what is there.
        env_args: environment variables, by name. None is no variable; numbers and booleans become
            text, dicts and lists JSON.

    Raises:
        BadOperationConfiguration: an argument is wrong.

    """

    def __init__(
        self,
        name: str,
        resources: Mapping[str, Any] | None = None,
        volume_mounts: Iterable[str] | None = None,
        retry_limit: int = 0,
        template_overrides: Mapping[str, Any] | Overrides | None = None,
        **env_args: Any,
    ) -> None:
        self.name = building.task_name(name)
        self.resources = dict(resources or {})
        self.volume_mounts = tuple(building.texts(volume_mounts or (), "volume_mounts"))
        self.retry_limit = retry_limit
        self.template_overrides = overriding.patch(template_overrides, self.name)
        self._env = dict(env_args)
        self.spec()  # So that what is wrong is told where it is written.

    def _kind(self) -> dict[str, Any]:
        """Return the field of the spec that says what runs."""
        raise BadOperationConfiguration(
            f"{type(self).__name__} says only what its kinds have in common: use PythonTask, "
            "BashTask, CommandBasedTask or CustomTask"
        )

    def _overrides(self) -> dict[str, Any]:
        return self.template_overrides

    @property
    def envs(self) -> dict[str, Any]:
        """The environment variables, as they were given."""
        return dict(self._env)

    def spec(self, volume_size: str | None = None) -> TaskSpec:
        """Return the task as a piece of a `CloudHarnessOperation`.

        Args:
            volume_size: size of volumes that are made for it.

        """
        return building.task(
            self.name,
            self._kind(),
            resources=self.resources,
            volumes=building.volumes(
                self.volume_mounts, volume_size, f"task {self.name!r}: volume_mounts"
            ),
            retry_limit=self.retry_limit,
            overrides=self._overrides(),
            env=self._env,
        )

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


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
    "BadOperationConfiguration",
    "BashTask",
    "CommandBasedTask",
    "ContainerizedTask",
    "CustomTask",
    "InlinedTask",
    "PythonTask",
    "SendResultTask",
    "Task",
    "V1alpha1Template",
]
