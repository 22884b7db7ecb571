"""Provide the data of the pages: points, spans and logs; dashboards and monitors of store and files."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from monitoring.deploy.marker import read_marker
from monitoring.discovery.machines import definitions_of
from monitoring.errors import InputError
from monitoring.preview.data import Data
from monitoring.preview.monitors import Monitors
from monitoring.preview.stored import Histories, facts_of
from monitoring.resources.catalogue import MetricFacts, known_metrics
from monitoring.resources.files import path_of, paths_of, read_resource
from monitoring.resources.instances import Lookup
from monitoring.resources.project import instances_in, load_project, made_of
from monitoring.store import Store
from monitoring.store.definitions import recorded_definition
from monitoring.store.joined import source_of

Body = Mapping[str, Any]
API = "API"
"""The origin of resources that API clients have created."""


@dataclass(frozen=True, slots=True)
class SiteEntry:
    """A dashboard or monitor: `key` is part of its address; `problem` is the reason if its file is invalid.

    `applied` is the id of the resource that was applied from the file.
    """

    key: str
    title: str
    body: Body
    origin: str
    problem: str = ""
    applied: str = ""


@dataclass(slots=True)
class Site:
    """One store and one project folder. Files are read at every request, so a page is never outdated."""

    store: Store
    root: Path | None = None
    clock: Callable[[], float] = time.time
    known: Mapping[str, MetricFacts] = field(default_factory=known_metrics)
    stood: dict[tuple[str, str], tuple[int, str | None, str]] = field(default_factory=dict)
    """(monitor, body) -> (minute, state, text), for monitors in files."""
    watched: threading.Event | None = None
    """Set after the server's first evaluation of the monitors; pages wait for it and then show the results of
    the evaluation every minute. None if no server evaluates monitors."""

    def dashboards(self) -> list[SiteEntry]:
        """Return the dashboards of the files, then those of API clients."""
        return list(self._entries("dashboard", "title"))

    def monitors(self) -> list[SiteEntry]:
        """Return the monitors of the files, then those of API clients."""
        return list(self._entries("monitor", "name"))

    def listed(self, kind: str) -> list[SiteEntry]:
        """Return the resources of a kind; one that was applied from a file is listed once, as the file."""
        entries = self.dashboards() if kind == "dashboard" else self.monitors()
        files = {entry.key: entry for entry in entries if entry.origin != API}
        for entry in entries:
            owner = read_marker(kind, entry.body) if entry.origin == API else None
            if owner and owner.key in files:
                before = files[owner.key]
                files[owner.key] = replace(
                    before, origin=f"{before.origin}, applied as {entry.key}", applied=entry.key
                )
            elif entry.origin == API:
                files[f"{API} {entry.key}"] = entry
        return list(files.values())

    def definition(self, machine: str) -> Body | None:
        """Return a state machine's definition: the recorded one, or the one in the project's template."""
        return recorded_definition(self.store, machine) or self._project_definitions().get(machine)

    def logical_ids(self, machine: str) -> list[str]:
        """Return the logical ids of the state machines with a name in the project's template."""
        return [logical_id for logical_id, name, _ in self._project_machines() if name == machine]

    def _project_definitions(self) -> Mapping[str, Body]:
        """Return the definitions in the project's template by name."""
        return {name: definition for _, name, definition in self._project_machines()}

    def _project_machines(self) -> list[tuple[str, str, Body]]:
        """Return (logical id, name, definition) of the template's machines; [] without a template."""
        if self.root is None:
            return []
        with contextlib.suppress(InputError, OSError):
            return list(definitions_of(self.root))
        return []

    def find(self, kind: str, key: str) -> SiteEntry | None:
        """Return the entry with a key, or None."""
        entries = self.dashboards() if kind == "dashboard" else self.monitors()
        return next((entry for entry in entries if entry.key == key), None)

    def _entries(self, kind: str, name: str) -> Iterator[SiteEntry]:
        variables = self._variables()
        lookup = instances_in(partial(path_of, self.root or Path()), lambda: variables)
        for path in self.files(kind):
            yield from _from_file(path, (kind, name), variables, lookup)
        for body in self.store.documents.all(kind):
            yield SiteEntry(str(body.get("id")), str(body.get(name) or body.get("id")), body, API)

    def _variables(self) -> Mapping[str, Any]:
        """Return the values of `${var:…}` without an environment; {} if stepscope.toml is not readable."""
        try:
            return load_project(self.root).variables if self.root else {}
        except InputError:
            return {}

    def files(self, kind: str) -> list[Path]:
        """Return the project's files of that kind."""
        return paths_of(self.root, kind) if self.root else []

    def data(self, start: int, end: int) -> Data:
        """Return the store's data between two times, with units, SLOs and monitors."""
        slos = {entry.key: entry.body for entry in self._entries("slo", "name") if not entry.problem}
        facts = facts_of(self.store, slos, self._monitor_bodies())
        return Data(source_of(self.store), start, end, unit_of=self.unit_of, facts=facts)

    def _monitor_bodies(self) -> dict[str, Body]:
        return {entry.key: entry.body for entry in self.monitors() if not entry.problem}

    def unit_of(self, name: str) -> str:
        """Return the unit of a metric, or "" if it is unknown."""
        return self.known[name].unit if name in self.known else ""

    def store_values(self, keys: Iterable[str]) -> dict[str, list[str]]:
        """Return tag key -> values in any series."""
        selected = {key for key in keys if key}
        values_of: dict[str, set[str]] = {}
        with self.store.reading() as cursor:
            stored = cursor.execute("SELECT DISTINCT unnest(tags) FROM series").fetchall()
        for tag in {str(tag) for (tag,) in stored} | {tag for _, tags in self._replayed() for tag in tags}:
            key, _, value = tag.partition(":")
            if key in selected:
                values_of.setdefault(key, set()).add(value)
        return {key: sorted(values) for key, values in values_of.items()}

    def tags(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Return (metric -> tag keys of its series, tag key -> its values), both sorted."""
        statement = (
            "SELECT metric, list_sort(list_distinct(flatten(list(CASE WHEN coalesce(host, '') = '' THEN tags"
            " ELSE list_append(tags, 'host:' || host) END)))) FROM series GROUP BY metric"
        )
        with self.store.reading() as cursor:
            tag_rows = cursor.execute(statement).fetchall()
        tags_of: dict[str, set[str]] = {}
        for metric, tags in (*tag_rows, *self._replayed()):
            tags_of.setdefault(metric, set()).update(map(str, tags))
        keys: dict[str, list[str]] = {}
        values: dict[str, set[str]] = {}
        for metric, tags in tags_of.items():
            pairs = [tag.partition(":")[::2] for tag in sorted(tags)]
            keys[metric] = list(dict.fromkeys(key for key, _ in pairs))
            for key, value in pairs:
                values.setdefault(key, set()).add(value)
        return keys, {key: sorted(values[key]) for key in sorted(values)}

    def _replayed(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return (metric, tags) of the sources in the replay beside the store."""
        history = self.store.history
        return [(source.metric, source.tags) for source in history.partitions.identities()] if history else []

    def known_monitors(self) -> Monitors:
        """Return the monitors for widgets, by key and by id; states are looked up on demand."""
        bodies = self._monitor_bodies()
        return Monitors(bodies, Histories(self.store, bodies).states(int(self.clock())))


def _from_file(
    path: Path, shown: tuple[str, str], variables: Mapping[str, Any], lookup: Lookup
) -> Iterator[SiteEntry]:
    """Yield the entries of a file, or one with its problem; `shown` is (kind, key of the title)."""
    kind, title = shown
    try:
        file = read_resource(path, kind, root=path.parent.parent)
    except InputError as error:
        yield SiteEntry(path.stem, path.stem, {}, path.name, str(error))
        return
    try:
        made = made_of(file, variables, lookup)
    except InputError:  # a variable without a value in this environment is shown by its name
        made = [file]
    for resource in made:
        name = str(resource.body.get(title) or resource.key)
        yield SiteEntry(resource.key, name, resource.body, path.name)
