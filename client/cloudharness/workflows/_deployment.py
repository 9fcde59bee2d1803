"""Read what a CloudHarness deployment knows: images, applications, addresses.

Its Helm values are in the ConfigMap `cloudharness-allvalues` of its namespace, and in each of its
pods in a file. Outside of a CloudHarness deployment there are none, and nothing here has an effect.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from cloudharness.workflows._api import CONFIG_MAPS, Connection
from cloudharness.workflows.errors import (
    BadOperationConfiguration,
    ClusterUnavailable,
    WorkflowNotFound,
)

ALL_VALUES: Final = "cloudharness-allvalues"
"""Name of the ConfigMap with the Helm values of the deployment."""
_KEY: Final = "allvalues.yaml"
VALUES_PATH_VARIABLE: Final = "CH_VALUES_PATH"
VALUES_PATH: Final = "/opt/cloudharness/resources/allvalues.yaml"
"""The file of the values, unless CH_VALUES_PATH names another (cloudharness/utils/config.py)."""
BASE_IMAGE: Final = "cloudharness-base"
"""Name of the image in which CloudHarness runs Python, bash and command tasks."""
VARIABLES: Final = (
    "CH_CURRENT_APP_NAME",
    *("CH_VERSION", "CH_CHART_VERSION", "CH_DOMAIN", "CH_USE_PUBLIC"),
    *("CH_IMAGE_REGISTRY", "CH_IMAGE_TAG"),
    *("CH_ACCOUNTS_REALM", "CH_ACCOUNTS_AUTH_DOMAIN", "CH_ACCOUNTS_CLIENT_ID"),
)
"""Variables of a service that its tasks get: what the library needs besides the values, and no
secret. CloudHarness passes every variable with `CH_` in its name, secrets included."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Deployment:
    """A CloudHarness deployment, or none."""

    values: Values = field(default_factory=dict)
    """The Helm values. Empty: there is no deployment, or they cannot be read."""

    def __bool__(self) -> bool:
        """Whether there is a deployment."""
        return bool(self.values)

    def application(self, name: str) -> Values:
        """Return the values of an application, or an empty mapping (applications.py)."""
        found = (one for one in self._applications() if _at(one, "harness", "name") == name)
        return next(found, {})

    def image(self, name: str) -> str:
        """Return the image of a task or of an application; another name is returned unchanged."""
        if any(one.get("name") == name for one in self._applications()):
            return _at(self.application(name), "harness", "deployment", "image") or name
        return _at(self.values, "task-images", name) or name

    @property
    def base_image(self) -> str:
        """The image for Python, bash and command tasks, or an empty text."""
        found = self.image(BASE_IMAGE)
        return "" if found == BASE_IMAGE else found

    @property
    def has_accounts(self) -> bool:
        """Whether the application `accounts` is part of the deployment."""
        return bool(self.application("accounts"))

    @property
    def pull_secret(self) -> str:
        """Name of the Secret with which images are pulled, or an empty text."""
        return _at(self.values, "registry", "secret") or ""

    @property
    def brokers(self) -> str:
        """Address of the deployment's Kafka brokers, or an empty text (utils/env.py)."""
        namespace = _at(self.values, "namespace")
        has_events = bool(self.application("events")) and namespace
        return f"bootstrap.{namespace}.svc.cluster.local:9092" if has_events else ""

    @property
    def workflows_url(self) -> str:
        """Public URL of the workflows service, or an empty text (applications.py)."""
        subdomain = _at(self.application("workflows"), "harness", "subdomain")
        domain = _at(self.values, "domain")
        scheme = "https" if self.values.get("tls") else "http"
        return f"{scheme}://{subdomain}.{domain}" if subdomain and domain else ""

    def _applications(self) -> Iterator[Values]:
        found = self.values.get("apps")
        applications = found.values() if isinstance(found, Mapping) else ()
        yield from (one for one in applications if isinstance(one, Mapping))


NONE: Final = Deployment()


def _at(values: Any, *keys: str) -> Any:
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def variables() -> dict[str, str]:
    """Return the variables of this process that its tasks get."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


def here() -> Deployment:
    """Return the deployment that this process belongs to, without a request.

    If CloudHarness's library is installed, its configuration is used, as the library would use it.

    Raises:
        BadOperationConfiguration: the file of the values cannot be read.

    """
    if (found := _from_library()) is not None:
        return Deployment(found)
    path = Path(os.environ.get(VALUES_PATH_VARIABLE) or VALUES_PATH)
    try:
        return _parsed(path.read_text(), str(path))
    except FileNotFoundError:
        return NONE
    except (OSError, UnicodeDecodeError) as error:
        raise BadOperationConfiguration(f"cannot read the values in {path}: {error}") from error


def _from_library() -> Values | None:
    library = sys.modules.get("cloudharness")
    # Without its library, `cloudharness` is a namespace package, which has no file.
    if getattr(library, "__file__", None) is None:
        return None
    if importlib.util.find_spec("cloudharness.utils.config") is None:
        return None
    config = importlib.import_module("cloudharness.utils.config")
    found: Values = config.CloudharnessConfig.get_configuration() or {}
    return found


def of_namespace(connection: Connection) -> Deployment:
    """Return the deployment of a namespace, from its ConfigMap.

    Raises:
        ClusterUnavailable: the API server does not respond.
        BadOperationConfiguration: the ConfigMap is not valid.

    """
    try:
        found = connection.get(CONFIG_MAPS, ALL_VALUES)
    except WorkflowNotFound:
        return NONE
    except ClusterUnavailable as error:
        if not error.is_final:
            raise
        warnings.warn(
            f"the ConfigMap {ALL_VALUES}, if there is one, has no effect on the tasks, since it "
            f"cannot be read: {error}; grant this account `get` on it",
            stacklevel=2,
        )
        return NONE
    return _parsed((found.get("data") or {}).get(_KEY) or "", f"the ConfigMap {ALL_VALUES}")


@lru_cache(maxsize=4)
def _parsed(text: str, where: str) -> Deployment:
    # Values of many applications take a second to parse, and each operation asks for them.
    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise BadOperationConfiguration(f"the values in {where} are not YAML: {error}") from error
    if not isinstance(values, Mapping):
        raise BadOperationConfiguration(f"the values in {where} are not a mapping: correct them")
    return Deployment(values)
