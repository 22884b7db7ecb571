"""The job behind `stepscope preview`: which dashboards, over which data, into which files."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitoring.datafile import is_database
from monitoring.datafile import load as load_series
from monitoring.errors import InputError
from monitoring.metrics_catalog import METRICS as CALL_METRICS
from monitoring.platform.names import METRICS as FORWARDER_METRICS
from monitoring.preview.asking import Data, definitions
from monitoring.preview.drawing import identity
from monitoring.preview.facts import NOTHING, Facts
from monitoring.preview.monitors import Monitors
from monitoring.preview.page import dashboard_page
from monitoring.preview.picture import as_png, as_svg, prepared, side_by_side
from monitoring.preview.sample import Knowledge, sample
from monitoring.preview.sample_facts import sample_facts, sample_states
from monitoring.preview.stored import Histories, facts_of
from monitoring.preview.theme import DARK, LIGHT
from monitoring.query.sources import SeriesSource, Source
from monitoring.resources.catalogue import metrics
from monitoring.series import MetricType
from monitoring.store import Store
from monitoring.store_query import StoreSource
from monitoring.values import dataclass

FORMATS = ("png", "svg", "html")


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard of the files."""

    key: str
    body: Mapping[str, Any]


def load(paths: Sequence[Path], root: Path) -> list[Dashboard]:
    """The dashboards of these files and folders, or of `dashboards/` where none is named.

    Raises:
        InputError: a file is no dashboard, or there is none.
    """
    named = list(paths) or [root / "dashboards"]
    folders = {path for path in named if path.is_dir() or not paths}
    chosen = [file for path in named for file in (sorted(path.glob("*.json")) if path in folders else [path])]
    if not chosen:
        raise InputError(
            f"there is no dashboard in {', '.join(map(str, named))}",
            hint="Name a file, or go to the project's folder, or start one: stepscope init",
        )
    return [Dashboard(path.stem, _read(path)) for path in chosen]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except ValueError as error:
        place = (
            f"{path}:{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else str(path)
        )
        raise InputError(f"is no JSON: {error}", where=place) from None
    if not isinstance(body, dict) or not isinstance(body.get("widgets"), list):
        raise InputError("is no dashboard: it has no list of widgets", where=str(path))
    return body


def load_monitors(root: Path) -> Monitors:
    """The project's monitors, without states."""
    return Monitors(load_bodies(root / "monitors"))


