"""Apply a plan: create resources in the order of their references, update, then delete.

Every write is a complete resource with its marker, so that an interrupted apply leaves no incomplete
resource, and the next plan finds the created resources by their markers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from monitoring.deploy.api import IN_PARALLEL, Body, Client, RejectedError, UnansweredError
from monitoring.deploy.canonical import DEFAULTS, MONITOR_OPTION_DEFAULTS, explicit, fingerprint
from monitoring.deploy.differ import Plan, PlanStep, age
from monitoring.deploy.marker import Owner, read_marker, with_marker
from monitoring.deploy.references import order, references, resolve
from monitoring.errors import InputError
from monitoring.resources.project import Project
from monitoring.resources.resource import Resource

Me = tuple[str, str]


@dataclass(slots=True)
class AppliedPlan:
    """The steps that were applied, and those that failed with the reasons."""

    done: list[PlanStep] = field(default_factory=list)
    failed: list[tuple[PlanStep, str]] = field(default_factory=list)


def apply_plan(
    client: Client,
    project: Project,
    plan: Plan,
    desired: Sequence[Resource],
    actual: Sequence[Resource],
    progress: Callable[[PlanStep], None] = lambda _: None,
) -> AppliedPlan:
    """Apply all steps of the plan; after a failure, only the steps that depend on it are skipped.

    `progress` is called after every applied step, from several threads.
    """
    bodies = {(resource.kind, resource.key): resource.body for resource in desired}
    youngest_first = sorted(actual, key=lambda resource: age(resource.id, resource.body), reverse=True)
    ids = {
        (resource.kind, resource.key): str(resource.id) for resource in youngest_first
    }  # of copies, the oldest stays
    doomed = frozenset(str(step.id) for step in plan.delete)
    with ThreadPoolExecutor(IN_PARALLEL) as pool:
        run = _Run(client, project, bodies, ids, doomed, progress, pool)
        run.create(plan.create)
        run.each(run.write, plan.update)
        run.delete(plan.delete)
    return run.outcome


@dataclass(slots=True)
class _Run:
    client: Client
    project: Project
    bodies: Mapping[Me, Mapping[str, Any]]
    ids: dict[Me, str]
    doomed: frozenset[str]
    progress: Callable[[PlanStep], None]
    pool: ThreadPoolExecutor
    late: set[Me] = field(default_factory=set)
    moved: set[Me] = field(default_factory=set)
    outcome: AppliedPlan = field(default_factory=AppliedPlan)

    def each(self, act: Callable[[PlanStep], object], steps: Iterable[PlanStep]) -> None:
        """Apply the steps in parallel."""
        list(self.pool.map(lambda step: self._try(act, step), steps))

    def _try(self, act: Callable[[PlanStep], object], step: PlanStep) -> None:
        try:
            act(step)
        except (RejectedError, UnansweredError, InputError) as error:
            self.outcome.failed.append((step, str(error)))
        else:
            self.outcome.done.append(step)
            self.progress(step)

    def create(self, steps: Sequence[PlanStep]) -> None:
        """Create resources in waves, each after the resources whose ids it needs."""
        by_key = {(step.kind, step.key): step for step in steps}
        for wave in order(self.bodies):
            created = [by_key[me] for me in wave if me in by_key]
            self.each(self._make, created)
            self._drop_younger_copies(created)
        if steps:
            self._finish()

    def _drop_younger_copies(self, steps: Sequence[PlanStep]) -> None:
        """Delete created resources that another apply has created before, and use the older ones instead."""
        for me, ids in self._ids_by_age((step.kind, step.key) for step in steps).items():
            own = self.ids.get(me)
            if own and own != ids[0]:
                self._move(me, ids[0])
                if own in ids:
                    with suppress(RejectedError):  # another apply still refers to it: `_finish` tries again
                        self.client.delete(me[0], own)

    def _finish(self) -> None:
        """Keep one resource per key: change references from copies to the oldest, then delete the copies."""
        by_age = self._ids_by_age(self.bodies)
        for me, ids in by_age.items():
            if self.ids.get(me, ids[0]) != ids[0]:
                self._move(me, ids[0])
        moved = {me for me in self.bodies if self._refers_to(me, self.moved)}
        list(self.pool.map(self._complete, sorted((self.late | self.moved | moved) & self.ids.keys())))
        for (kind, key), ids in by_age.items():
            for copy in (id_ for id_ in ids[1:] if id_ not in self.doomed):
                try:
                    self.client.delete(kind, copy)
                except RejectedError as error:
                    step = PlanStep("delete", kind, key, copy, copy=True)
                    self.outcome.failed.append((step, f"a copy, which cannot be deleted: {error}"))

    def _ids_by_age(self, keys: Iterable[Me]) -> dict[Me, list[str]]:
        """Return the ids in Datadog of each of these keys, the oldest first."""
        wanted = set(keys)
        by_age: dict[Me, list[str]] = {}
        for kind in {kind for kind, _ in wanted}:
            for id_, body in sorted(self.client.everything(kind), key=lambda row: age(*row)):
                owner = read_marker(kind, body)
                if owner and (owner.project, owner.env) == (self.project.name, self.project.env):
                    by_age.setdefault((kind, owner.key), []).append(id_)
        return {me: ids for me, ids in by_age.items() if me in wanted}

    def _move(self, me: Me, id_: str) -> None:
        self.ids[me] = id_
        self.moved.add(me)

    def _refers_to(self, me: Me, targets: set[Me]) -> bool:
        return any((reference.kind, reference.key) in targets for reference in references(self.bodies[me]))

    def _make(self, step: PlanStep) -> None:
        me = (step.kind, step.key)
        mentions = references(self.bodies[me])
        for mention in mentions:
            if not mention.soft and (mention.kind, mention.key) not in self.ids:
                raise RejectedError(
                    400, [f"{mention.kind}:{mention.key}, which it needs, could not be created"]
                )
        if any((mention.kind, mention.key) not in self.ids for mention in mentions):
            self.late.add(me)
        try:
            self.ids[me] = self._create_once(step, self._marked(step))
        except RejectedError:
            # Another apply may have deleted the copy that this one refers to.
            current = self._ids_by_age((mention.kind, mention.key) for mention in mentions)
            gone = [other for other, ids in current.items() if self.ids.get(other) not in ids]
            if not gone:
                raise
            for other in gone:
                self._move(other, current[other][0])
            self.ids[me] = self._create_once(step, self._marked(step))

    def _create_once(self, step: PlanStep, body: Body) -> str:
        """Create a resource and return its id; after a lost response, look for it before another try."""
        for _ in range(3):
            try:
                return self.client.create(step.kind, body)
            except UnansweredError:
                existing = self._find(step)
                if existing:
                    return existing
        raise RejectedError(500, ["Datadog broke off three times"])

    def _find(self, step: PlanStep) -> str | None:
        me = (step.kind, step.key)
        return next(iter(self._ids_by_age([me]).get(me, ())), None)

    def _complete(self, me: Me) -> None:
        """Write a resource again that refers to what was created later, or has another id now."""
        step = PlanStep("update", *me)
        try:
            self.write(step)
        except (RejectedError, InputError) as error:
            self.outcome.failed.append((step, f"created, but its links are not filled in: {error}"))

    def write(self, step: PlanStep) -> None:
        """Replace what is in Datadog by what is in the file."""
        self.client.update(step.kind, self.ids[step.kind, step.key], _with_resets(step, self._marked(step)))

    def _marked(self, step: PlanStep) -> Body:
        body = resolve(self.bodies[step.kind, step.key], self.ids)
        body.pop("id", None)
        mark = Owner(self.project.name, self.project.env, step.key, fingerprint(step.kind, body))
        return with_marker(step.kind, explicit(step.kind, body), mark)

    def delete(self, steps: Sequence[PlanStep]) -> None:
        """Delete what may refer to others first, then monitors as far as Datadog allows."""
        for kind in ("dashboard", "downtime", "slo"):
            self.each(self._remove, [step for step in steps if step.kind == kind])
        left = [step for step in steps if step.kind == "monitor"]
        while left:
            blocked = self.client.undeletable([str(step.id) for step in left])
            free = [step for step in left if str(step.id) not in blocked]
            if not free:
                self.outcome.failed += [(step, blocked[str(step.id)]) for step in left]
                return
            self.each(self._remove, free)
            left = [step for step in left if str(step.id) in blocked]

    def _remove(self, step: PlanStep) -> None:
        self.client.delete(step.kind, str(step.id))


def _with_resets(step: PlanStep, body: Body) -> Body:
    """Add the defaults of keys that the file no longer has, because an update changes only its own keys."""
    gone = {change.path for change in step.changes if change.after is None}
    reset = {
        name: default for name, default in DEFAULTS[step.kind].items() if name in gone and name not in body
    }
    body = {**body, **reset}
    options = {name: value for name, value in MONITOR_OPTION_DEFAULTS.items() if f"options.{name}" in gone}
    if step.kind == "monitor" and options:
        body["options"] = {**options, **(body.get("options") or {})}
    return body
