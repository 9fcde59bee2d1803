"""All names that this project uses in a cluster."""

from __future__ import annotations

import hashlib
from typing import Final

GROUP: Final = "cloudharness.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "CloudHarnessOperation"
PLURAL: Final = "cloudharnessoperations"
SINGULAR: Final = "cloudharnessoperation"
SHORT_NAME: Final = "cho"
CATEGORY: Final = "cloudharness"

WORKFLOW_GROUP: Final = "argoproj.io"
WORKFLOW_VERSION: Final = "v1alpha1"
WORKFLOW_API_VERSION: Final = f"{WORKFLOW_GROUP}/{WORKFLOW_VERSION}"
WORKFLOW_KIND: Final = "Workflow"
WORKFLOW_PLURAL: Final = "workflows"

LABEL_OPERATION: Final = f"{GROUP}/operation"
"""On a Workflow: the name of its operation, for people (`kubectl get workflows -l`)."""

LABEL_UID: Final = f"{GROUP}/operation-uid"
"""On a Workflow: the uid of its operation, by which the operator selects and indexes."""

LABEL_RUN: Final = f"{GROUP}/run"
"""On a Workflow: the number of its run."""

LABEL_GROUP: Final = f"{GROUP}/concurrency-group"
"""On pods: the concurrency group of their operation."""

LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "cloudharness-operator"

LABEL_ARGO_INSTANCE: Final = "workflows.argoproj.io/controller-instanceid"
"""On a Workflow: the `instanceID` of the Argo controller that runs it (Argo, workflow/common)."""

ANNOTATION_RUN_ID: Final = f"{GROUP}/run-id"
"""On a Workflow: the `spec.runId` of its run."""

ANNOTATION_EXIT_EVENT: Final = f"{GROUP}/exit-event"
"""On a Workflow: what its exit event needs when the operation is already deleted."""

ANNOTATION_INTERVENTION: Final = f"{GROUP}/intervention"
"""On a Workflow: when the operator last suspended, resumed or ended it, and why it ended it."""

ANNOTATION_SUBMISSION: Final = f"{GROUP}/submission"
"""On an operation: the call of the client that created it, which is repeated if its response is
lost."""

FINALIZER: Final = f"{GROUP}/exit-event"
"""On a Workflow with an exit event: keeps it until the event is acknowledged."""

FIRST_RUN: Final = 1
"""The number of an operation's first run."""

MAX_NAME_LENGTH: Final = 63
"""A Workflow's name becomes a label value on its pods, and those end at 63 characters."""

_DIGEST_LENGTH: Final = 5
MAX_OPERATION_NAME_LENGTH: Final = MAX_NAME_LENGTH - _DIGEST_LENGTH - 1
"""57: room for the dash and the digest that make the child's name."""


def child_name(operation: str, uid: str, run: int) -> str:
    """Return the name of the Workflow of a run of an operation.

    The same operation and run always give the same name, so that creating the child twice
    fails the second time instead of running the work twice. Another operation of the same
    name (deleted and made again) has another uid and so another child.
    """
    digest = hashlib.sha256(f"{uid}/{run}".encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{operation}-{digest}"


def resource_path(namespace: str, name: str) -> str:
    """Return the API path of an operation, which is the `source` of its events."""
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}/{name}"
