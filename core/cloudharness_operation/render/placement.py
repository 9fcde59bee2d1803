"""Co-location: pods that share a volume or a context run on one node.

The form follows from how the scheduler reads required pod affinity
(kube-scheduler, interpodaffinity/filtering.go): an existing pod counts only if it matches *all*
terms of the new pod, and if none does, the new pod may run anywhere as long as it matches its own
terms. With two terms, a pod that shares one volume of the two would not count. So there is one
required term, the anchor, which all co-located pods of the run have. Pods outside the run that
share a volume or a context are read when the Workflow is created, and the run is bound to their
node (docs/decisions/0006).
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
"""CloudHarness's label, on its Deployments and on pods of workflows. A pod has one value of it."""
VOLUMES: Final = f"volumes.{GROUP}/"
"""Prefix of our labels for volumes: one label for each, since a pod may use several."""
TOPOLOGY: Final = "kubernetes.io/hostname"
PREFERENCE: Final = 100
"""Weight of preferred terms: the maximum."""
REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_MAX_LABEL: Final = 63


@dataclass(frozen=True, slots=True)
class ColocationRule:
    """A volume or a context because of which pods run on one node."""

    labels: tuple[tuple[str, str], ...]
    """Labels of pods that the rule applies to."""
    selector: tuple[tuple[str, tuple[str, ...]], ...]
    """Alternative selectors of such pods: a label key and its values; no values: any value."""
    required: bool

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether the rule applies to a pod with these labels."""
        return any(
            key in labels and (not values or labels[key] in values) for key, values in self.selector
        )

    def terms(self) -> list[Manifest]:
        """Return pod affinity terms, one for each selector."""
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
    """Return the values of CloudHarness's label on pods that use a claim."""
    return tuple(value for value in (claim, f"{claim}-{namespace}") if len(value) <= _MAX_LABEL)


def volume_rule(volume: Volume, child: str, namespace: str) -> ColocationRule | None:
    """Return the rule of a volume, or None if many nodes can mount it at once."""
    if not volume.one_node:
        return None
    required = volume.mount.mode is not Mode.RO
    if volume.claim is None:
        label = volume_label(f"{child}-{volume.name}")
        return ColocationRule(((label, "true"),), ((label, ()),), required)
    label = volume_label(volume.claim)
    ways: list[tuple[str, tuple[str, ...]]] = [(label, ())]
    labels = [(label, "true")]
    if spoken := forms(volume.claim, namespace):
        ways.insert(0, (USES_VOLUME, spoken))
        labels.insert(0, (USES_VOLUME, spoken[0]))
    return ColocationRule(tuple(labels), tuple(ways), required)


def context_rule(context: PodContext) -> ColocationRule:
    """Return the rule of a context."""
    pair = (context.key, context.value)
    return ColocationRule((pair,), ((context.key, (context.value,)),), context.required)


@dataclass(frozen=True, slots=True)
class ColocationGroup:
    """Tasks that must run on one node."""

    anchor: ColocationRule
    """The rule that becomes the required term."""
    rules: tuple[ColocationRule, ...]
    """All rules that any of them requires."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Labels and affinity of a template's pods."""

    labels: dict[str, str]
    affinity: Manifest | None


def colocation_groups(
    per_task: Mapping[str, Sequence[ColocationRule]],
) -> dict[str, ColocationGroup]:
    """Return the group of each task that has one: tasks that share a rule are in one group."""
    # Rules are keys, so that each occurs once, however many tasks have it.
    groups: list[tuple[list[str], dict[ColocationRule, None]]] = []
    for name, rules in per_task.items():
        required = dict.fromkeys(rule for rule in rules if rule.required)
        if not required:
            continue
        met = [group for group in groups if not required.keys().isdisjoint(group[1])]
        groups = [group for group in groups if group not in met]
        names = [*(one for group in met for one in group[0]), name]
        groups.append(
            (names, {rule: None for group in (*met, ([], required)) for rule in group[1]})
        )
    made = [(names, _group(tuple(rules))) for names, rules in groups]
    return {name: group for names, group in made for name in names}


def _group(rules: tuple[ColocationRule, ...]) -> ColocationGroup:
    # An existing claim before a context, and a context before a new claim: prefer a rule that other
    # pods share, since the scheduler follows it without a race.
    def rank(rule: ColocationRule) -> int:
        key = rule.selector[0][0]
        return 0 if key == USES_VOLUME else 2 if key.startswith(VOLUMES) else 1

    return ColocationGroup(min(rules, key=rank), rules)


def place(
    rules: Sequence[ColocationRule], group: ColocationGroup | None, pods: Sequence[Pod]
) -> Placement:
    """Return labels and affinity of the pods of a task with these rules."""
    labels: dict[str, str] = {}
    for rule in (*((group.anchor,) if group else ()), *rules):
        for key, value in rule.labels:
            labels.setdefault(key, value)
    affinity: Manifest = {}
    if pod := _pod_affinity(rules, group):
        affinity["podAffinity"] = pod
    if group and (terms := _node_terms(group, pods)):
        affinity["nodeAffinity"] = {REQUIRED: {"nodeSelectorTerms": terms}}
    return Placement(labels, affinity or None)


def _pod_affinity(rules: Sequence[ColocationRule], group: ColocationGroup | None) -> Manifest:
    parts: Manifest = {}
    if group:
        parts[REQUIRED] = group.anchor.terms()[:1]
    needed = {rule.labels for rule in rules if rule.required}
    preferred_rules = [rule for rule in rules if not rule.required and rule.labels not in needed]
    if preferred := [term for rule in preferred_rules for term in rule.terms()]:
        parts[PREFERRED] = [{"weight": PREFERENCE, "podAffinityTerm": term} for term in preferred]
    return parts


def _node_terms(group: ColocationGroup, pods: Sequence[Pod]) -> list[Manifest]:
    """Return node terms: the nodes of pods outside the run that share a rule with the group.

    Pods that match the anchor's term are left out: the scheduler follows them.
    """
    followed = ColocationRule((), group.anchor.selector[:1], required=True)
    strangers = [pod for pod in pods if not followed.holds(pod.labels)]
    places = [
        nodes
        for rule in group.rules
        if (nodes := {pod.node for pod in strangers if rule.holds(pod.labels)})
    ]
    if not places:
        return []
    if common := set.intersection(*places):
        return [{"matchFields": [_node(node)]} for node in sorted(common)]
    # They are on different nodes, so no node fits: the run stays pending, and its status says so.
    return [{"matchFields": [_node(min(nodes)) for nodes in places]}]


def _node(name: str) -> Manifest:
    return {"key": "metadata.name", "operator": "In", "values": [name]}
