"""Implement `stepscope preview`: read dashboards and data, draw, and write files."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitoring.errors import InputError, writing
from monitoring.preview.data import Data, definitions
from monitoring.preview.drawing import Drawing, identity
from monitoring.preview.facts import NOTHING, Facts
from monitoring.preview.failures import Failure, failure_of
from monitoring.preview.monitors import Monitors
from monitoring.preview.page import dashboard_page
from monitoring.preview.picture import as_png, as_svg, picture_of, prepared, side_by_side
from monitoring.preview.sample import sample
from monitoring.preview.sample_facts import sample_facts, sample_states
from monitoring.preview.theme import DARK, LIGHT
from monitoring.query.datafile import is_database
from monitoring.query.datafile import load as load_series
from monitoring.query.sources import SeriesSource, Source
from monitoring.resources.catalogue import known_metrics
from monitoring.resources.files import path_of, read_resource
from monitoring.resources.project import instances_in, load_project, made_of, usable_resources
from monitoring.resources.resource import Resource

if TYPE_CHECKING:
    from monitoring.store.parquet_source import Partitions


@dataclass(frozen=True, slots=True)
class Files:
    """The dashboards to draw, the monitors and SLOs of the project by key, and the problems of files."""

    dashboards: list[Resource]
    monitors: Mapping[str, Mapping[str, Any]]
    slos: Mapping[str, Mapping[str, Any]]
    problems: list[InputError]


def load(paths: Sequence[Path], root: Path) -> Files:
    """Read the dashboards of files and folders (by default `dashboards/`), and monitors and SLOs.

    Raises:
        InputError: there is no dashboard.
    """
    named = list(paths) or [root / "dashboards"]
    folders = {path for path in named if path.is_dir() or not paths}
    chosen = [file for path in named for file in (sorted(path.glob("*.json")) if path in folders else [path])]
    if not chosen:
        raise InputError(
            f"there is no dashboard in {', '.join(map(str, named))}",
            hint="Name a file, or go to the project's folder, or start one: stepscope init",
        )
    dashboards: list[Resource] = []
    project = load_project(root)
    beside, problems = usable_resources(project, ("monitor", "slo"))
    lookup = instances_in(partial(path_of, root), lambda: project.variables)
    for path in chosen:
        try:
            dashboards += made_of(read_dashboard(path), project.variables, lookup)
        except InputError as error:
            problems.append(error)
    monitors, slos = ([item for item in beside if item.kind == kind] for kind in ("monitor", "slo"))
    return Files(dashboards, _by_key(monitors), _by_key(slos), problems)


def _by_key(resources: Iterable[Resource]) -> dict[str, Mapping[str, Any]]:
    return {resource.key: resource.body for resource in resources}


def read_dashboard(path: Path) -> Resource:
    """Read a dashboard.

    Raises:
        InputError: the file cannot be used, its `widgets` is missing or not a list, or nested too deeply.
    """
    dashboard = read_resource(path, "dashboard")
    if not isinstance(dashboard.body.get("widgets"), list):
        raise InputError("not a dashboard: `widgets` is missing or is not a list", where=str(path))
    if _is_deeper(dashboard.body["widgets"], _LEVELS):
        hint = "Datadog takes no group within a group."
        raise InputError(f"groups are nested more than {_LEVELS} deep", where=str(path), hint=hint)
    return dashboard


_LEVELS = 20


def _is_deeper(widgets: Any, levels: int) -> bool:
    """Return whether groups are nested deeper than `levels`."""
    level: list[Any] = [widgets]
    for _ in range(levels + 1):
        inside = [widget.get("definition") for row in level for widget in row if isinstance(widget, dict)]
        groups = [group.get("widgets") for group in inside if isinstance(group, dict)]
        level = [group for group in groups if isinstance(group, list)]
    return any(level)


def sampled(
    dashboard: Mapping[str, Any], window: tuple[int, int], monitors: Monitors | None = None
) -> SeriesSource:
    """Return synthetic series for all queries of a dashboard, including embedded monitors."""
    embedded = [shown.query for shown in (monitors or Monitors()).embedded(dashboard)]
    return SeriesSource(sample(dashboard, *window, known_metrics(), embedded))


def draw(
    dashboard: Resource,
    source: Source,
    window: tuple[int, int],
    monitors: Monitors,
    *,
    facts: Facts = NOTHING,
    dark: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> str:
    """Return the dashboard as SVG."""
    theme = DARK if dark else LIGHT
    return as_svg(dashboard.body, data_of(source, window, facts), theme, monitors, progress)


def data_of(source: Source, window: tuple[int, int], facts: Facts = NOTHING) -> Data:
    """Return the source over a time range, with the units of the catalogue."""
    known = known_metrics()
    return Data(source, *window, unit_of=lambda name: known[name].unit if name in known else "", facts=facts)


def write(picture: str, path: Path, scale: float) -> None:
    """Write the picture in the format of the file's extension."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in {".svg", ".html"}:
            path.write_text(picture, encoding="utf-8")
        else:
            path.write_bytes(as_png(picture, scale))


