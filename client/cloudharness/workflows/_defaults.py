"""Default values, taken from CloudHarness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DEFAULT_TTL_STRATEGY: Final[Mapping[str, int]] = {
    "secondsAfterCompletion": 3600,
    "secondsAfterSuccess": 1200,
    "secondsAfterFailure": 7200,
}
"""Seconds for which a Workflow is kept after it has ended."""
DEFAULT_VOLUME_SIZE: Final = 10
"""Size in MiB of a volume that is created for an operation."""
DEFAULT_SHARED_DIRECTORY: Final = "/mnt/shared"
"""Mount path for `shared_directory=True`."""
DEFAULT_RETRY_LIMIT: Final = 10
"""Number of retries of a task that runs in a container image of its own."""
