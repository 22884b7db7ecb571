"""Compute a plan from desired and actual resources."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from monitoring.deploy.canonical import fingerprint, left_to_datadog, normalise
from monitoring.deploy.marker import read_marker, without_marker
from monitoring.deploy.references import Ids, references, resolve
from monitoring.resources.resource import KINDS, Resource

Action = Literal["create", "update", "delete", "unchanged"]


class PropertyChange(NamedTuple):
    """A difference at `path`, such as `options.thresholds.critical`; a side without the key is None."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class PlanStep:
    """The action on a resource.

    Args:
        drift: the resource in Datadog differs from what was last applied.
        copy: a second resource with the same key, created by another apply at the same time.
    """

    action: Action
    kind: str
    key: str
    id: str | None = None
    changes: tuple[PropertyChange, ...] = ()
    drift: bool = False
    copy: bool = False


class Plan(NamedTuple):
    """The steps of all resources, in four lists."""

    create: tuple[PlanStep, ...] = ()
    update: tuple[PlanStep, ...] = ()
    delete: tuple[PlanStep, ...] = ()
    unchanged: tuple[PlanStep, ...] = ()

    @property
    def steps(self) -> tuple[PlanStep, ...]:
        """Return the steps to apply."""
        return (*self.create, *self.update, *self.delete)

    def checksum(self) -> str:
        """Return a checksum of the steps and of the resources in Datadog that they change."""
        rows = [
            [s.action, s.kind, s.key, s.id, [[c.path, c.before, c.after] for c in s.changes]]
            for s in self.steps
        ]
        return hashlib.sha256(json.dumps(rows, sort_keys=True, default=str).encode()).hexdigest()


def make_plan(desired: Sequence[Resource], actual: Sequence[Resource]) -> Plan:
    """Return the plan from `actual` to `desired`; `actual` has only resources of the same owner.

    If several resources in Datadog have the same key (after two concurrent applies), the oldest is kept and
    the others are deleted as copies.
    """
    kept, extra = _one_a_key(actual)
    ids: dict[tuple[str, str], str] = {me: str(resource.id) for me, resource in kept.items()}
    wanted = {(resource.kind, resource.key) for resource in desired}
    steps = [_step(resource, kept.get((resource.kind, resource.key)), ids) for resource in desired]
    steps += [_deletion(resource) for me, resource in kept.items() if me not in wanted]
    steps += [replace(_deletion(resource), copy=True) for resource in extra]
    rank = {kind: index for index, kind in enumerate(KINDS)}
    steps.sort(key=lambda step: (rank[step.kind], step.key, str(step.id)))
    return Plan(**{action: tuple(step for step in steps if step.action == action) for action in _ACTIONS})


_ACTIONS = ("create", "update", "delete", "unchanged")


def _one_a_key(actual: Sequence[Resource]) -> tuple[dict[tuple[str, str], Resource], list[Resource]]:
    kept: dict[tuple[str, str], Resource] = {}
    extra = []
    for resource in sorted(actual, key=lambda resource: age(resource.id, resource.body)):
        if (resource.kind, resource.key) in kept:
            extra.append(resource)
        else:
            kept[(resource.kind, resource.key)] = resource
    return kept, extra


def _step(desired: Resource, actual: Resource | None, ids: Ids) -> PlanStep:
    if actual is None:
        body = normalise(desired.kind, desired.body)
        return PlanStep("create", desired.kind, desired.key, changes=tuple(_differences(None, body, "")))
    theirs = left_to_datadog(actual.kind, without_marker(actual.kind, actual.body), desired.body)
    changes = tuple(
        _differences(normalise(actual.kind, theirs), normalise(desired.kind, resolve(desired.body, ids)), "")
    )
    if read_marker(actual.kind, actual.body) is None:
        changes = (PropertyChange("owner", None, "stepscope"), *changes)
    elif not changes and (made_now := _made_now(desired, ids)):
        changes = (PropertyChange("links", None, made_now),)
    if not changes:
        return PlanStep("unchanged", desired.kind, desired.key, actual.id)
    return PlanStep("update", desired.kind, desired.key, actual.id, changes, _is_drift(actual, theirs))


def _made_now(desired: Resource, ids: Ids) -> list[str]:
    """Return the references to resources that this plan creates, left unresolved by an interrupted apply."""
    mentioned = {(reference.kind, reference.key) for reference in references(desired.body)} - {
        (desired.kind, desired.key)
    }
    return sorted(f"{kind}:{key}" for kind, key in mentioned if (kind, key) not in ids)


def _is_drift(actual: Resource, theirs: Mapping[str, Any]) -> bool:
    owner = read_marker(actual.kind, actual.body)
    # A link that could not be filled in at the first write is nobody's change.
    pending = any(reference.soft for reference in references(theirs))
    return owner is not None and not pending and owner.fingerprint != fingerprint(actual.kind, theirs)


def _deletion(resource: Resource) -> PlanStep:
    body = normalise(resource.kind, without_marker(resource.kind, resource.body))
    return PlanStep("delete", resource.kind, resource.key, resource.id, tuple(_differences(body, None, "")))


_MISSING = object()


def _differences(before: Any, after: Any, path: str) -> Iterator[PropertyChange]:
    """Yield the differences of two values, recursively as long as both have the same shape."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _differences(
                before.get(key, _MISSING), after.get(key, _MISSING), f"{path}.{key}" if path else str(key)
            )
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(old, new, f"{path}[{index}]")
    elif not path:  # a whole resource, made or removed: its top-level keys
        yield from _whole(before, after)
    else:
        yield PropertyChange(
            path, None if before is _MISSING else before, None if after is _MISSING else after
        )


def _whole(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[PropertyChange]:
    for key, value in (before or {}).items():
        yield PropertyChange(key, value, None)
    for key, value in (after or {}).items():
        yield PropertyChange(key, None, value)


def age(id_: str | None, body: Mapping[str, Any]) -> tuple[str, int, str]:
    """Return the sort key of resources by age, so that every apply keeps the same one."""
    created = body.get("created") or body.get("created_at") or ""
    return str(created), len(str(id_)), str(id_)
