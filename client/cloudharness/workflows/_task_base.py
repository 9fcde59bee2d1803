"""The base class of all tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from cloudharness.workflows._lazy_import import lazy_module
from cloudharness.workflows._task_options import OutputReference, Overrides, Retry
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
