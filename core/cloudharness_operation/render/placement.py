"""On which node the pods of a run go: together with whom they share a volume or a context.

How the scheduler reads required pod affinity decides the form of all this
(kube-scheduler, interpodaffinity/filtering.go): a pod that is already there counts only if it
matches *all* terms of the new one, and if none does, the new one may go anywhere as long as
it matches its own terms. So with two terms, a pod that shares one volume of the two would
not count. Hence one required term, the anchor, which all pods of the run that belong
together carry; whoever else shares a volume or a context is looked up when the Workflow is made,
and the run goes to that pod's node (docs/decisions/0006).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloudharness_operation.names import GROUP
from cloudharness_operation.render.facts import Pod
from cloudharness_operation.render.volumes import Volume
from cloudharness_operation.volumes import Mode, PodContext

Manifest = dict[str, Any]

USES_VOLUME: Final = "usesvolume"
"""CloudHarness's own label, on its Deployments and on pods of workflows. One value a pod."""
VOLUMES: Final = f"volumes.{GROUP}/"
"""Beginning of our labels for volumes: one label each, since a pod may use several."""
TOPOLOGY: Final = "kubernetes.io/hostname"
PREFERENCE: Final = 100
"""Weight of what is preferred: the most there is."""
REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_MAX_LABEL: Final = 63


@dataclass(frozen=True, slots=True)
class Bond:
    """A reason for pods to be on one node."""

    labels: tuple[tuple[str, str], ...]
    """What pods carry that have this bond."""
    selector: tuple[tuple[str, tuple[str, ...]], ...]
    """What finds them: for each way to have it a key and its values; no value stands for any."""
    required: bool

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether a pod with these labels has this bond, in any of the ways."""
        return any(
            key in labels and (not values or labels[key] in values) for key, values in self.selector
        )

    def terms(self) -> list[Manifest]:
        """Return pod affinity terms, one for each way."""
        return [
            {"labelSelector": {"matchExpressions": [_expression(*way)]}, "topologyKey": TOPOLOGY}
            for way in self.selector
        ]


def _expression(key: str, values: Sequence[str]) -> Manifest:
    if values:
        return {"key": key, "operator": "In", "values": list(values)}
    return {"key": key, "operator": "Exists"}


def volume_label(name: str) -> str:
    """Return the label of pods that use a claim."""
    if len(name) > _MAX_LABEL:
        name = f"{name[:50].rstrip('-.')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return VOLUMES + name


def forms(claim: str, namespace: str) -> tuple[str, ...]:
    """Return the values by which CloudHarness's pods say that they use a claim."""
    return tuple(value for value in (claim, f"{claim}-{namespace}") if len(value) <= _MAX_LABEL)


def volume_bond(volume: Volume, child: str, namespace: str) -> Bond | None:
    """Return the bond that a volume makes, or None where it can be on all nodes at once."""
    if not volume.one_node:
        return None
    required = volume.wish.mode is not Mode.RO
    if volume.claim is None:
        label = volume_label(f"{child}-{volume.name}")
        return Bond(((label, "true"),), ((label, ()),), required)
    label = volume_label(volume.claim)
    ways: list[tuple[str, tuple[str, ...]]] = [(label, ())]
    labels = [(label, "true")]
    if spoken := forms(volume.claim, namespace):
        ways.insert(0, (USES_VOLUME, spoken))
        labels.insert(0, (USES_VOLUME, spoken[0]))
    return Bond(tuple(labels), tuple(ways), required)


def context_bond(context: PodContext) -> Bond:
    """Return the bond that a context makes."""
    pair = (context.key, context.value)
    return Bond((pair,), ((context.key, (context.value,)),), context.required)


@dataclass(frozen=True, slots=True)
class Company:
    """What tasks have in common that must run on one node."""

    anchor: Bond
    """The one bond that the scheduler is told of."""
    bonds: tuple[Bond, ...]
    """All bonds that any of them requires."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What a template says about where its pods go."""

    labels: dict[str, str]
    affinity: Manifest | None


def companies(per_task: Mapping[str, Sequence[Bond]]) -> dict[str, Company]:
    """Return the company of each task that needs one: tasks that share a bond are in one."""
    # Bonds are keys, since each is to be there once, however many tasks have it.
    groups: list[tuple[list[str], dict[Bond, None]]] = []
    for name, bonds in per_task.items():
        required = dict.fromkeys(bond for bond in bonds if bond.required)
        if not required:
            continue
        met = [group for group in groups if not required.keys().isdisjoint(group[1])]
        groups = [group for group in groups if group not in met]
        names = [*(one for group in met for one in group[0]), name]
        groups.append(
            (names, {bond: None for group in (*met, ([], required)) for bond in group[1]})
        )
    made = [(names, _company(tuple(bonds))) for names, bonds in groups]
    return {name: company for names, company in made for name in names}


def _company(bonds: tuple[Bond, ...]) -> Company:
    # A claim that exists before a context, and that before a new claim: what others share
    # too is best left to the scheduler.
    def rank(bond: Bond) -> int:
        key = bond.selector[0][0]
        return 0 if key == USES_VOLUME else 2 if key.startswith(VOLUMES) else 1

    return Company(min(bonds, key=rank), bonds)


def place(bonds: Sequence[Bond], company: Company | None, pods: Sequence[Pod]) -> Placement:
    """Return labels and affinity of the pods of a task with these bonds."""
    labels: dict[str, str] = {}
    for bond in (*((company.anchor,) if company else ()), *bonds):
        for key, value in bond.labels:
            labels.setdefault(key, value)
    affinity: Manifest = {}
    if pod := _pod_affinity(bonds, company):
        affinity["podAffinity"] = pod
    if company and (terms := _pins(company, pods)):
        affinity["nodeAffinity"] = {REQUIRED: {"nodeSelectorTerms": terms}}
    return Placement(labels, affinity or None)


def _pod_affinity(bonds: Sequence[Bond], company: Company | None) -> Manifest:
    parts: Manifest = {}
    if company:
        parts[REQUIRED] = company.anchor.terms()[:1]
    needed = {bond.labels for bond in bonds if bond.required}
    wished = [bond for bond in bonds if not bond.required and bond.labels not in needed]
    if preferred := [term for bond in wished for term in bond.terms()]:
        parts[PREFERRED] = [{"weight": PREFERENCE, "podAffinityTerm": term} for term in preferred]
    return parts


def _pins(company: Company, pods: Sequence[Pod]) -> list[Manifest]:
    """Return node terms: the nodes of others with whom the company shares a bond.

    Those that match the anchor's term are left out: the scheduler finds and follows them.
    """
    followed = Bond((), company.anchor.selector[:1], required=True)
    strangers = [pod for pod in pods if not followed.holds(pod.labels)]
    places = [
        nodes
        for bond in company.bonds
        if (nodes := {pod.node for pod in strangers if bond.holds(pod.labels)})
    ]
    if not places:
        return []
    if common := set.intersection(*places):
        return [{"matchFields": [_node(node)]} for node in sorted(common)]
    # They are on different nodes, so there is no right one: the run waits, and says so.
    return [{"matchFields": [_node(min(nodes)) for nodes in places]}]


def _node(name: str) -> Manifest:
    return {"key": "metadata.name", "operator": "In", "values": [name]}
