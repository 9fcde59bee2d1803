"""The table of what is reported.

For each fact, the first rule that matches it is reported; a fact without one is not. Messages can
contain `{name}`, the argument, method or field; `{dotted}`, with its module; and `{values}`, what
the rule's condition has found.
"""

from __future__ import annotations

from typing import Final

from cloudharness.workflows._deployment import VARIABLES
from cloudharness.workflows._migration.conditions import (
    closure,
    fixed_name,
    has_keys_other_than,
    is_dict,
    is_none,
    is_none_of,
    key_of_volume,
    may_have_claim,
    method,
    missing,
    of_volume,
    task_is,
    value_is,
)
from cloudharness.workflows._migration.matching import Finds, Level, Rule
from cloudharness.workflows._unused_methods import UNUSED_METHODS

EXIT_KEYS: Final = ("queue", "payload", "traceparent")
"""The keys of `on_exit_notify` for the exit event."""
_OTHER_KEYS: Final = has_keys_other_than(*EXIT_KEYS, without="image")
PASSED_VARIABLES: Final = ("CH_WORKFLOW_NAME", *VARIABLES)
"""Variables with CH_ in their names that tasks have."""

_PATCH = (
    "the result of {name}() is compared with that of the base class, and the difference becomes a "
    "merge patch; a difference that cannot be one raises an exception"
)
_MODELS = r"V1\w+"
"""argo-workflows' models of Kubernetes' and Argo's objects."""
WORKS, CHANGED, EDIT = Level.WORKS, Level.CHANGED, Level.EDIT

