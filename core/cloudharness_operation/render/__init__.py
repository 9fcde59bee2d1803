"""From an operation to its Argo Workflow.

`needs` returns the query for what the Workflow depends on, `workflow` the Workflow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.model import Operation, OperationSpec
from cloudharness_operation.names import (
    ANNOTATION_EXIT_EVENT,
    ANNOTATION_RUN_ID,
    API_VERSION,
    FINALIZER,
    FIRST_RUN,
    KIND,
    LABEL_ARGO_INSTANCE,
    LABEL_GROUP,
    LABEL_MANAGED_BY,
    LABEL_OPERATION,
    LABEL_RUN,
    LABEL_UID,
    MANAGER,
    WORKFLOW_API_VERSION,
    WORKFLOW_KIND,
    child_name,
)
from cloudharness_operation.notification import destination, is_permitted, own_topic
from cloudharness_operation.policy import image_violation, violation
from cloudharness_operation.render import engine, passing, volumes
from cloudharness_operation.render.containers import Images, to_manifest
from cloudharness_operation.render.facts import NONE, ClusterFacts, ClusterQuery
from cloudharness_operation.render.placement import USES_VOLUME
from cloudharness_operation.render.restricted import RESTRICTED, restrict
from cloudharness_operation.render.templates import steps, templates, workflow_settings
from cloudharness_operation.runs import ConcurrencyPolicy
from cloudharness_operation.volumes import Mode

Manifest = dict[str, Any]

ENTRYPOINT: Final = "Operation"
"""In upper case, so that no task can have this name."""


def unsupported(operation: Operation, defaults: Defaults) -> str | None:
    """Return what an operation needs that this operator does not support or allow, or None."""
    if operation.spec.on_exit and operation.spec.on_exit.notify and not defaults.has_broker:
        return (
            "spec.onExit.notify: this operator has no Kafka broker: "
            "set kafka.bootstrapServers in its Helm chart, or remove the field"
        )
    if (topic := own_topic(operation)) and not is_permitted(topic, defaults):
        return (
            f"spec.onExit.notify.topic: {topic!r} is not one of the topics that this operator "
            f"allows: use one like {', '.join(defaults.topics)}, or add it to "
            "kafka.allowedTopics in the operator's Helm chart"
        )
    problem = next(_unknown(operation, defaults.argo), None)
    return problem or violation(operation, defaults.policy, defaults.service_account)


def _unknown(operation: Operation, argo: str) -> Iterator[str]:
    """Yield the fields of tasks' patches that the installed Argo does not have."""
    for path, task in operation.spec.located_tasks():
        if problem := engine.errors_in_template(task.template_patch or {}, argo):
            yield (
                f"{path}.templatePatch.{problem}: change it, or, if the installed "
                "Argo has it, set argo.version in the operator's Helm chart"
            )


def forbidden(manifest: Manifest, defaults: Defaults) -> str | None:
    """Return what an operation's Workflow has that this operator does not allow, or None.

    It is checked in the Workflow, since it depends on facts of the cluster.
    """
    return image_violation(manifest, defaults.policy, defaults.task_image)


def needs(operation: Operation, defaults: Defaults) -> ClusterQuery:
    """Return the query for what the Workflow depends on in the cluster."""
    spec = operation.spec
    shared = volumes.all_mounts(spec)
    claims = tuple(dict.fromkeys(mount.claim for mount in shared if mount.claim))
    bound = [mount for mount in shared if mount.mode is not Mode.RWX]
    required = [context for context in spec.pod_contexts if context.required]
    # The scheduler itself handles a single co-location rule.
    several = len(required) + len(bound) > 1
    selectors = [USES_VOLUME] if claims and any(mount.claim for mount in bound) else []
    if several:
        selectors += [f"{context.key}={context.value}" for context in required]
    named = any(task.custom and _may_be_listed(task.custom.image) for task in spec.all_tasks)
    images = bool(defaults.catalogue) and named
    return ClusterQuery(claims, tuple(selectors), images, _exclusive(operation))


def _exclusive(operation: Operation) -> str:
    """Return the selector of pods that must end before the run begins, or an empty text."""
    if group := _exclusive_group(operation.spec):
        return f"{LABEL_GROUP}={group}"
    # Pods of a terminated run may take a while to stop.
    return f"{LABEL_OPERATION}={operation.metadata.name}" if operation.run > FIRST_RUN else ""


