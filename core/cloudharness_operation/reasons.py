"""All reasons that the status and its conditions can have, each once.

Programs read them (`kubectl get`, Argo CD's health check, the client), so they are part of the API.
docs/states.md says what each means.
"""

from __future__ import annotations

from typing import Final

# Of an operation that has not ended: `status.reason`, and the conditions Reconciling and Finished.
ACCEPTED: Final = "Accepted"
PENDING: Final = "Pending"
RUN_REQUESTED: Final = "RunRequested"
GROUP_BUSY: Final = "GroupBusy"
WORKFLOW_CREATED: Final = "WorkflowCreated"
TASKS_RUNNING: Final = "TasksRunning"
SUSPENDED: Final = "Suspended"
RESUMED: Final = "Resumed"
CANCELLING: Final = "Cancelling"

# Of the end of a run.
ALL_TASKS_SUCCEEDED: Final = "AllTasksSucceeded"
TASK_FAILED: Final = "TaskFailed"
WORKFLOW_ERROR: Final = "WorkflowError"
WORKFLOW_LOST: Final = "WorkflowLost"
DELETED: Final = "Deleted"
CANCELLED: Final = "Cancelled"
REPLACED: Final = "Replaced"
DEADLINE_EXCEEDED: Final = "DeadlineExceeded"
PENDING_DEADLINE_EXCEEDED: Final = "PendingDeadlineExceeded"

# Of an operation that was refused: `Accepted` is False.
INVALID_SPEC: Final = "InvalidSpec"
SUBMISSION_FAILED: Final = "SubmissionFailed"
NAME_TAKEN: Final = "NameTaken"
INTERNAL_ERROR: Final = "InternalError"

# Of the condition `Notified`.
EVENT_ACKNOWLEDGED: Final = "EventAcknowledged"
PUBLISHING: Final = "Publishing"
GIVEN_UP: Final = "GivenUp"
BROKER_UNAVAILABLE: Final = "BrokerUnavailable"
AUTHENTICATION_FAILED: Final = "AuthenticationFailed"
TLS_FAILED: Final = "TLSFailed"
AUTHORIZATION_FAILED: Final = "AuthorizationFailed"
TOPIC_NOT_FOUND: Final = "TopicNotFound"
MESSAGE_TOO_LARGE: Final = "MessageTooLarge"
PUBLISH_FAILED: Final = "PublishFailed"

# Of a task, besides the reasons of the kubelet and the scheduler, which are kept as they are.
IMAGE_PULL_FAILED: Final = "ImagePullFailed"
EVICTED: Final = "Evicted"
POD_DELETED: Final = "PodDeleted"
EXECUTOR_FAILED: Final = "ExecutorFailed"
STOPPED: Final = "Stopped"

REFUSED: Final = frozenset({INVALID_SPEC, SUBMISSION_FAILED, NAME_TAKEN, INTERNAL_ERROR})
"""With these an operation has ended before it was accepted."""

USER_REQUESTED: Final = frozenset({CANCELLED, REPLACED})
"""With these a run has ended because a user wanted it to: its phase is Cancelled."""
