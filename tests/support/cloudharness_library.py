"""A library `cloudharness` of the shape of release 3.0.0, and environments with it and the client.

The library itself is on no package index. If the environment variable CLOUDHARNESS_LIBRARY names
its directory (`libraries/cloudharness-common` of its repository), that is installed instead.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
WAYS: Final = ("regular", "editable", "editable-compat", "editable-strict", "path")
"""How the library is installed; `path` is its directory in PYTHONPATH."""

FILES: Final = {
    "setup.py": """\
from setuptools import find_packages, setup

setup(name="cloudharness", version="3.0.0", packages=find_packages(exclude=["tests"]))
""",
    "cloudharness/__init__.py": """\
import logging
import sys

log = logging
logging.basicConfig(stream=sys.stdout, level=logging.INFO)

__all__ = ["log"]
""",
    "cloudharness/utils/__init__.py": "",
    "cloudharness/utils/config.py": """\
import os

import yaml

ALLVALUES_PATH = os.getenv("CH_VALUES_PATH", "/opt/cloudharness/resources/allvalues.yaml")


class CloudharnessConfig:
    allvalues = {}

    @classmethod
    def get_configuration(cls):
        if not cls.allvalues and os.path.exists(ALLVALUES_PATH):
            with open(ALLVALUES_PATH) as file:
                cls.allvalues = yaml.safe_load(file)
        return cls.allvalues

    @classmethod
    def get_namespace(cls):
        return cls.get_configuration()["namespace"]

    @classmethod
    def get_domain(cls):
        return cls.get_configuration()["domain"]

    @classmethod
    def get_current_app_name(cls):
        return os.getenv("CH_CURRENT_APP_NAME")

    @classmethod
    def get_applications(cls):
        return cls.get_configuration()["apps"]
""",
    "cloudharness/applications.py": """\
from cloudharness.utils.config import CloudharnessConfig


class ConfigurationCallException(Exception):
    pass


class Values:
    def __init__(self, values):
        self.values = values

    def __getattr__(self, name):
        value = self.values.get(name)
        return Values(value) if isinstance(value, dict) else value


def get_configuration(app_name):
    for application in CloudharnessConfig.get_applications().values():
        if application["harness"]["name"] == app_name:
            return Values(application)
    raise ConfigurationCallException(f"Application {app_name} is not part of the deployment.")


def get_current_configuration():
    try:
        return get_configuration(CloudharnessConfig.get_current_app_name())
    except Exception as e:
        raise ConfigurationCallException("check env variable CH_CURRENT_APP_NAME") from e
""",
    "cloudharness/workflows/__init__.py": """\
from . import argo_service as argo
from . import argo_service
""",
    "cloudharness/workflows/argo_service.py": "IS_OLD = True\n",
    "cloudharness/workflows/operations.py": "IS_OLD = True\n",
    "cloudharness/workflows/tasks.py": "IS_OLD = True\n",
    "cloudharness/workflows/utils.py": "IS_OLD = True\n",
}


def create_library(directory: Path) -> Path:
    """Write the library's source into a directory, and return it."""
    if given := os.environ.get("CLOUDHARNESS_LIBRARY"):
        return Path(given)
    for name, text in FILES.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return directory


def build_wheel(directory: Path) -> Path:
    """Build the wheel of this project into a directory."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True, timeout=120)
    (wheel,) = directory.glob("*.whl")
    return wheel


class Environment:
    """A virtual environment. It has the packages of the tests' environment, but not this project.

    Attributes:
        python: its interpreter.
        path: PYTHONPATH of its programs.

    """

    def __init__(self, directory: Path) -> None:
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", str(directory)],
            check=True,
            timeout=60,
        )
        self.python = directory / "bin" / "python"
        self.path = ""
        scheme = {"base": str(directory), "platbase": str(directory)}
        self.packages = Path(sysconfig.get_path("purelib", "venv", scheme))
        # A path in a .pth file is not searched for .pth files, such as that of this project.
        (self.packages / "zz_tests.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def install(self, *arguments: str) -> None:
        """Install a package without its dependencies, and without the network."""
        base = ("install", "--quiet", "--no-deps", "--offline", "--no-build-isolation")
        self._uv("pip", *base, "--python", str(self.python), *arguments)

    def install_library(self, way: str, source: Path) -> None:
        """Install the library in one of the `WAYS`."""
        mode = way.partition("-")[2]
        if way == "path":
            self.path = str(source)
        elif way == "regular":
            self.install(str(source))
        else:
            settings = [f"--config-settings=editable_mode={mode}"] if mode else []
            self.install("--editable", str(source), *settings)

    def uninstall(self, name: str) -> None:
        """Uninstall a package."""
        self._uv("pip", "uninstall", "--quiet", "--python", str(self.python), name)

    def run(self, code: str, **variables: str) -> str:
        """Run Python code in the environment, and return what it prints."""
        ran = subprocess.run(
            [str(self.python), "-c", code],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self.packages,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": self.path, **variables},
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def _uv(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "uv", *arguments]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
