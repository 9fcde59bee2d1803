"""What holds where nothing is said. The numbers are CloudHarness's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DEFAULT_TTL_STRATEGY: Final[Mapping[str, int]] = {
    "secondsAfterCompletion": 3600,
    "secondsAfterSuccess": 1200,
    "secondsAfterFailure": 7200,
}
"""How long a Workflow is kept after its end, in seconds."""
DEFAULT_VOLUME_SIZE: Final = 10
"""MiB of a volume that is made for an operation."""
DEFAULT_SHARED_DIRECTORY: Final = "/mnt/shared"
"""Where a shared directory is that is asked for by True."""
