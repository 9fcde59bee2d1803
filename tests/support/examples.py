"""The examples: what a user applies, and beside it the Workflow that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import yaml
from typing_extensions import override

from cloudharness_operation.defaults import Defaults
from cloudharness_operation.model import Operation
from cloudharness_operation.names import FIRST_RUN, KIND, child_name
from cloudharness_operation.render import needs, workflow
from cloudharness_operation.render.facts import ClusterFacts

ROOT: Final = Path(__file__).parents[2]
VALUES: Final = ROOT / "charts" / "cloudharness-operator" / "values.yaml"

NAMESPACE: Final = "my-namespace"
UID: Final = "0a1b2c3d-0000-4000-8000-000000000000"
CATALOGUE: Final = "images"
"""What the operator is told by `tasks.catalogue`, as the example of it says."""

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """One file of examples/."""

    name: str

    @property
    def path(self) -> Path:
        """Where it is."""
        return ROOT / "examples" / f"{self.name}.yaml"

    @property
    def golden(self) -> Path:
        """Where the Workflow is that it becomes."""
        return ROOT / "examples" / "workflows" / f"{self.name}.yaml"

    @cached_property
    def documents(self) -> tuple[Manifest, ...]:
        """What a user applies."""
        return tuple(yaml.safe_load_all(self.path.read_text()))

    @property
    def operation(self) -> Manifest:
        """The operation among the documents."""
        (found,) = (one for one in self.documents if one["kind"] == KIND)
        return found

    @property
    def operation_name(self) -> str:
        """Name of the operation, which the file has too but for that of the demo."""
        return str(self.operation["metadata"]["name"])

    @property
    def child(self) -> str:
        """Name of the Workflow."""
        return child_name(self.operation_name, UID, FIRST_RUN)

    def render(self) -> Manifest:
        """Return the Workflow, made by the operator's own code."""
        metadata = self.operation["metadata"] | {"namespace": NAMESPACE, "uid": UID}
        operation = Operation.parse(self.operation | {"metadata": metadata})
        return workflow(operation, defaults(), self._facts(operation))

    def _facts(self, operation: Operation) -> ClusterFacts:
        """Return what the operator finds in a namespace with the other documents in it."""
        asked = needs(operation, defaults())
        claims = {
            one["metadata"]["name"]: frozenset(one["spec"]["accessModes"])
            for one in self._of_kind("PersistentVolumeClaim")
        }
        maps = {one["metadata"]["name"]: one["data"] for one in self._of_kind("ConfigMap")}
        return ClusterFacts(
            claims={name: claims[name] for name in asked.claims if name in claims},
            images=maps[CATALOGUE] if asked.images and CATALOGUE in maps else {},
        )

    def _of_kind(self, kind: str) -> list[Manifest]:
        return [one for one in self.documents if one["kind"] == kind]

    def text(self) -> str:
        """Return what the golden file should hold."""
        head = f"# What examples/{self.name}.yaml becomes. Written by `make generate`.\n"
        return head + yaml.dump(
            self.render(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000
        )


def defaults() -> Defaults:
    """Return the settings of an operator that is installed by the chart as it is, with Kafka."""
    tasks = yaml.safe_load(VALUES.read_text())["tasks"]
    return Defaults(
        task_image=tasks["image"],
        service_account=tasks["serviceAccount"]["name"],
        image_pull_policy=tasks["imagePullPolicy"],
        image_pull_secrets=tuple(tasks["imagePullSecrets"]),
        catalogue=CATALOGUE,
    )


def names() -> list[str]:
    """Return the names of all examples."""
    return sorted(path.stem for path in (ROOT / "examples").glob("*.yaml"))


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a person does, and no aliases."""

    @override
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else "")


_Dumper.add_representer(str, _text)