def load_bodies(folder: Path) -> dict[str, Mapping[str, Any]]:
    """A folder's objects by key; a file that cannot be read is left out, and said by `stepscope lint`."""
    bodies: dict[str, Mapping[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(body, dict):
            bodies[path.stem] = body
    return bodies


def knowledge() -> dict[str, Knowledge]:
    """Type and unit of every metric of AWS, of the decorator and of the forwarder."""
    rows = [(one.name, one.type, one.unit) for one in CALL_METRICS]
    rows += [(one.name, one.type, one.unit) for one in FORWARDER_METRICS]
    rows += [(one.name, one.type, one.unit) for one in metrics().values()]
    return {name: Knowledge(_type(kind), unit) for name, kind, unit in rows}


def _type(name: str) -> MetricType:
    known: dict[str, MetricType] = {"count": "count", "rate": "rate"}
    return "distribution" if name in {"distribution", "histogram"} else known.get(name, "gauge")


def sampled(
    dashboard: Mapping[str, Any], window: tuple[int, int], monitors: Monitors | None = None
) -> SeriesSource:
    """Synthetic series for everything that a dashboard asks for, embedded monitors included."""
    embedded = [one.query for one in (monitors or Monitors()).embedded(dashboard)]
    return SeriesSource(sample(dashboard, *window, knowledge(), embedded))


def draw(
    dashboard: Dashboard,
    source: Source,
    window: tuple[int, int],
    monitors: Monitors,
    *,
    facts: Facts = NOTHING,
    dark: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> str:
    """The dashboard as SVG."""
    theme = DARK if dark else LIGHT
    return as_svg(dashboard.body, data_of(source, window, facts), theme, monitors, progress)


def data_of(source: Source, window: tuple[int, int], facts: Facts = NOTHING) -> Data:
    """A source, looked at through a window, with the units that the catalogue knows."""
    known = knowledge()
    return Data(source, *window, unit_of=lambda name: known[name].unit if name in known else "", facts=facts)


def write(picture: str, path: Path, scale: float) -> None:
    """The picture in the format that the file's ending names."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in {".svg", ".html"}:
            path.write_text(picture, encoding="utf-8")
        else:
            path.write_bytes(as_png(picture, scale))
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(path)) from None


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be drawn, as the command line says it."""

    dashboards: tuple[Path, ...]
    root: Path
    data: Path | None
    window: tuple[int, int]
    out: Path
    kind: str
    dark: bool = False
    scale: float = 1.0
    older: Path | None = None


def carry_out(order: Order, progress: Callable[[], None] = lambda: None) -> Iterator[Path]:
    """Draw and write every dashboard; gives each file once it is there.

    Raises:
        InputError: files, data or times that cannot be used.
    """
    dashboards = load(order.dashboards, order.root)
    with _world(order) as world:
        for dashboard in dashboards:
            path = order.out / f"{dashboard.key}.{order.kind}"
            write(_rendered(order, dashboard, world, progress), path, order.scale)
            yield path


@dataclass(frozen=True, slots=True)
class Given:
    """What a dashboard is drawn over."""

    source: Source
    facts: Facts
    monitors: Monitors


World = Callable[[Dashboard], Given]
"""What a dashboard is drawn over: the same for each, or made up for each."""


def _rendered(order: Order, dashboard: Dashboard, world: World, progress: Callable[[], None]) -> str:
    theme = DARK if order.dark else LIGHT

    def drawn(one: Dashboard, marked: frozenset[str] = frozenset()) -> str:
        given = world(one)
        data = data_of(given.source, order.window, given.facts)
        return as_svg(one.body, data, theme, given.monitors, progress, marked)

    if order.kind == "html":
        given = world(dashboard)
        data = data_of(given.source, order.window, given.facts)
        return dashboard_page(dashboard.body, prepared(dashboard.body, data, given.monitors))
    if order.older is None:
        return drawn(dashboard)
    before = _older(order, dashboard)
    if before is None:
        return side_by_side(None, drawn(dashboard), theme)
    old, new = _said(before), _said(dashboard)
    return side_by_side(drawn(before, old - new), drawn(dashboard, new - old), theme)


def _said(dashboard: Dashboard) -> frozenset[str]:
    """What its widgets say, to be compared with another version of it."""
    return frozenset(identity(one) for one in definitions(dashboard.body.get("widgets")))


def _older(order: Order, dashboard: Dashboard) -> Dashboard | None:
    if order.older is None:
        return None
    path = order.older / f"{dashboard.key}.json" if order.older.is_dir() else order.older
    return Dashboard(dashboard.key, _read(path)) if path.is_file() else None


@contextmanager
def _world(order: Order) -> Iterator[World]:
    """The given data; where there is none, each dashboard gets synthetic data of its own."""
    monitors, slos = load_monitors(order.root), load_bodies(order.root / "slos")
    if order.data is None:
        yield lambda one: made_up(one.body, order.window, monitors.bodies, slos)
    elif not is_database(order.data):
        source = SeriesSource(load_series(order.data).series)
        given = Given(source, Facts(slos=slos, points=lambda queries, start, end: source), monitors)
        yield lambda one: given
    else:
        with Store.open(order.data, read_only=True) as store:
            histories = Histories(store, monitors.bodies)
            known = replace(monitors, groups=histories.states(order.window[1]))
            stored = Given(StoreSource(store), facts_of(store, slos, monitors.bodies), known)
            yield lambda one: stored


def made_up(
    dashboard: Mapping[str, Any],
    window: tuple[int, int],
    monitors: Mapping[str, Mapping[str, Any]],
    slos: Mapping[str, Mapping[str, Any]],
) -> Given:
    """Synthetic series, logs, events, spans, checks, objectives and states for a dashboard."""
    known = Monitors(monitors, sample_states)
    facts = sample_facts(dashboard, knowledge(), slos, monitors)
    return Given(sampled(dashboard, window, known), facts, known)
