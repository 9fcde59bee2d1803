"""Tasks: the parts of an operation. Each runs in one container.

Names and parameters are CloudHarness's, in the same order. Arguments are validated in the
constructor: a wrong argument raises `BadOperationConfiguration`, which names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from cloudharness.workflows import _shipping
from cloudharness.workflows._defaults import DEFAULT_RETRY_LIMIT
from cloudharness.workflows._lazy_import import lazy_module
from cloudharness.workflows._task_options import (
    Backoff,
    OutputReference,
    Overrides,
    Retry,
    V1alpha1Template,
)
from cloudharness.workflows._unused_methods import check_methods
from cloudharness.workflows.errors import BadOperationConfiguration

if TYPE_CHECKING:
    from cloudharness.workflows import (
        _deployed,
        _deployment,
        _layout,
        _operation_spec,
        _task_spec,
        _template_overrides,
    )
    from cloudharness_operation.tasks import Task as TaskSpec
else:
    _deployed, _deployment = map(lazy_module, ("_deployed", "_deployment"))
    _layout, _operation_spec = map(lazy_module, ("_layout", "_operation_spec"))
    _task_spec, _template_overrides = map(lazy_module, ("_task_spec", "_template_overrides"))


class Task:
    """The base class of all tasks.

    Args:
        name: name of the task, unique within its operation. It is converted to lower case, with
            dashes for spaces.
        resources: `requests` and `limits` of the container, as in a pod.
        volume_mounts: volumes of this task only, each in the form `[CLAIM:]PATH[:MODE]`.
        retry_limit: maximum number of retries after a failure.
        template_overrides: fields of the Argo template, which replace the generated ones.
        retry: which failures are retried and with which delays; replaces `retry_limit`.
        outputs: paths of text files that the task writes, by output name. Their content is kept.
        stdout: whether the standard output is kept, as the output `stdout`.
        env_args: environment variables. A variable that is None is not set; numbers and booleans
            become text, dicts and lists become JSON. An `output` of an earlier task becomes its
            text.

    Raises:
        BadOperationConfiguration: an argument is wrong; the message names it.

    """

    def __init__(
        self,
        name: str,
        resources: Mapping[str, Any] | None = None,
        volume_mounts: Iterable[str] | None = None,
        retry_limit: int = 0,
        template_overrides: Mapping[str, Any] | Overrides | None = None,
        retry: Retry | None = None,
        outputs: Mapping[str, str] | None = None,
        stdout: bool = False,  # noqa: FBT001, FBT002 - follows CloudHarness's parameters.
        **env_args: Any,
    ) -> None:
        self.name = _task_spec.task_name(name)
        self.resources = dict(resources or {})
        self.volume_mounts = tuple(_task_spec.texts(volume_mounts or (), "volume_mounts"))
        self.retry_limit = retry_limit
        self.template_overrides = _template_overrides.template_patch(template_overrides, self.name)
        self.retry = _task_spec.retry(retry, retry_limit, self.name)
        self.outputs = _task_spec.outputs(outputs, self.name)
        self.stdout = _task_spec.flag(stdout, f"task {self.name!r}: stdout")
        self._env = dict(env_args)
        self.to_spec()  # Validates the arguments.

    @override
    def __init_subclass__(cls, **keywords: Any) -> None:
        """Refuse methods of CloudHarness's classes that would not be called."""
        super().__init_subclass__(**keywords)
        check_methods(cls)

    def _kind(self) -> dict[str, Any]:
        """Return the field of the spec that defines the command."""
        raise BadOperationConfiguration(
            f"{type(self).__name__} is a base class, which cannot run: use PythonTask, BashTask, "
            "CommandBasedTask or CustomTask"
        )

    def _overrides(self) -> dict[str, Any]:
        return self.template_overrides

    @property
    def envs(self) -> dict[str, Any]:
        """The environment variables, as passed to the constructor."""
        return dict(self._env)

    def output(self, name: str = "result") -> OutputReference:
        """Return a reference to an output, for an environment variable of a later task.

        Args:
            name: a name in `outputs`; `stdout`; or `result`, the return value of the Python
                function as JSON.

        """
        return OutputReference(self.name, name)

    def add_env(self, name: str, value: Any) -> None:
        """Set an environment variable, with a value as in `env_args`.

        Raises:
            BadOperationConfiguration: name or value is wrong; the message names it.

        """
        before = self._env
        self._env = {**before, name: value}
        try:
            self.to_spec()
        except BadOperationConfiguration:
            self._env = before
            raise

    def instance(self) -> dict[str, str]:
        """Return the step of an Argo Workflow that runs the task."""
        return {"name": self.name, "template": self.name}

    def spec(self) -> dict[str, Any]:
        """Return the Argo template of the task, alone in an operation.

        A subclass can override it, call this method, and change what it returns. `name` cannot be
        changed, nor mounts and variables be removed.
        """
        deployment = _deployment.here()
        plain = _operation_spec.manifest(
            self.name, _operation_spec.spec("SingleTask", [self.to_spec()])
        )
        mounts = {self.name: self.cloudharness_configmap_spec()}
        manifest = _deployed.with_deployment(plain, deployment, mounts)
        (template,) = _layout.workflow(manifest, deployment)["spec"]["templates"]
        made: dict[str, Any] = _layout.with_fields(template)
        return made

    def cloudharness_configmap_spec(self) -> list[dict[str, Any]]:
        """Return the mounts of the files that CloudHarness's library reads: volumeMounts of a pod.

        A subclass can override it, to mount fewer of the deployment's files or at other paths.
        Outside of a CloudHarness deployment there are none.
        """
        found: list[dict[str, Any]] = _deployed.configuration_mounts(_deployment.here())
        return found

    def to_spec(self, volume_size: str | None = None) -> TaskSpec:
        """Return the task in the form of the `CloudHarnessOperation`.

        Args:
            volume_size: size of volumes that are created for it, as a Kubernetes quantity.

        Raises:
            BadOperationConfiguration: an argument is wrong; the message names it.

        """
        return _task_spec.task(
            self.name,
            self._kind(),
            resources=self.resources,
            volumes=_task_spec.volumes(
                self.volume_mounts, volume_size, f"task {self.name!r}: volume_mounts"
            ),
            retry=self.retry,
            overrides=self._overrides(),
            env=self._env,
            outputs=self.outputs,
            stdout=self.stdout,
        )

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


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
