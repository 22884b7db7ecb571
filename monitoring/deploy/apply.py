"""Carrying a plan out: creations in the order of their references, updates, then deletions.

Every write is one whole resource with its marker, so an apply that is killed leaves nothing half done, and
the next plan finds by their markers the resources that were made.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from typing import Any

from monitoring.deploy.api import IN_PARALLEL, Body, Client, RejectedError, UnansweredError
from monitoring.deploy.canonical import DEFAULTS, MONITOR_OPTION_DEFAULTS, explicit, fingerprint
from monitoring.deploy.differ import Plan, PlanStep
from monitoring.deploy.marker import Owner, read_marker, with_marker
from monitoring.deploy.references import order, references, resolve
from monitoring.errors import InputError
from monitoring.resources.project import Project
from monitoring.resources.resource import Resource
from monitoring.values import dataclass

Me = tuple[str, str]


@dataclass(slots=True)
class AppliedPlan:
    """What was done, and what was not, with the reason."""

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
    """Do all that the plan says; one failure costs only what depends on it.

    `progress` is called after every step that was done, from many threads.
    """
    bodies = {(one.kind, one.key): one.body for one in desired}
    ids = {(one.kind, one.key): str(one.id) for one in actual}
    with ThreadPoolExecutor(IN_PARALLEL) as pool:
        run = _Run(client, project, bodies, ids, progress, pool)
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
    progress: Callable[[PlanStep], None]
    pool: ThreadPoolExecutor
    late: list[PlanStep] = field(default_factory=list)
    outcome: AppliedPlan = field(default_factory=AppliedPlan)

    def each(self, act: Callable[[PlanStep], object], steps: Iterable[PlanStep]) -> None:
        """The act on every step, in parallel."""
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
        """Wave by wave, each resource once the ids that it needs are known."""
        waves = order(self.bodies)
        by_key = {(step.kind, step.key): step for step in steps}
        for wave in waves:
            self.each(self._make, [by_key[me] for me in wave if me in by_key])
        late, self.late = self.late, []
        list(self.pool.map(self._complete, late))

    def _make(self, step: PlanStep) -> None:
        me = (step.kind, step.key)
        mentions = references(self.bodies[me])
        for one in mentions:
            if not one.soft and (one.kind, one.key) not in self.ids:
                raise RejectedError(400, [f"{one.kind}:{one.key}, which it needs, could not be created"])
        incomplete = any((one.kind, one.key) not in self.ids for one in mentions)
        self.ids[me] = self._create_once(step, self._marked(step))
        if incomplete:
            self.late.append(step)

    def _create_once(self, step: PlanStep, body: Body) -> str:
        """The new id; where an answer is lost, what it may have made is looked for before another try."""
        for _ in range(3):
            try:
                return self.client.create(step.kind, body)
            except UnansweredError:
                found = self._find(step)
                if found:
                    return found
        raise RejectedError(500, ["Datadog broke off three times"])

    def _find(self, step: PlanStep) -> str | None:
        for id_, body in self.client.everything(step.kind):
            owner = read_marker(step.kind, body)
            if owner and (owner.project, owner.env, owner.key) == (
                self.project.name,
                self.project.env,
                step.key,
            ):
                return id_
        return None

    def _complete(self, step: PlanStep) -> None:
        """Fill in the links of resources that refer to each other in a circle."""
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
        """What may refer to others goes before them; then monitors, as Datadog lets them go."""
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
    """What the file no longer says is set back by name: an update changes only the keys that it carries."""
    gone = {change.path for change in step.changes if change.after is None}
    reset = {
        name: default for name, default in DEFAULTS[step.kind].items() if name in gone and name not in body
    }
    body = {**body, **reset}
    options = {name: value for name, value in MONITOR_OPTION_DEFAULTS.items() if f"options.{name}" in gone}
    if step.kind == "monitor" and options:
        body["options"] = {**options, **(body.get("options") or {})}
    return body