RULES: Final = (
    # Imports and names of modules.
    Rule(
        "argo-server",
        EDIT,
        Finds("import", "argo", r"get_api_client|get_configuration|WorkflowServiceApi|ApiClient"),
        "{name} is a client of Argo's server, which is not used: call get_workflows, get_workflow, "
        "submit_workflow or delete_workflow of cloudharness.workflows.argo",
    ),
    Rule(
        "argo-namespace",
        EDIT,
        Finds("import", "argo", "namespace"),
        "cloudharness.workflows.argo has no {name}: pass namespace=..., or set the variable "
        "CLOUDHARNESS_NAMESPACE",
    ),
    Rule(
        "no-such-name",
        EDIT,
        Finds("import", when=missing),
        "cloudharness.workflows{dotted} does not exist in this client",
    ),
    Rule(
        "argo-client-models",
        WORKS,
        Finds("argo-client", names=rf"client|{_MODELS}"),
        "{name} can be passed as template_overrides",
    ),
    Rule(
        "argo-client",
        EDIT,
        Finds("argo-client"),
        "{name} of the package argo-workflows sends requests to Argo's server, which does not have "
        "the operations: use cloudharness.workflows.argo",
    ),
    Rule(
        "argo-objects-create",
        WORKS,
        Finds("request", names="create"),
        "the Workflow is created without an operation",
    ),
    Rule(
        "argo-objects-read",
        CHANGED,
        Finds("request", names="get|list"),
        "finds Workflows under the names that the operator gives them: operations are the resource "
        "cloudharnessoperations of the group cloudharness.io",
    ),
    Rule(
        "argo-objects-write",
        EDIT,
        Finds("request"),
        "the operator owns the Workflow of an operation: change or delete the operation, with "
        "cloudharness.workflows.argo",
    ),
    # Operations.
    Rule(
        "name",
        WORKS,
        Finds("argument", "ManagedOperation", "name|basename", fixed_name),
        "a unique suffix is appended to the name; fixed_name=True keeps it",
    ),
    Rule(
        "shared-directory-variable",
        CHANGED,
        Finds(
            "argument",
            "ContainerizedOperation",
            "shared_directory",
            may_have_claim,
        ),
        "the variable shared_directory in tasks is the path alone, without the claim",
    ),
    Rule(
        "pod-context-of-volume",
        WORKS,
        Finds("argument", "ContainerizedOperation", "pod_context", of_volume),
        "the label usesvolume is the volume's own co-location",
    ),
    Rule(
        "no-pod-context",
        WORKS,
        Finds("argument", "ContainerizedOperation", "pod_context", is_none),
        "no pod context",
    ),
    Rule(
        "pod-context",
        CHANGED,
        Finds("argument", "ContainerizedOperation", "pod_context"),
        "pod_context takes effect; it was hidden by an empty affinity on each template",
    ),
    Rule(
        "usesvolume",
        WORKS,
        Finds("argument", "PodExecutionContext", "key", key_of_volume),
        "the label usesvolume is the volume's own co-location",
    ),
    Rule(
        "exit-keys",
        EDIT,
        Finds("argument", "ManagedOperation", "on_exit_notify", _OTHER_KEYS),
        "on_exit_notify does not support {values[0]} without image, with which it would be a "
        "variable of the exit task: use {values[1]}",
    ),
    Rule(
        "exit-task",
        WORKS,
        Finds("argument", "ManagedOperation", "on_exit_notify"),
        "the operator publishes to the queue; image and command run as a task at the exit",
    ),
    Rule(
        "ttl-none",
        WORKS,
        Finds("argument", "ManagedOperation", "ttl_strategy", is_none),
        "the Workflow is not deleted",
    ),
    Rule(
        "results-of-python",
        CHANGED,
        Finds("call", "DistributedSyncOperationWithResults", "execute", task_is("PythonTask")),
        "execute() returns what the function returned; it returned a list of dicts of files",
    ),
    Rule(
        "results",
        WORKS,
        Finds("call", "DistributedSyncOperationWithResults", "execute"),
        "execute() returns a list with a dict for each file of the shared directory",
    ),
    Rule(
        "sync-failure",
        CHANGED,
        Finds("call", "ExecuteAndWaitOperation", "execute"),
        "execute() raises OperationFailed if the operation fails, and OperationTimeout after the "
        "timeout; it returned the Workflow",
    ),
    Rule(
        "direct-result",
        CHANGED,
        Finds("call", "DirectOperation", "execute"),
        "execute() returns what the function returned; it returned None",
    ),
    Rule(
        "result-topic",
        EDIT,
        Finds("topic"),
        "no topic with the name of the operation exists: use the return value of execute(), or "
        "result()",
    ),
    # Tasks.
    Rule(
        "own-option",
        WORKS,
        Finds("argument", "Task", "retry", value_is("Retry")),
        "an option of this client",
    ),
    Rule(
        "own-outputs",
        WORKS,
        Finds("argument", "Task", "outputs", is_dict),
        "an option of this client",
    ),
    Rule(
        "option-not-variable",
        EDIT,
        Finds("argument", "Task", "retry|outputs|stdout"),
        "{name}= is an option of this client and sets no variable: call "
        'task.add_env("{name}", value)',
    ),
    Rule(
        "inlined-options",
        CHANGED,
        Finds("argument", "InlinedTask", "resources|retry_limit"),
        "{name}= takes effect; it was ignored for Python and bash tasks",
    ),
    Rule(
        "task-shared-directory",
        WORKS,
        Finds("argument", "Task", "shared_directory"),
        "the variable shared_directory of this task has this value, unchanged",
    ),
    Rule(
        "closure",
        EDIT,
        Finds("argument", "PythonTask", "func", closure),
        "raises CannotBeShipped: the function uses variables of the enclosing function "
        "({values[0]}): make them parameters, and pass them as arguments",
    ),
    Rule(
        "method",
        EDIT,
        Finds("argument", "PythonTask", "func", method),
        "raises CannotBeShipped: {values[0]} is a method: pass a function",
    ),
    # Methods of the library that a subclass overrides.
    Rule(
        "compared-override",
        CHANGED,
        Finds("override", names="spec|modify_template|cloudharness_configmap_spec|image_name"),
        _PATCH,
    ),
    *(
        Rule(
            f"override-{method}",
            EDIT,
            Finds("override", names=method),
            f"{{name}} is not called by this client: {instead}",
        )
        for method, instead in UNUSED_METHODS.items()
    ),
    Rule(
        "override-submit",
        EDIT,
        Finds("override", "ManagedOperation", "submit|to_workflow"),
        "{name}() sends or returns no Workflow of yours: override spec() to change the Workflow, "
        "or execute() to run code around it",
    ),
    Rule(
        "no-such-method",
        EDIT,
        Finds(
            "member",
            names="add_on_exit_notify_handler|steps_spec|entrypoint|entrypoint_template|templates|"
            "spec_volume|spec_volumeclaim|metadata_spec|affinity_spec|volumes_mounts_spec|"
            "external_volumes",
        ),
        "{name} does not exist in this client",
    ),
    # Listing and reading.
    Rule(
        "list-order",
        CHANGED,
        Finds("call", "argo", "get_workflows"),
        "lists operations first, then Workflows that belong to no operation",
    ),
    Rule(
        "get-failed",
        CHANGED,
        Finds("call", "argo", "get_workflow"),
        "returns a workflow that has failed; it raised WorkflowException",
    ),
    Rule(
        "raw-template",
        WORKS,
        Finds("field", "Workflow", r"raw\.spec\.templates\.0(\..*)?"),
        "the first template, of the Workflow",
    ),
    Rule(
        "raw-spec",
        CHANGED,
        Finds("field", "Workflow", r"raw\.spec\..*"),
        "raw is a CloudHarnessOperation, whose spec has other fields than a Workflow's",
    ),
    Rule(
        "raw-nodes",
        EDIT,
        Finds("field", "Workflow", r"raw\.status\.nodes(\..*)?"),
        "raw.status has no nodes: use raw.status.tasks, a list",
    ),
    # Code that runs in tasks.
    Rule(
        "task-variable",
        CHANGED,
        Finds("variable", "tasks", ".*CH_.*", is_none_of(*PASSED_VARIABLES)),
        "{name} may be missing in tasks, since variables with CH_ in their names are not copied "
        "from the service if they can be secret: pass it with task.add_env",
    ),
    Rule(
        "notify-queue",
        WORKS,
        Finds("call", "utils", "notify_queue"),
        "publishes to KAFKA_BOOTSTRAP_SERVERS, or else to the brokers of the deployment",
    ),
    # What cannot be seen, and all other uses.
    Rule(
        "not-read",
        WORKS,
        Finds("star"),
        "the arguments in * or ** are not checked",
    ),
)
UNCHANGED: Final = Rule("unchanged", WORKS, Finds(""), "unedited")
