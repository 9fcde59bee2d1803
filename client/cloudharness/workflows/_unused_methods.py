"""Methods of CloudHarness's classes that are never called here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cloudharness.workflows.errors import BadOperationConfiguration

UNUSED_METHODS: Final[Mapping[str, str]] = {
    # Of operations.
    "steps_spec": "use PipelineOperation, ParallelOperation or SimpleDagOperation",
    "entrypoint": "use PipelineOperation, ParallelOperation or SimpleDagOperation",
    "templates": "define modify_template, or give the tasks template_overrides",
    "add_on_exit_notify_handler": "use on_exit_notify with 'image' and 'command'",
    "spec_volume": "use shared_directory or a task's volume_mounts",
    "spec_volumeclaim": "use shared_directory and shared_volume_size",
    # Of tasks.
    "instance": "use the operation's arrangement of tasks",
    "affinity_spec": "use pod_context, shared_directory or template_overrides",
    "metadata_spec": "use template_overrides, with 'metadata'",
    "volumes_mounts_spec": "use volume_mounts, or define cloudharness_configmap_spec",
    "envs": "use add_env",
    "command": "use CustomTask with the argument command",
}
"""Methods of CloudHarness's classes that have no equivalent here, and what to use instead."""


def check_methods(cls: type) -> None:
    """Check the methods of a new subclass.

    Raises:
        BadOperationConfiguration: the class defines a method that would never be called.

    """
    for name, instead in UNUSED_METHODS.items():
        if name in vars(cls):
            raise BadOperationConfiguration(
                f"{cls.__name__}.{name}: this method of CloudHarness's library is not called by "
                f"this client: {instead}"
            )
