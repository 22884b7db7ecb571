"""Draw widgets of SLOs: one with its windows and error budget, and a list."""

from monitoring.errors import InputError
from monitoring.monitor.search import Record, compile_search
from monitoring.preview.charts.lists import Column, Listing, ListRow
from monitoring.preview.charts.shapes import Frame
from monitoring.preview.charts.slo import objective, status_words
from monitoring.preview.drawing import Definition, Drawing, requests_of
from monitoring.preview.errors import UndrawableError
from monitoring.preview.objectives import TITLES, ObjectiveWindow, find, seen
from monitoring.preview.scales import plain
from monitoring.preview.variables import as_search
from monitoring.query import QueryError
from monitoring.slo import Slo, slo_state

TIMED = frozenset({"monitor", "time_slice"})


def slo(frame: Frame, definition: Definition, drawing: Drawing) -> str:
    """Draw an SLO over the widget's windows."""
    stored, _ = find(drawing.data.facts, str(definition.get("slo_id") or ""))
    unit = "second" if stored.type in TIMED else ""
    budget = definition.get("show_error_budget") is not False
    history = definition.get("view_type", "detail") == "detail"
    return objective(frame, _windows(stored, definition, drawing), budget=budget, history=history, unit=unit)


def _windows(objective: Slo, definition: Definition, drawing: Drawing) -> list[ObjectiveWindow]:
    names = [str(timeframe) for timeframe in definition.get("time_windows") or [] if timeframe in TITLES]
    names = names or [timeframe.timeframe for timeframe in objective.thresholds] or ["7d"]
    data = drawing.data
    scope = as_search(str(definition.get("additional_query_filters") or ""), data.variables)
    target = str(definition.get("global_time_target") or "")
    extra = float(target) if target.replace(".", "", 1).isdigit() else None
    return seen(data.facts, objective, names, (data.start, data.end), scope, extra)


def slo_list(definition: Definition, drawing: Drawing) -> Listing:
    """Return the SLOs of a search, each over its shortest window."""
    request = next(iter(requests_of(definition)), {})
    query = request.get("query") or {}
    try:
        test = compile_search(as_search(str(query.get("query_string") or ""), drawing.data.variables) or "*")
    except InputError as error:
        raise UndrawableError(str(error)) from None
    facts = drawing.data.facts
    bodies = {id(body): key for key, body in facts.slos.items() if test(_record(body))}
    slos = [find(facts, key)[0] for key in bodies.values()]
    limit = query.get("limit")
    rows = [(objective, _shown(objective, drawing)) for objective in slos]
    sort = (query.get("sort") or [{}])[0]
    if str(sort.get("column")).startswith("status"):
        rows.sort(key=lambda row: _order(row[1]), reverse=sort.get("order") == "desc")
    columns = (
        Column("Objective"),
        Column("Window", 66, spare=3),
        Column("Target", 70, right=True, spare=2),
        Column("Status", 80, right=True),
        Column("Budget left", 92, right=True, spare=1),
    )
    entries = [
        _entry(objective, shown) for objective, shown in rows[: limit if isinstance(limit, int) else None]
    ]
    return Listing(columns, tuple(entries), "No objective fits the search")


def _record(body: object) -> Record:
    from collections.abc import Mapping

    definition = body if isinstance(body, Mapping) else {}
    tags = tuple(map(str, definition.get("tags") or ()))
    text = f"{definition.get('name') or ''} {definition.get('description') or ''}"
    return Record(0, text, tags, {"type": definition.get("type"), "slo_type": definition.get("type")})


def _shown(objective: Slo, drawing: Drawing) -> ObjectiveWindow | str:
    data, primary = drawing.data, objective.primary
    try:
        window = [primary.timeframe if primary else "7d"]
        return seen(data.facts, objective, window, (data.start, data.end), "", None)[0]
    except (UndrawableError, QueryError) as error:
        return str(error).partition("\n")[0]


def _order(shown: ObjectiveWindow | str) -> float:
    return shown.sli if isinstance(shown, ObjectiveWindow) and shown.sli is not None else float("inf")


def _entry(objective: Slo, shown: ObjectiveWindow | str) -> ListRow:
    target = f"{plain(objective.primary.target)} %" if objective.primary else "–"
    window = objective.primary.timeframe if objective.primary else "–"
    if isinstance(shown, str):
        return ListRow((objective.name, window, target, "–", shown), "")
    state = slo_state(shown.sli, shown.target, shown.warning) if shown.target is not None else ""
    words = "–" if shown.budget is None else f"{plain(round(shown.budget, 1))} %"
    return ListRow((objective.name, window, target, status_words(shown), words), state, 3)
