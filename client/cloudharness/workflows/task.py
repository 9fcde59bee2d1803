"""What all tasks have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from cloudharness.workflows.errors import BadOperationConfiguration
from cloudharness.workflows.lazily import lazily
from cloudharness.workflows.passing import OutputReference
from cloudharness.workflows.retrying import Retry
from cloudharness.workflows.templates import Overrides

if TYPE_CHECKING:
    from cloudharness.workflows import building, overriding
    from cloudharness_operation.tasks import Task as TaskSpec
else:
    building, overriding = map(lazily, ("building", "overriding"))


class Task:
    """What all tasks have.

    Args:
        name: name of the task, unique in its operation. Capitals become small, spaces dashes.
        resources: `requests` and `limits` of its container, as in a pod.
        volume_mounts: volumes of this task alone, each as `[CLAIM:]PATH[:MODE]`.
        retry_limit: how often it is tried again when it fails.
        template_overrides: changes to its Argo template, in place of what is there.
        retry: what happens when it fails, in place of `retry_limit`: which failures, which waits.
        outputs: files that it writes, whose text is kept: the path of each, by the output's name.
        stdout: keep what it prints too, as the output `stdout`.
        env_args: environment variables, by name. None is no variable; numbers and booleans become
            text, dicts and lists JSON. The `output` of an earlier task is its text.

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
        retry: Retry | None = None,
        outputs: Mapping[str, str] | None = None,
        stdout: bool = False,  # noqa: FBT001, FBT002 - behind CloudHarness's own, as they are.
        **env_args: Any,
    ) -> None:
        self.name = building.task_name(name)
        self.resources = dict(resources or {})
        self.volume_mounts = tuple(building.texts(volume_mounts or (), "volume_mounts"))
        self.retry_limit = retry_limit
        self.template_overrides = overriding.patch(template_overrides, self.name)
        self.retry = building.retry(retry, retry_limit, self.name)
        self.outputs = building.outputs(outputs, self.name)
        self.stdout = building.flag(stdout, f"task {self.name!r}: stdout")
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

    def output(self, name: str = "result") -> OutputReference:
        """Return what stands for an output of it, to be given to a later task as a variable.

        Args:
            name: one of its `outputs`, `stdout`, or `result`: what its Python function returned,
                as JSON.

        """
        return OutputReference(self.name, name)

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
            retry=self.retry,
            overrides=self._overrides(),
            env=self._env,
            outputs=self.outputs,
            stdout=self.stdout,
        )

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"
