"""Those parts of a pod that a task may set, with the names and meanings of Kubernetes' own API.

Source of names, ranges and patterns: `k8s.io/api/core/v1/types.go` and the validation in
`k8s.io/kubernetes/pkg/apis/core/validation`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from cloudharness_operation.outputs import TaskOutput
from cloudharness_operation.quantity import errors_in
from cloudharness_operation.resource import (
    QUALIFIED_NAME_PATTERN,
    LabelValue,
    QualifiedName,
    Quantity,
    Resource,
    Subdomain,
    cel,
    form,
    rules,
)

ENV_NAME_PATTERN: Final = r"^[.]?[-_a-zA-Z][-._a-zA-Z0-9]*$"
_ENV_NAME: Final = "use letters, digits, '_', '-' and '.', not beginning with a digit"
TAKEN_ENV: Final = (
    *("ARGO_CONTAINER_NAME", "ARGO_DEADLINE", "ARGO_INCLUDE_SCRIPT_OUTPUT", "ARGO_INSTANCE_ID"),
    *("ARGO_NODE_ID", "ARGO_POD_NAME", "ARGO_POD_UID", "ARGO_PROGRESS_FILE"),
    *("ARGO_PROGRESS_FILE_TICK_DURATION", "ARGO_PROGRESS_PATCH_TICK_DURATION", "ARGO_TEMPLATE"),
    *("ARGO_TERMINATION_GRACE_PERIOD_SECONDS", "ARGO_WORKFLOW_NAME", "ARGO_WORKFLOW_UID"),
)
"""Variables that Argo sets in each container, and so overrides (workflow/common/common.go)."""

EnvPrefix = Annotated[str, form(ENV_NAME_PATTERN, 128, _ENV_NAME)]
EnvName = Annotated[
    str,
    form(
        ENV_NAME_PATTERN,
        128,
        _ENV_NAME,
        (
            f"!(self in {list(TAKEN_ENV)})",
            "this variable is set by Argo itself: choose another name",
        ),
    ),
]
Key = Annotated[
    str,
    form(
        r"^[-._a-zA-Z0-9]+$",
        253,
        "write a key of a ConfigMap or Secret: letters, digits, '-', '_' and '.'",
    ),
]
POD_FIELDS: Final = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName"),
    *("spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP"),
    "status.podIPs",
)
FieldPath = Annotated[
    str,
    form(
        rf"^({'|'.join(POD_FIELDS).replace('.', '[.]')}|metadata[.](labels|annotations)\['.+'\])$",
        400,
        f"write a field that a pod can read: {', '.join(POD_FIELDS)}, metadata.labels['KEY'] or "
        "metadata.annotations['KEY']",
        rule=f"self in {list(POD_FIELDS)} "
        r"""|| (self.endsWith("']") && (self.startsWith("metadata.labels['") """
        r"""|| self.startsWith("metadata.annotations['")))""",
    ),
]


class NameReference(Resource):
    """A Secret of the namespace."""

    name: Subdomain
    """Name of the Secret."""


class KeyReference(Resource):
    """A key of a ConfigMap or of a Secret of the namespace."""

    name: Subdomain
    """Name of the object."""
    key: Key
    """The key in it."""
    optional: bool | None = None
    """Start without it if it does not exist."""


class FieldReference(Resource):
    """A field of the pod."""

    field_path: FieldPath
    """Such as `metadata.name`, `spec.nodeName` or `status.podIP`."""


class EnvSource(Resource):
    """Where the value of a variable comes from. Give exactly one."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "[has(self.configMapKeyRef), has(self.secretKeyRef), has(self.fieldRef), "
                "has(self.taskOutput)].filter(x, x).size() == 1",
                "valueFrom is exactly one of configMapKeyRef, secretKeyRef, fieldRef and "
                "taskOutput: give one",
            )
        )
    )

    config_map_key_ref: KeyReference | None = None
    """A key of a ConfigMap."""
    secret_key_ref: KeyReference | None = None
    """A key of a Secret."""
    field_ref: FieldReference | None = None
    """A field of the task's pod."""
    task_output: TaskOutput | None = None
    """An output of a task that runs earlier, at most 120 KiB."""