def _exclusive_group(spec: OperationSpec) -> str | None:
    """Return the group whose operations exclude each other, or None."""
    alone = spec.concurrency_policy in (ConcurrencyPolicy.FORBID, ConcurrencyPolicy.REPLACE)
    return spec.concurrency_group if alone else None


def _may_be_listed(image: str) -> bool:
    """Whether an image may be a name of the catalogue: such a name has no path or tag."""
    return not set("/:@") & set(image)


def workflow(
    operation: Operation, defaults: Defaults, facts: ClusterFacts = NONE, name: str = ""
) -> Manifest:
    """Return the Workflow to create for an operation.

    `name` is for a Workflow that has no operation in a cluster; empty: that of the run.
    """
    metadata = _metadata(operation, defaults, name)
    return {
        "apiVersion": WORKFLOW_API_VERSION,
        "kind": WORKFLOW_KIND,
        "metadata": metadata,
        "spec": _spec(operation, defaults, metadata["name"], facts),
    }


def _metadata(operation: Operation, defaults: Defaults, name: str) -> Manifest:
    # The operation's labels and annotations are not copied: a tool that tracks its objects by them,
    # such as Argo CD, would take the Workflow for its own and prune it.
    meta = operation.metadata
    metadata: Manifest = {
        "name": name or child_name(meta.name, meta.uid, operation.run),
        "namespace": meta.namespace,
        "labels": {
            LABEL_OPERATION: meta.name,
            LABEL_UID: meta.uid,
            LABEL_RUN: str(operation.run),
            LABEL_MANAGED_BY: MANAGER,
        },
        "annotations": {ANNOTATION_RUN_ID: operation.spec.run_id},
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": meta.name,
                "uid": meta.uid,
                "controller": True,
                # True would need permission on the operation's finalizers, and the Workflow would
                # block a foreground deletion of the operation.
                "blockOwnerDeletion": False,
            }
        ],
    }
    if defaults.argo_instance:
        metadata["labels"][LABEL_ARGO_INSTANCE] = defaults.argo_instance
    if to := destination(operation, defaults):
        metadata["annotations"][ANNOTATION_EXIT_EVENT] = to.to_annotation()
        metadata["finalizers"] = [FINALIZER]
    return metadata


def _spec(operation: Operation, defaults: Defaults, child: str, facts: ClusterFacts) -> Manifest:
    spec = operation.spec
    wanted = [volumes.volume(mount, facts) for mount in volumes.all_mounts(spec)]
    images = Images(defaults.task_image, defaults.image_pull_policy, facts.images)
    labels = {LABEL_OPERATION: operation.metadata.name}
    if spec.concurrency_group:
        labels[LABEL_GROUP] = spec.concurrency_group
    manifest: Manifest = {
        "entrypoint": ENTRYPOINT,
        "podMetadata": {"labels": labels},
        **workflow_settings(spec),
        **volumes.workflow_volumes(wanted),
        "templates": [
            {"name": ENTRYPOINT, "steps": steps(spec), **passing.printed(spec)},
            *templates(operation, child, images, facts),
        ],
    }
    if "serviceAccountName" not in manifest and defaults.service_account:
        manifest["serviceAccountName"] = defaults.service_account
    if group := _exclusive_group(spec):
        # The operator decides the order. Argo, which is one process however many operators run,
        # ensures that no two run at once.
        manifest["synchronization"] = {"mutexes": [{"name": f"cloudharness-{group}"}]}
    limits = {
        "parallelism": spec.parallelism,
        "activeDeadlineSeconds": spec.active_deadline_seconds,
        "onExit": spec.exit_task and spec.exit_task.name,
    }
    manifest |= {name: value for name, value in limits.items() if value}
    parts = {"podGC": spec.pod_gc, "securityContext": spec.security_context}
    manifest |= {name: to_manifest(part) for name, part in parts.items() if part}
    names = (*(secret.name for secret in spec.image_pull_secrets), *defaults.image_pull_secrets)
    if names:
        manifest["imagePullSecrets"] = [{"name": name} for name in dict.fromkeys(names)]
    if defaults.pod_security == RESTRICTED:
        manifest = restrict(manifest, defaults.task_image)
    return manifest
