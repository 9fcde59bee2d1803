"""What all operations that run on a cluster have in common."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from typing_extensions import override

from cloudharness.workflows.defaults import DEFAULT_TTL_STRATEGY, DEFAULT_VOLUME_SIZE
from cloudharness.workflows.errors import BadOperationConfiguration
from cloudharness.workflows.lazily import lazily
from cloudharness.workflows.running import Running
from cloudharness.workflows.tasks import Task
from cloudharness.workflows.utils import PodExecutionContext

if TYPE_CHECKING:
    from cloudharness.workflows import assembling, building, local, twins
    from cloudharness.workflows.logs import LogLine
    from cloudharness_operation.model import OperationSpec
else:
    assembling, building, local, twins = map(lazily, ("assembling", "building", "local", "twins"))

Manifest = dict[str, Any]


class ManagedOperation:
    """What all operations have in common.

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
        """Run it."""
        raise BadOperationConfiguration(
            f"{type(self).__name__} says only what its kinds have in common: use one of those"
        )


class ContainerizedOperation(ManagedOperation, Running):
    """An operation on the cluster.

    Args:
        basename: name of the operation: at most 57 lower-case letters, digits and `-`. If it ends
            in `-`, each run has a unique suffix put behind it.
        pod_context: pods with the same context run on one node; one, or several.
        shared_directory: volumes for all tasks, each as `[CLAIM:]PATH[:MODE]`; one, or several.
            MODE is `rw`, `ro` (read-only, on any node) or `rwx` (written from many nodes). A claim
            that is not there, or not named, is made for the run. True: `/mnt/shared`. Tasks find
            the path of the first in the variable `shared_directory`.
        pod_gc: when pods are deleted before their Workflow is: Argo's `podGC`.
        ttl_strategy: how long the Workflow is kept after the end, with its pods and their logs:
            `secondsAfterCompletion`, `secondsAfterSuccess`, `secondsAfterFailure`. None: for ever.
        on_exit_notify: `queue`, a Kafka topic that is told the end, and `payload`, what it is told
            with it: a str, or anything that is JSON; also `traceparent`, if it is part of a trace.
        shared_volume_size: size of each volume that is made, in MiB, or as `"10Gi"`.
        active_deadline_seconds: seconds after its start, or a timedelta, at which a run that goes
            on is ended, as failed: `DeadlineExceeded`. None: never.
        pending_deadline_seconds: seconds that a pod may wait to start, or a timedelta, before the
            run is ended, as failed: `PendingDeadlineExceeded`. 0: for ever. None: as the operator
            is set up, mostly 600.
        parallelism: how many tasks run at the same time, at most. None: as many as can.
        concurrency_policy: what is done about other operations of the same group: `Allow` runs
            beside them, `Forbid` waits for them, `Replace` ends them. None: `Allow`.
        concurrency_group: name of that group, in the namespace.
        ttl_seconds_after_finished: seconds after its end, or a timedelta, for which the operation
            itself is kept, as the record. None: for ever.
        suspend: nothing of it begins before `resume`.

    Raises:
        BadOperationConfiguration: an argument is wrong.

    """

    kind: ClassVar[str] = "SingleTask"

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
    ) -> None:
        super().__init__(assembling.base_name(basename), ttl_strategy, on_exit_notify)
        self.pod_contexts = assembling.contexts(pod_context)
        self.volumes = assembling.directories(shared_directory)
        self.pod_gc = pod_gc
        self.shared_volume_size = shared_volume_size
        self.active_deadline_seconds = assembling.seconds(active_deadline_seconds)
        self.pending_deadline_seconds = assembling.seconds(pending_deadline_seconds)
        self.parallelism = parallelism
        self.concurrency_policy = concurrency_policy
        self.concurrency_group = concurrency_group
        self.ttl_seconds_after_finished = assembling.seconds(ttl_seconds_after_finished)
        self.begins_suspended = suspend
        self.to_spec()  # So that what is wrong is told where it is written.

    def task_list(self) -> Sequence[Task]:
        """Return the tasks."""
        raise BadOperationConfiguration(
            f"{type(self).__name__} has no tasks: use one of its kinds, or define task_list"
        )

    def groups(self) -> Sequence[int] | None:
        """Return the number of each task's group, where there are groups."""
        return None

    def to_spec(self) -> OperationSpec:
        """Return what is run, as the resource says it."""
        size = assembling.volume_size(self.shared_volume_size)
        tasks = [task.spec(size) for task in self.task_list()]
        if (groups := self.groups()) is not None:
            pairs = zip(tasks, groups, strict=True)
            tasks = [task.model_copy(update={"group": group}) for task, group in pairs]
        return assembling.spec(
            self.kind,
            tasks,
            sharedVolumes=building.volumes(self.volumes, size, "shared_directory"),
            podContexts=assembling.pod_contexts(self.pod_contexts),
            podGC=assembling.pod_gc(self.pod_gc),
            ttlStrategy=assembling.ttl(self.ttl_strategy),
            onExit=assembling.notification(self.on_exit_notify),
            activeDeadlineSeconds=self.active_deadline_seconds,
            pendingDeadlineSeconds=self.pending_deadline_seconds,
            parallelism=self.parallelism,
            **assembling.exclusion(self.concurrency_policy, self.concurrency_group),
            ttlSecondsAfterFinished=self.ttl_seconds_after_finished,
            suspend=self.begins_suspended or None,
        )

    @override
    def execute(self) -> Any:
        """Submit it, and return it as it is on the cluster."""
        return self.submit()

    @override
    def to_manifest(self) -> Manifest:
        """Return the `CloudHarnessOperation`, as it can be created."""
        return assembling.manifest(self.name, self.to_spec())

    def to_yaml(self) -> str:
        """Return the `CloudHarnessOperation` as YAML, for `kubectl create -f` or for Git.

        `kubectl apply` and Git take one whose basename does not end in `-`.
        """
        return assembling.text(self.to_manifest())

    def to_workflow(self) -> Manifest:
        """Return the Argo Workflow that the operator makes of it, under a name of its own.

        Nothing is asked of a cluster: claims that are named are taken to be there. What ties the
        Workflow to its operation is left out, so it can be submitted as it is; but then nobody
        tells its end to Kafka.
        """
        return assembling.argo_workflow(assembling.unique_name(self.name), self.to_spec())

    def run_local(self, timeout: float | None = None, *, show: bool | None = None) -> Any:
        """Run it on this machine, without a cluster, and return what `result` would return.

        Tasks run in the order, with the retries and the variables that they have on a cluster, as
        processes in empty directories; those in images of their own run by docker or podman. The
        directory that `shared_directory` names is a temporary one. Resources, contexts and the
        time it is kept say nothing here, and nobody is told the end.

        Args:
            timeout: seconds, after which all tasks are ended; None for as long as it takes.
            show: write what tasks say to stderr. None: if that is a terminal.

        Raises:
            OperationFailed: a task failed, as often as it may be tried again.
            OperationTimeout: the time is over.
            BadOperationConfiguration: a task runs in an image, and there is no docker or podman.

        """
        return self._run_local(timeout, show, threading.Event())

    async def run_local_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as its twin.
        *,
        show: bool | None = None,
    ) -> Any:
        """As `run_local`. Cancelling it ends all tasks."""
        return await twins.run(lambda stop: self._run_local(timeout, show, stop))

    def _run_local(self, timeout: float | None, show: bool | None, stop: threading.Event) -> Any:  # noqa: FBT001
        def say(line: LogLine) -> None:
            if sys.stderr.isatty() if show is None else show:
                sys.stderr.write(f"{line}\n")

        name = assembling.unique_name(self.name)
        return self._result(local.LocalRun(name, self.to_spec(), say, timeout, stop).values())
