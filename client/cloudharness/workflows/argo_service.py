"""Alias of `cloudharness.workflows.argo`, under the name used by CloudHarness's library."""

from cloudharness.workflows.argo import *  # noqa: F403 - an alias exports all names.
from cloudharness.workflows.argo import __all__  # noqa: F401 - and the same list of them.
