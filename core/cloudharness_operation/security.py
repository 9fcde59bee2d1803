"""Security contexts, with the names and meanings of Kubernetes' own API."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints

from cloudharness_operation.resource import Resource, rules

UserId = Annotated[int, Field(ge=0, le=4294967295)]


class SeccompProfile(Resource):
    """A seccomp profile."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "(self.type == 'Localhost') == has(self.localhostProfile)",
                "localhostProfile belongs to type Localhost: give both, or neither",
                "localhostProfile",
            ),
            (
                "!has(self.localhostProfile) "
                "|| !self.localhostProfile.matches('^/|(^|/)[.][.](/|$)')",
                "localhostProfile is below the node's directory of profiles: write a relative "
                "path with no '..'",
                "localhostProfile",
            ),
        )
    )

    type: Literal["RuntimeDefault", "Unconfined", "Localhost"]
    """Which kind of profile."""
    localhost_profile: Annotated[str, StringConstraints(max_length=1024)] | None = None
    """File of the profile on the node, for `Localhost`."""


class Capabilities(Resource):
    """Linux capabilities."""

    add: tuple[Annotated[str, StringConstraints(max_length=64)], ...] = Field(
        default=(), max_length=64
    )
    """Capabilities to add, such as `NET_BIND_SERVICE`."""
    drop: tuple[Annotated[str, StringConstraints(max_length=64)], ...] = Field(
        default=(), max_length=64
    )
    """Capabilities to take away; `ALL` for all."""


_NO_ROOT: Final = (
    "!has(self.runAsNonRoot) || !self.runAsNonRoot || !has(self.runAsUser) || self.runAsUser != 0",
    "runAsNonRoot refuses user 0: choose another runAsUser, or remove one of the two",
    "runAsUser",
)
_ESCALATION: Final = (
    "!has(self.allowPrivilegeEscalation) || self.allowPrivilegeEscalation || "
    "!((has(self.privileged) && self.privileged) || (has(self.capabilities) && "
    "has(self.capabilities.add) && self.capabilities.add.exists(one, one.endsWith('SYS_ADMIN'))))",
    "allowPrivilegeEscalation false contradicts privileged and the capability SYS_ADMIN: "
    "remove one of them",
    "allowPrivilegeEscalation",
)


class Identity(Resource):
    """The user that a container runs as."""

    model_config = ConfigDict(json_schema_extra=rules(_NO_ROOT))

    run_as_user: UserId | None = None
    """User id of the processes."""
    run_as_group: UserId | None = None
    """Group id of the processes."""
    run_as_non_root: bool | None = None
    """Refuse to run as user 0."""
    seccomp_profile: SeccompProfile | None = None
    """Which system calls are allowed."""


class SecurityContext(Identity):
    """Security context of a task's container."""

    model_config = ConfigDict(json_schema_extra=rules(_NO_ROOT, _ESCALATION))

    allow_privilege_escalation: bool | None = None
    """Whether a process may gain more rights than its parent."""
    privileged: bool | None = None
    """Run as root on the node. Most clusters forbid it."""
    read_only_root_filesystem: bool | None = None
    """Whether the container's own files cannot be written."""
    capabilities: Capabilities | None = None
    """Linux capabilities to add and to drop."""


class PodSecurityContext(Identity):
    """Security context of an operation's pods."""

    fs_group: UserId | None = None
    """Group that owns the volumes."""
    fs_group_change_policy: Literal["OnRootMismatch", "Always"] | None = None
    """When the volumes' owner is changed. Left out: Always."""
    supplemental_groups: tuple[UserId, ...] = Field(default=(), max_length=64)
    """More groups of the processes."""