@dataclass(frozen=True, slots=True)
class Order:
    """The options of the command line."""

    data: str | None
    window: tuple[int, int]
    out: Path
    kind: str
    dark: bool = False
    scale: float = 1.0
    older: Path | None = None


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A file, whether it was written, and its widgets that could not be drawn."""

    path: Path
    failures: Sequence[Failure]
    done: bool = True


def carry_out(
    order: Order, files: Files, progress: Callable[[], None] = lambda: None
) -> Iterator[RenderedFile]:
    """Draw and write every dashboard, and yield each file once it is written.

    After an exception the other widgets and files are still drawn. If an older version cannot be read, it is
    added to the problems of `files`, and its dashboard is not drawn.

    Raises:
        InputError: the data cannot be used, or a file cannot be written.
    """
    with _world(order, files) as world:
        for dashboard in files.dashboards:
            path = order.out / f"{dashboard.key}.{order.kind}"
            try:
                older = _older(order, dashboard)
            except InputError as error:
                files.problems.append(error)
                continue
            failures: list[Failure] = []
            try:
                write(_rendered(order, (dashboard, older), world, progress, failures), path, order.scale)
            except InputError:
                raise
            except Exception as error:  # noqa: BLE001 - the other dashboards still have to be drawn
                definition = {"type": "dashboard", "title": dashboard.body.get("title")}
                yield RenderedFile(path, [*failures, failure_of(definition, error)], done=False)
            else:
                yield RenderedFile(path, failures)


@dataclass(frozen=True, slots=True)
class DashboardData:
    """The data of a dashboard's drawing."""

    source: Source
    facts: Facts
    monitors: Monitors


World = Callable[[Resource], DashboardData]
"""Dashboard -> its data: the same for all, or generated for each."""


def _rendered(
    order: Order,
    versions: tuple[Resource, Resource | None],
    world: World,
    progress: Callable[[], None],
    failures: list[Failure],
) -> str:
    """Return the picture or page of a dashboard, side by side with its older version if there is one."""
    theme = DARK if order.dark else LIGHT

    def drawing_of(version: Resource) -> Drawing:
        inputs = world(version)
        data = data_of(inputs.source, order.window, inputs.facts)
        return replace(prepared(version.body, data, inputs.monitors), failures=failures)

    def drawn(version: Resource, marked: frozenset[str] = frozenset()) -> str:
        return picture_of(version.body, replace(drawing_of(version), marked=marked), theme, progress)

    dashboard, before = versions
    if order.kind == "html":
        return dashboard_page(dashboard.body, drawing_of(dashboard))
    if order.older is None:
        return drawn(dashboard)
    if before is None:
        return side_by_side(None, drawn(dashboard), theme)
    old, new = _said(before), _said(dashboard)
    return side_by_side(drawn(before, old - new), drawn(dashboard, new - old), theme)


def _said(dashboard: Resource) -> frozenset[str]:
    """Return the widgets' definitions as texts, to compare them with another version of the dashboard."""
    return frozenset(identity(definition) for definition in definitions(dashboard.body.get("widgets")))


def _older(order: Order, dashboard: Resource) -> Resource | None:
    if order.older is None:
        return None
    path = order.older / f"{dashboard.key}.json" if order.older.is_dir() else order.older
    return read_dashboard(path) if path.is_file() else None


@contextmanager
def _world(order: Order, files: Files) -> Iterator[World]:
    """Yield the given data; without any, synthetic data for each dashboard."""
    monitors, slos = Monitors(files.monitors), files.slos
    if order.data is None:
        yield lambda version: made_up(version.body, order.window, monitors.bodies, slos)
    elif (replay := _partitions(order.data)) is not None:
        from monitoring.store.parquet_source import ParquetSource

        with closing(replay):
            history = ParquetSource(replay)
            facts = Facts(slos=slos, points=lambda queries, start, end: history)
            replayed = DashboardData(history, facts, monitors)
            yield lambda version: replayed
    elif not is_database(order.data):
        source = SeriesSource(load_series(order.data).series)
        data = DashboardData(source, Facts(slos=slos, points=lambda queries, start, end: source), monitors)
        yield lambda version: data
    else:  # import the database's library only here
        from monitoring.preview.stored import Histories, facts_of
        from monitoring.store import Store
        from monitoring.store.query_source import StoreSource

        with Store.open(order.data, read_only=True) as store:
            histories = Histories(store, monitors.bodies)
            known = replace(monitors, groups=histories.states(order.window[1]))
            stored = DashboardData(StoreSource(store), facts_of(store, slos, monitors.bodies), known)
            yield lambda version: stored


def _partitions(data: str) -> "Partitions | None":
    """Return the Parquet files of a replay, None where the data are others."""
    if not data.startswith("s3://") and not Path(data).is_dir():
        return None
    from monitoring.store.parquet_source import open_partitions

    return open_partitions(data)


def made_up(
    dashboard: Mapping[str, Any],
    window: tuple[int, int],
    monitors: Mapping[str, Mapping[str, Any]],
    slos: Mapping[str, Mapping[str, Any]],
) -> DashboardData:
    """Return synthetic series, logs, events, spans, checks, objectives and states for a dashboard."""
    known = Monitors(monitors, sample_states, sampled=True)
    facts = sample_facts(dashboard, known_metrics(), slos, monitors)
    return DashboardData(sampled(dashboard, window, known), facts, known)
