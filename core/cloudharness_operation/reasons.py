"""All reasons of the status and its conditions, each once.

Programs read them (`kubectl get`, Argo CD's health check, the client), so they are part of the API.
The table in docs/states.md is generated from this file: a heading from each comment, a row from
each constant and its docstring.
"""

from __future__ import annotations

from typing import Final

# An operation that has not ended: `status.reason`, `Reconciling` and `Finished`
PENDING: Final = "Pending"
"""The operator has not observed it yet, or it waits to begin."""
RUN_REQUESTED: Final = "RunRequested"
"""Another `runId` was requested, and its run begins."""
GROUP_BUSY: Final = "GroupBusy"
"""It waits for others of its `concurrencyGroup`, or for pods of a former run to stop."""
WORKFLOW_CREATED: Final = "WorkflowCreated"
"""The Workflow exists, and no task runs yet."""
TASKS_RUNNING: Final = "TasksRunning"
"""Argo runs the tasks."""
SUSPENDED: Final = "Suspended"
"""`spec.suspend` is true."""
CANCELLING: Final = "Cancelling"
"""It was cancelled or replaced, and its Workflow is terminating."""

# The end of a run: `status.reason`, `Complete` or `Failed`, and the exit event
ALL_TASKS_SUCCEEDED: Final = "AllTasksSucceeded"
"""All tasks have succeeded."""
TASK_FAILED: Final = "TaskFailed"
"""A task has failed; the message names the first one."""
WORKFLOW_ERROR: Final = "WorkflowError"
"""Argo could not run the Workflow."""
WORKFLOW_LOST: Final = "WorkflowLost"
"""Somebody has deleted the Workflow before its end."""
DELETED: Final = "Deleted"
"""The operation was deleted before its end. Only the exit event has this reason."""
CANCELLED: Final = "Cancelled"
"""`spec.cancel` was set, or somebody has shut the Workflow down."""
REPLACED: Final = "Replaced"
"""Another operation of its group, or its own next run, has replaced it."""
DEADLINE_EXCEEDED: Final = "DeadlineExceeded"
"""It has run for longer than `activeDeadlineSeconds`."""
PENDING_DEADLINE_EXCEEDED: Final = "PendingDeadlineExceeded"
"""A pod has not started within `pendingDeadlineSeconds`."""

# An operation that was refused: `Accepted` is False
INVALID_SPEC: Final = "InvalidSpec"
"""The spec is invalid, or this operator does not allow it. The message names the field."""
SUBMISSION_FAILED: Final = "SubmissionFailed"
"""The API server has rejected the Workflow."""
NAME_TAKEN: Final = "NameTaken"
"""Another object has the name of the Workflow."""
INTERNAL_ERROR: Final = "InternalError"
"""The operator's own code has failed on it."""

# Other conditions
ACCEPTED: Final = "Accepted"
"""Of `Accepted`: the operator can run the operation."""
RESUMED: Final = "Resumed"
"""Of `Suspended`: the operation was suspended before."""
EVENT_ACKNOWLEDGED: Final = "EventAcknowledged"
"""Of `Notified`: the broker has acknowledged the exit event."""
PUBLISHING: Final = "Publishing"
"""Of `Notified`: the exit event is being published."""
GIVEN_UP: Final = "GivenUp"
"""Of `Notified`: the exit event is not published any more (`kafka.giveUpAfterSeconds`)."""

# An exit event that is not acknowledged yet: `Notified` is False
BROKER_UNAVAILABLE: Final = "BrokerUnavailable"
"""No broker responds."""
AUTHENTICATION_FAILED: Final = "AuthenticationFailed"
"""The broker rejects the user, the password or the token."""
TLS_FAILED: Final = "TLSFailed"
"""The TLS handshake fails, or the broker rejects the client's certificate."""
AUTHORIZATION_FAILED: Final = "AuthorizationFailed"
"""The user may not write to the topic."""
TOPIC_NOT_FOUND: Final = "TopicNotFound"
"""The topic does not exist, and the broker does not create it."""
MESSAGE_TOO_LARGE: Final = "MessageTooLarge"
"""The record is larger than the topic allows."""
PUBLISH_FAILED: Final = "PublishFailed"
"""Another error of Kafka; the message has it."""

# A task: `status.tasks[].reason`, besides the reasons of the kubelet and the scheduler
IMAGE_PULL_FAILED: Final = "ImagePullFailed"
"""The image cannot be pulled."""
EVICTED: Final = "Evicted"
"""The kubelet has evicted the pod."""
POD_DELETED: Final = "PodDeleted"
"""Somebody has deleted the pod."""
EXECUTOR_FAILED: Final = "ExecutorFailed"
"""Argo's own container has failed, not the task's."""
STOPPED: Final = "Stopped"
"""The run was terminated while the task ran."""

REFUSED: Final = frozenset({INVALID_SPEC, SUBMISSION_FAILED, NAME_TAKEN, INTERNAL_ERROR})
"""With these an operation has ended before it was accepted."""

ENDS: Final = REFUSED | {
    *(
        ALL_TASKS_SUCCEEDED,
        TASK_FAILED,
        WORKFLOW_ERROR,
        WORKFLOW_LOST,
        DELETED,
        CANCELLED,
        REPLACED,
    ),
    *(DEADLINE_EXCEEDED, PENDING_DEADLINE_EXCEEDED),
}
"""With these a run has ended."""

USER_REQUESTED: Final = frozenset({CANCELLED, REPLACED})
"""With these a run has ended because a user wanted it to: its phase is Cancelled."""
