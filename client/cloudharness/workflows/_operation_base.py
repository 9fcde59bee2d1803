"""Base classes of all operations, and of those that run on a cluster."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from typing_extensions import override

from cloudharness.workflows._defaults import DEFAULT_TTL_STRATEGY, DEFAULT_VOLUME_SIZE
from cloudharness.workflows._lazy_import import lazy_module
from cloudharness.workflows._remote import RemoteOperation
from cloudharness.workflows._unused_methods import check_methods
from cloudharness.workflows.errors import BadOperationConfiguration, bad
from cloudharness.workflows.tasks import CustomTask, Task
from cloudharness.workflows.utils import PodExecutionContext

if TYPE_CHECKING:
    from cloudharness.workflows import (
        _async,
        _deployed,
        _deployment,
        _hooks,
        _layout,
        _local_run,
        _operation_spec,
        _task_spec,
    )
    from cloudharness.workflows._api import Connection
    from cloudharness.workflows._deployment import Deployment
    from cloudharness.workflows._logs import LogLine
    from cloudharness_operation.model import OperationSpec
    from cloudharness_operation.tasks import Task as TaskSpec
else:
    _async, _local_run = map(lazy_module, ("_async", "_local_run"))
    _deployed, _deployment = map(lazy_module, ("_deployed", "_deployment"))
    _hooks, _layout = map(lazy_module, ("_hooks", "_layout"))
    _operation_spec, _task_spec = map(lazy_module, ("_operation_spec", "_task_spec"))

Manifest = dict[str, Any]


class ManagedOperation:
    """The base class of all operations.

    Args:
        name: name of the operation.
        ttl_strategy: see `ContainerizedOperation`.
        on_exit_notify: see `ContainerizedOperation`.

    """

    def __init__(
        self,
        name: str,
        ttl_strategy: Mapping[str, int] | None = DEFAULT_TTL_STRATEGY,
        on_exit_notify: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.ttl_strategy = ttl_strategy
        self.on_exit_notify = on_exit_notify

    def execute(self, *_args: Any, **_kwargs: Any) -> Any:
        """Run the operation."""
        raise BadOperationConfiguration(
            f"{type(self).__name__} is a base class, which cannot run: use one of its subclasses"
        )


class ContainerizedOperation(ManagedOperation, RemoteOperation):
    """The base class of operations that run on a cluster.

    Args:
        basename: name of the operation: lower-case letters, digits and `-`. A `-`, unless it ends
            in one, and a unique suffix are appended; before that it is shortened to 51 characters.
        pod_context: a context, or several. Pods with the same context run on the same node.
        shared_directory: a volume for all tasks in the form `[CLAIM:]PATH[:MODE]`, or several.
            MODE is `rw`; `ro`, which is read-only and can be mounted on any node; or `rwx`, which
            can be written from several nodes. If the claim does not exist, or CLAIM is left out, a
            claim is created for the run. True: `/mnt/shared`. In tasks, the environment variable
            `shared_directory` is the path of the first volume.
        pod_gc: when pods are deleted before their Workflow is; Argo's `podGC`.
        ttl_strategy: seconds for which the Workflow, its pods and their logs are kept after the
            end, in `secondsAfterCompletion`, `secondsAfterSuccess` and `secondsAfterFailure`. None:
            they are not deleted.
        on_exit_notify: a dict: `queue` is the Kafka topic to which the operator publishes an event
            when the operation has ended; `payload` is part of that event, a str or any value that
            can be encoded as JSON; `traceparent` is optional. With `image`, and `command` if it is
            not the image's own, a task runs at the end too; other keys are environment variables of
            that task, besides `queue_name`, `payload` and `workflow_result`.
        exit_task: a task that runs when the others have ended, after a success, a failure, a
            deadline or `cancel()`, but not after `cancel("Terminate")`. Its environment variable
            `workflow_result` is `Succeeded`, `Failed` or `Error`.
        shared_volume_size: size of each created volume in MiB, or a quantity such as `"10Gi"`.
        active_deadline_seconds: maximum duration of the run in seconds, or as a timedelta. A run
            that exceeds it fails with the reason `DeadlineExceeded`. None: no limit.
        pending_deadline_seconds: maximum time a task's pod may stay pending in seconds, or as a
            timedelta. A run that exceeds it fails with the reason `PendingDeadlineExceeded`. 0: no
            limit. None: the operator's setting, by default 600.
        parallelism: maximum number of tasks that run at the same time. None: no limit.
        concurrency_policy: how the operation treats others of its concurrency group: `Allow` runs
            at the same time, `Forbid` waits for them, `Replace` terminates older ones. None:
            `Allow`.
        concurrency_group: name of the concurrency group within the namespace.
        ttl_seconds_after_finished: seconds for which the operation itself is kept after its end, or
            a timedelta. None: it is not deleted.
        suspend: whether the operation starts suspended; `resume` then starts it.
        fixed_name: whether `basename` is the whole name, of at most 57 characters. A second
            operation of that name then raises `OperationExists`.

    Attributes:
        basename: the argument.
        name: name of the operation on the cluster. If the name is not fixed, it changes with each
            submission after the first one.

    Raises:
        BadOperationConfiguration: an argument is wrong; the message names it.

    """

    kind: ClassVar[str] = "SingleTask"

    @override
    def __init_subclass__(cls, **keywords: Any) -> None:
        """Refuse methods of CloudHarness's classes that would not be called."""
        super().__init_subclass__(**keywords)
        check_methods(cls)

    def __init__(
        self,
        basename: str,
        pod_context: PodExecutionContext | Iterable[PodExecutionContext] | None = None,
        shared_directory: bool | str | Iterable[str] | None = None,  # noqa: FBT001
        pod_gc: Mapping[str, Any] | None = None,
        ttl_strategy: Mapping[str, int] | None = DEFAULT_TTL_STRATEGY,
        on_exit_notify: Mapping[str, Any] | None = None,
        *,
        shared_volume_size: int | str = DEFAULT_VOLUME_SIZE,
        active_deadline_seconds: int | timedelta | None = None,
        pending_deadline_seconds: int | timedelta | None = None,
        parallelism: int | None = None,
        concurrency_policy: Literal["Allow", "Forbid", "Replace"] | None = None,
        concurrency_group: str | None = None,
        ttl_seconds_after_finished: int | timedelta | None = None,
        suspend: bool = False,
        fixed_name: bool = False,
        exit_task: Task | None = None,
    ) -> None:
        name = _operation_spec.operation_name(basename, fixed=fixed_name)
        super().__init__(name, ttl_strategy, on_exit_notify)
        self.basename = basename
        self.fixed_name = fixed_name
        self.pod_contexts = _operation_spec.contexts(pod_context)
        self.volumes = _operation_spec.directories(shared_directory)
        self.pod_gc = pod_gc
        self.shared_volume_size = shared_volume_size
        self.active_deadline_seconds = _operation_spec.seconds(active_deadline_seconds)
        self.pending_deadline_seconds = _operation_spec.seconds(pending_deadline_seconds)
        self.parallelism = parallelism
        self.concurrency_policy = concurrency_policy
        self.concurrency_group = concurrency_group
        self.ttl_seconds_after_finished = _operation_spec.seconds(ttl_seconds_after_finished)
        self.begins_suspended = suspend
        if not isinstance(exit_task, Task | None):
            raise bad("exit_task", f"give a task, not {exit_task!r}")
        self.exit_task = exit_task
        self.to_spec()  # Validates the arguments.

    def task_list(self) -> Sequence[Task]:
        """Return the tasks."""
        raise BadOperationConfiguration(
            f"{type(self).__name__} has no tasks: use one of its subclasses, or define task_list"
        )

    def _all_tasks(self) -> Sequence[Task]:
        """Return the tasks and `exit_task`."""
        return (*self.task_list(), *([self.exit_task] if self.exit_task else []))

    def _claims(self) -> frozenset[str]:
        """Return the names of the claims that the tasks mount."""
        own = (mount for task in self._all_tasks() for mount in task.volume_mounts)
        return frozenset(one.partition(":")[0] for one in (*self.volumes, *own) if ":" in one)

    def _exit_spec(self, size: str) -> TaskSpec | None:
        """Return `exit_task`, or the task that `on_exit_notify` with an image asks for, or None."""
        asked = _operation_spec.exit_arguments(self.on_exit_notify)
        if asked and self.exit_task:
            raise bad("exit_task", "the image of on_exit_notify is an exit task too: give only one")
        task = CustomTask(**asked) if asked else self.exit_task
        return task.to_spec(size) if task else None

    def groups(self) -> Sequence[int] | None:
        """Return the number of each task's group, or None if the operation has no groups."""
        return None

    def to_spec(self) -> OperationSpec:
        """Return the spec of the `CloudHarnessOperation`."""
        size = _operation_spec.volume_size(self.shared_volume_size)
        tasks = [task.to_spec(size) for task in self.task_list()]
        if (groups := self.groups()) is not None:
            pairs = zip(tasks, groups, strict=True)
            tasks = [task.model_copy(update={"group": group}) for task, group in pairs]
        return _operation_spec.spec(
            self.kind,
            tasks,
            sharedVolumes=_task_spec.volumes(self.volumes, size, "shared_directory"),
            podContexts=_operation_spec.pod_contexts(self.pod_contexts, self._claims()),
            podGC=_operation_spec.pod_gc(self.pod_gc),
            ttlStrategy=_operation_spec.ttl(self.ttl_strategy),
            onExit=_operation_spec.on_exit(self.on_exit_notify, self._exit_spec(size)),
            activeDeadlineSeconds=self.active_deadline_seconds,
            pendingDeadlineSeconds=self.pending_deadline_seconds,
            parallelism=self.parallelism,
            **_operation_spec.exclusion(self.concurrency_policy, self.concurrency_group),
            ttlSecondsAfterFinished=self.ttl_seconds_after_finished,
            suspend=self.begins_suspended or None,
        )

    @override
    def execute(self) -> Any:
        """Submit the operation, and return it as stored on the cluster.

        Raises:
            OperationExists: an operation of this name exists.
            OperationRefused: the API server rejects the operation; the message gives the reason.
            ClusterUnavailable: the API server does not respond, or denies access.

        """
        return self.submit()

    @override
    def _begin_another(self) -> None:
        if not self.fixed_name:
            self.name = _operation_spec.operation_name(self.basename, fixed=False)

    @override
    def to_manifest(self) -> Manifest:
        """Return the manifest of the `CloudHarnessOperation`."""
        return self._deployed_manifest(_deployment.here())

    @override
    def _manifest_for(self, connection: Connection) -> Manifest:
        return self._deployed_manifest(_deployment.here() or _deployment.of_namespace(connection))

    def _deployed_manifest(self, deployment: Deployment) -> Manifest:
        """Return the manifest with what a deployment and overridden methods change."""
        manifest = self._plain_manifest(deployment)
        if _hooks.is_overridden(self, ContainerizedOperation, "modify_template"):
            spec = _layout.workflow(manifest, deployment)["spec"]
            base = ContainerizedOperation.modify_template
            manifest = _hooks.with_override(
                manifest, spec, lambda template: base(self, template), self.modify_template
            )
        if _hooks.is_overridden(self, ContainerizedOperation, "spec"):
            old, new = ContainerizedOperation.spec(self), self.spec()
            if not isinstance(new, dict):
                raise bad(f"{type(self).__name__}.spec", f"return a dict, not {new!r}")
            manifest = _hooks.with_spec(manifest, old, new, f"{type(self).__name__}.spec")
        return manifest

    def _plain_manifest(self, deployment: Deployment) -> Manifest:
        """Return the manifest before overridden methods of the operation."""
        mounts = {
            task.name: task.cloudharness_configmap_spec()
            for task in self._all_tasks()
            if _hooks.is_overridden(task, Task, "cloudharness_configmap_spec")
        }
        plain = _operation_spec.manifest(self.name, self.to_spec())
        manifest = _deployed.with_deployment(plain, deployment, mounts)
        return _hooks.with_task_templates(manifest, Task, self._all_tasks())

    def spec(self) -> Manifest:
        """Return the spec of the Argo Workflow, in the layout of `to_workflow`.

        A subclass can override it, call this method and change what it returns: add volumes,
        change templates of tasks, add an exit task (`onExit` and its template), or set fields that
        the operation has too, such as `serviceAccountName`. Any other change raises
        `BadOperationConfiguration` when the manifest is made.
        """
        deployment = _deployment.here()
        made: Manifest = _layout.workflow(self._plain_manifest(deployment), deployment)["spec"]
        runs = ("container", "script")
        made["templates"] = [
            self.modify_template(one) if any(kind in one for kind in runs) else one
            for one in made["templates"]
        ]
        return made

    def modify_template(self, template: Manifest) -> Manifest:
        """Return the Argo template of a task, with the labels and lists that it may lack.

        A subclass can override it, call this method, and change what it returns. `name` cannot be
        changed, nor mounts and variables be removed.
        """
        return _layout.with_fields(template)

    def to_yaml(self) -> str:
        """Return the manifest as YAML, for Git or for `kubectl apply -f`.

        In Git, a name should be fixed: with `fixed_name=True`.
        """
        return _operation_spec.to_yaml(self.to_manifest())

    def to_workflow(self) -> Manifest:
        """Return an Argo Workflow that does what the operator's Workflow does.

        It is built without a cluster: named claims are assumed to exist. It has the operation's
        name and CloudHarness's layout, and neither ownerReference nor finalizer, so it can be
        submitted without the operator. No exit event is then published, except in a CloudHarness
        deployment, by its task `workflows-notify-queue`.
        """
        deployment = _deployment.here()
        return _layout.workflow(self._deployed_manifest(deployment), deployment)

    def run_local(self, timeout: float | None = None, *, show: bool | None = None) -> Any:
        """Run the operation on this machine, without a cluster, and return its result.

        The result is that of `result`. Tasks run as processes in empty directories, with the order,
        the retries and the environment variables that they have on a cluster. A task with a
        container image of its own runs in docker or podman. A shared directory is a temporary
        directory. Resources, pod contexts and TTLs have no effect, and no exit event is published.

        Args:
            timeout: seconds after which all tasks are terminated. None: no limit.
            show: whether to write the tasks' output to stderr. None: only if stderr is a terminal.

        Raises:
            OperationFailed: a task failed, and all its retries.
            OperationTimeout: the operation has not ended within the timeout.
            BadOperationConfiguration: the operation needs a cluster, or a task needs a container
                image and neither docker nor podman answers.

        """
        return self._run_local(timeout, show, threading.Event())

    async def run_local_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as in the blocking variant.
        *,
        show: bool | None = None,
    ) -> Any:
        """Async variant of `run_local`. Cancelling it terminates all tasks."""
        return await _async.run_in_thread(lambda stop: self._run_local(timeout, show, stop))

    def _run_local(self, timeout: float | None, show: bool | None, stop: threading.Event) -> Any:  # noqa: FBT001
        def print_line(line: LogLine) -> None:
            if sys.stderr.isatty() if show is None else show:
                sys.stderr.write(f"{line}\n")

        run = _local_run.LocalRun(self.name, self.to_spec(), print_line, timeout, stop)
        return self._result(run.return_values())
