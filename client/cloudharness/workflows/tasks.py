"""Tasks: the parts of an operation. Each runs in one container.

Names and parameters are CloudHarness's, in the same order. Arguments are validated in the
constructor: a wrong argument raises `BadOperationConfiguration`, which names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from cloudharness.workflows import _shipping
from cloudharness.workflows._defaults import DEFAULT_RETRY_LIMIT
from cloudharness.workflows._lazy_import import lazy_module
from cloudharness.workflows._task_base import Task
from cloudharness.workflows._task_options import (
    Backoff,
    OutputReference,
    Overrides,
    Retry,
    V1alpha1Template,
)
from cloudharness.workflows.errors import BadOperationConfiguration

if TYPE_CHECKING:
    from cloudharness.workflows import _task_spec
else:
    _task_spec = lazy_module("_task_spec")


class InlinedTask(Task):
    """A script that runs in the operator's default task image.

    In a CloudHarness deployment it runs in the image `cloudharness-base`, if there is one.

    Args:
        name: see `Task`.
        source: the script.
        settings: see `Task`. Any other keyword argument becomes an environment variable.

    """

    def __init__(self, name: str, source: str, **settings: Any) -> None:
        self.source = source
        super().__init__(name, **settings)

    @property
    def image_name(self) -> str:
        """The container image. A subclass can override it. Empty: the default."""
        return ""

    @override
    def _overrides(self) -> dict[str, Any]:
        return _task_spec.with_image(self.template_overrides, self._kind(), self.image_name)


class PythonTask(InlinedTask):
    """A Python function that runs in the operator's default task image.

    The return value of the function must be JSON; it is the result of the task. The source code of
    the function is sent to the task, together with the imports, functions, classes and constants of
    its module that it uses. Variables of an enclosing function, and objects that exist only in this
    process, such as open files, cannot be sent.

    Args:
        name: see `Task`.
        func: the function.
        settings: see `Task`. A keyword argument that is a parameter of the function is passed to
            the function, and must be JSON; any other becomes an environment variable.

    Raises:
        CannotBeShipped: the function cannot run in a task; the message gives the reason.
        BadOperationConfiguration: an argument is wrong; the message names it.

    """

    def __init__(self, name: str, func: Callable[..., Any], **settings: Any) -> None:
        own = {"resources", "volume_mounts", "retry_limit", "template_overrides"}
        parameters = _shipping.parameters(func) - own
        arguments = {key: value for key, value in settings.items() if key in parameters}
        self.func = func
        self._shipment = _shipping.ship(func, arguments)
        rest = {key: value for key, value in settings.items() if key not in parameters}
        super().__init__(name, self._shipment.source, **rest)

    @override
    def _kind(self) -> dict[str, Any]:
        code: dict[str, Any] = {"source": self.source, "function": self._shipment.function}
        if self._shipment.args:
            code["args"] = dict(self._shipment.args)
        return {"python": code}


class BashTask(InlinedTask):
    """A bash script that runs in the operator's default task image."""

    @override
    def _kind(self) -> dict[str, Any]:
        return {"bash": {"source": self.source}}


class ContainerizedTask(Task):
    """The base class of CustomTask and CommandBasedTask.

    Args:
        name: see `Task`.
        resources: see `Task`.
        image_pull_policy: `Always`, `IfNotPresent` or `Never`.
        command: replaces the image's entrypoint: a list, or a str that is split as a shell splits
            it.
        retry_limit: see `Task`.
        template_overrides: see `Task`.
        env_args: other arguments of `Task`. Any other keyword argument becomes an environment
            variable.

    """

    def __init__(
        self,
        name: str,
        resources: Mapping[str, Any] | None = None,
        image_pull_policy: str = "IfNotPresent",
        command: str | Sequence[str] | None = None,
        retry_limit: int = DEFAULT_RETRY_LIMIT,
        template_overrides: Mapping[str, Any] | Overrides | None = None,
        **env_args: Any,
    ) -> None:
        self.image_pull_policy = image_pull_policy
        self.command = _task_spec.command(command, name)
        super().__init__(
            name,
            resources,
            retry_limit=retry_limit,
            template_overrides=template_overrides,
            **env_args,
        )

    @property
    def image_name(self) -> str:
        """The container image."""
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
    """A task that runs in any container image.

    Args:
        name: see `Task`.
        image_name: an image reference as in a pod, or a name in the operator's image catalogue,
            such as `myapp-mytask`.
        resources: see `Task`.
        image_pull_policy: see `ContainerizedTask`.
        command: see `ContainerizedTask`.
        env_args: other arguments of `ContainerizedTask`. Any other keyword argument becomes an
            environment variable.

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
    """A command that runs in the operator's default task image.

    Args:
        name: see `Task`.
        command: the program and its arguments; no shell runs it.
        resources: see `Task`.
        image_pull_policy: see `ContainerizedTask`.
        env_args: other arguments of `ContainerizedTask`. Any other keyword argument becomes an
            environment variable.

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

    @property
    @override
    def image_name(self) -> str:
        """The container image. A subclass can override it. Empty: the default."""
        return ""

    @override
    def _kind(self) -> dict[str, Any]:
        return {"command": {"command": self.command}}

    @override
    def _overrides(self) -> dict[str, Any]:
        patch = _task_spec.with_image(self.template_overrides, self._kind(), self.image_name)
        if self.image_pull_policy == "IfNotPresent":
            return patch
        own = patch.get("container") or {}
        policy = {"imagePullPolicy": self.image_pull_policy}
        return {**patch, "container": {**policy, **own}}


class SendResultTask(PythonTask):
    """A task whose result is a dict of the files in the shared directory: text by relative path."""

    def __init__(self) -> None:
        super().__init__("send-result-event", _files)


def _files() -> dict[str, str]:
    """Return the text of all files in the shared directory, by relative path."""
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
