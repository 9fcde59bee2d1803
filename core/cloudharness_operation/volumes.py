"""Volumes that tasks share, and contexts that place pods on one node."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field

from cloudharness_operation.errors import InvalidOperation
from cloudharness_operation.resource import (
    LabelValue,
    QualifiedName,
    Resource,
    Size,
    Subdomain,
    cel,
    form,
    keyed_by,
    rules,
)

DEFAULT_SIZE: Final = "10Gi"
MAX_VOLUMES: Final = 10
"""Of the operation, and of each task: the cost of `NO_CONFLICT_ACROSS_TASKS` allows no more."""
PATH_PATTERN: Final = r"^(/[^/:,\s]+)+$"
RESERVED_PATHS: Final = (
    *("/argo", "/var/run/argo", "/var/run/secrets", "/proc", "/sys", "/dev", "/etc"),
    "/cloudharness",
)
RESERVED_PATTERN: Final = f"^({'|'.join(RESERVED_PATHS)})(/|$)"
TAKEN_KEYS_PATTERN: Final = (
    "^usesvolume$|(^|[.])(cloudharness[.]io|argoproj[.]io|kubernetes[.]io|k8s[.]io)/"
)
"""Keys of labels that have a meaning already."""

MountPath = Annotated[
    str,
    form(
        PATH_PATTERN,
        256,
        "write an absolute path, such as /mnt/data, with no '/' at its end and no space, ':' "
        "or ','",
        (
            "!self.matches('/[.][.]?(/|$)')",
            "mountPath must not have a part that is '.' or '..': write the path without",
        ),
        (
            f"!self.matches({cel(RESERVED_PATTERN)})",
            f"mountPath is taken: choose one outside of {', '.join(RESERVED_PATHS)}",
        ),
    ),
]


class Mode(StrEnum):
    """How a volume is mounted, and on how many nodes at the same time."""

    RW = "rw"
    RO = "ro"
    RWX = "rwx"


class SharedVolume(Resource):
    """A volume that is mounted into tasks: an existing claim, or a new one for the run."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.accessMode) || !has(self.mode) || self.mode != 'rwx' "
                "|| self.accessMode == 'ReadWriteMany'",
                "mode rwx needs accessMode ReadWriteMany: set it, or leave it out",
                "accessMode",
            ),
        )
    )

    mount_path: MountPath
    """Where it is mounted: an absolute path, with no '/' at its end. A task's own volume overrides
    the operation's at the same path."""
    claim: Subdomain | None = None
    """Name of a PersistentVolumeClaim of the namespace. If it does not exist, or no name is given,
    a new one is created for the run, and deleted when the run has ended."""
    mode: Mode = Mode.RW
    """rw: all tasks that write to it run on one node. ro: mounted read-only, on any node. rwx: many
    nodes can write to the storage at once, so tasks run on any node. Left out: rw."""
    size: Size = DEFAULT_SIZE
    """Size of a new claim. Left out: 10Gi."""
    storage_class_name: Subdomain | None = None
    """Storage class of a new claim. Left out: the cluster's default."""
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"] | None = None
    """Access mode of a new claim. Left out: ReadWriteOnce, or ReadWriteMany with mode rwx."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `[CLAIM:]PATH[:MODE]`, as CloudHarness writes it.

        Raises:
            InvalidOperation: the text has another form; the message says which.

        """
        found = re.fullmatch(r"(?:([^:/]+):)?(/[^:]*[^:/])/?(?::(rw|ro|rwx))?", text)
        if not found:
            raise InvalidOperation(
                f"shared volume {text!r}: write [CLAIM:]PATH[:MODE], with an absolute path, "
                "and MODE one of rw, ro and rwx"
            )
        claim, path, mode = found.groups()
        return cls(claim=claim, mount_path=path, mode=Mode(mode or Mode.RW))


class PodContext(Resource):
    """A label that pods share in order to run on one node, also with other operations' pods."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"!self.key.matches({cel(TAKEN_KEYS_PATTERN)})",
                "key is taken: usesvolume and keys of cloudharness.io, argoproj.io, kubernetes.io "
                "and k8s.io have a meaning of their own, so choose another",
                "key",
            )
        )
    )

    key: QualifiedName
    """Key of the label, such as `example.org/dataset`."""
    value: LabelValue
    """Value of the label."""
    required: bool = False
    """Stay pending rather than run on another node. Left out or false: the node is preferred."""


def _differs(one: str, other: str) -> str:
    """Return the CEL expression that two mounts of one volume conflict."""
    optional = " || ".join(
        f"has({one}.{field}) != has({other}.{field}) "
        f"|| (has({one}.{field}) && {one}.{field} != {other}.{field})"
        for field in ("storageClassName", "accessMode")
    )
    modes = " || ".join(
        f"({a}.mode == 'rw' && {b}.mode == 'rwx')" for a, b in ((one, other), (other, one))
    )
    return f"{one}.size != {other}.size || {modes} || {optional}"


CONFLICT_MESSAGE: Final = (
    "one volume is requested in two ways: give the same size, storageClassName and accessMode "
    "wherever a claim is named, and not both of rw and rwx"
)
_SAME_CLAIM: Final = "has({0}.claim) && has({1}.claim) && {0}.claim == {1}.claim"
_NO_CONFLICT_IN_LIST: Final = (
    f"self.all(v, self.all(w, !({_SAME_CLAIM.format('v', 'w')}) || !({_differs('v', 'w')})))"
)
NO_CONFLICT_ACROSS_TASKS: Final = (
    "!has(self.sharedVolumes) || self.tasks.all(t, !has(t.sharedVolumes) || "
    "t.sharedVolumes.all(v, self.sharedVolumes.all(w, "
    f"!({_SAME_CLAIM.format('v', 'w')}) || !({_differs('v', 'w')}))))"
)
"""For the spec: volumes of tasks agree with those of the operation."""

SharedVolumes = Annotated[
    tuple[SharedVolume, ...],
    Field(
        max_length=MAX_VOLUMES,
        json_schema_extra={
            **keyed_by("mountPath"),
            **rules((_NO_CONFLICT_IN_LIST, CONFLICT_MESSAGE)),
        },
    ),
]


def conflict(mounts: Iterable[SharedVolume]) -> str | None:
    """Return the volume that is requested in two ways, or None.

    Without a claim's name, the same path in two tasks is the same volume.
    """
    known: dict[str, SharedVolume] = {}
    for mount in mounts:
        name = mount.claim or mount.mount_path
        if _opposed(known.setdefault(name, mount), mount):
            return name
        if mount.mode is not Mode.RO:
            known[name] = mount
    return None


def _opposed(one: SharedVolume, other: SharedVolume) -> bool:
    def asked(mount: SharedVolume) -> tuple[str | None, ...]:
        return mount.size, mount.storage_class_name, mount.access_mode

    return asked(one) != asked(other) or {one.mode, other.mode} == {Mode.RW, Mode.RWX}