class EnvVar(Resource):
    """One environment variable of a task."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.value) || !has(self.valueFrom)",
                "a variable has value or valueFrom: remove one of them",
            )
        )
    )

    name: EnvName
    """Name of the variable, unique in the task: letters, digits, '.', '_' and '-', not starting
    with a digit."""
    value: Annotated[str, StringConstraints(max_length=32768)] | None = None
    """Its value, as text. Numbers and booleans need quotes in YAML. Left out: empty."""
    value_from: EnvSource | None = None
    """Where its value comes from."""


class ObjectReference(Resource):
    """A ConfigMap or a Secret of the namespace."""

    name: Subdomain
    """Name of the object."""
    optional: bool | None = None
    """Start without it if it does not exist."""


class EnvFrom(Resource):
    """All keys of a ConfigMap or a Secret, as variables. Give exactly one."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.configMapRef) != has(self.secretRef)",
                "each of envFrom is one of configMapRef and secretRef: give one of them",
            )
        )
    )

    prefix: EnvPrefix | None = None
    """Put before the name of each variable."""
    config_map_ref: ObjectReference | None = None
    """A ConfigMap."""
    secret_ref: ObjectReference | None = None
    """A Secret."""


_RESOURCE_NAMES: Final = rules(
    (
        "self.all(key, key in ['cpu', 'memory', 'ephemeral-storage'] "
        "|| key.startsWith('hugepages-') "
        f"|| (key.contains('/') && key.matches({cel(QUALIFIED_NAME_PATTERN)})))",
        "a resource is cpu, memory, ephemeral-storage, hugepages-SIZE, or a device with its "
        "domain, such as nvidia.com/gpu: correct the name",
    )
)
Quantities = Annotated[dict[str, Quantity], Field(max_length=16, json_schema_extra=_RESOURCE_NAMES)]


class Resources(Resource):
    """Resource requests and limits of a task's container."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.requests) || self.requests.all(key, "
                "!(key.contains('/') || key.startsWith('hugepages-')) "
                "|| (has(self.limits) && key in self.limits))",
                "devices and huge pages need a limit: put them into limits, where a request "
                "is implied",
                "requests",
            )
        )
    )

    requests: Quantities | None = None
    """What a node must have free for it, such as `cpu: 500m`, `memory: 1Gi`. Not more than the
    limits."""
    limits: Quantities | None = None
    """What it may use at most. Devices need a limit: `nvidia.com/gpu: 1`."""

    @model_validator(mode="after")
    def _requests_within_limits(self) -> Self:
        # No CEL rule can say it: see `Quantity`.
        if problem := errors_in(self.requests or {}, self.limits or {}):
            raise PydanticCustomError("quantity", "{problem}", {"problem": problem})
        return self


class Toleration(Resource):
    """A taint of nodes that the pods tolerate."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.operator) || self.operator != 'Exists' || !has(self.value) "
                "|| self.value == ''",
                "operator Exists takes no value: remove it, or use operator Equal",
                "value",
            ),
            (
                "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
                "without a key the operator must be Exists: give a key, or set operator Exists",
                "operator",
            ),
            (
                "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
                "tolerationSeconds is for effect NoExecute: set that effect, or remove the seconds",
                "tolerationSeconds",
            ),
        )
    )

    key: QualifiedName | None = None
    """The taint's key. Left out, with operator Exists: any taint."""
    operator: Literal["Exists", "Equal"] | None = None
    """How the value is compared. Left out: Equal."""
    value: LabelValue | None = None
    """The taint's value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect. Left out: any."""
    toleration_seconds: int | None = None
    """How long NoExecute is tolerated, in seconds. Left out: for ever."""


_LABEL_KEYS: Final = rules(
    (
        f"self.all(key, key.matches({cel(QUALIFIED_NAME_PATTERN)}))",
        "each key must be a label's: letters, digits, '-', '_' and '.', at most 63, after a "
        "domain and '/' if need be",
    )
)


class PodSettings(Resource):
    """Node placement and service account of pods."""

    node_selector: (
        Annotated[dict[str, LabelValue], Field(max_length=32, json_schema_extra=_LABEL_KEYS)] | None
    ) = None
    """Labels that a node must have for the pods to run on it."""
    tolerations: tuple[Toleration, ...] = Field(default=(), max_length=16)
    """Taints of nodes that are tolerated."""
    priority_class_name: Subdomain | None = None
    """PriorityClass of the pods."""
    service_account_name: Subdomain | None = None
    """Service account of the pods. Left out: the operator's setting."""
