"""`cloudharness.workflows.argo` under the name that CloudHarness's own code imports it by."""

from cloudharness.workflows.argo import *  # noqa: F403 - the same module, under another name.
from cloudharness.workflows.argo import __all__  # noqa: F401 - what `import *` gives is what it gives there.
