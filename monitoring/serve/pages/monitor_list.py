"""List the monitors that a state, a tag and a text ask for, those that alert first."""

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from monitoring.serve.pages.shell import counted, field, link, page, select, table
from monitoring.serve.pages.site import Site
from monitoring.serve.pages.standing import STATES_BY_NEED, Standing, standings

NOT_EVALUATED = "not evaluated"
"""How a filter names the monitors that have no state."""


def listing(site: Site, request: Request) -> Response:
    """Return the list of monitors with their current states, or those that the address asks for."""
    query = dict(request.query_params)
    every = standings(site)
    shown = [standing for standing in every if _fits(standing, query)]
    if not every:
        empty = "There is no monitor: put one into monitors/, or send one to /api/v1/monitor."
    else:
        empty = f"No monitor fits. {link('/monitors', 'Show all')}"
    of = f"{len(shown)} of " if len(shown) < len(every) else ""
    listed = table(("State", "Monitor", "Groups", "From"), [standing.row() for standing in shown], empty)
    above = (
        f'{_filters(every, query)}<p class="muted">{of}{counted(len(every), "monitor")}</p>' if every else ""
    )
    return page(request, "Monitors", f"{above}{listed}")


def _fits(standing: Standing, query: Mapping[str, str]) -> bool:
    """Return whether a monitor has the state, the tag and every word of the text."""
    body = standing.entry.body
    tags = [tag.lower() for tag in standing.tags]
    parts = (standing.entry.title, standing.entry.key, body.get("query"), body.get("message"), *tags)
    text = " ".join(str(part or "") for part in parts).lower()
    wanted_tag = query.get("tag", "").strip().lower()
    return (
        query.get("state", "").lower() in {"", (standing.state or NOT_EVALUATED).lower()}
        and (not wanted_tag or any(tag == wanted_tag or tag.startswith(f"{wanted_tag}:") for tag in tags))
        and all(word in text for word in query.get("q", "").lower().split())
    )


def _filters(every: Sequence[Standing], query: Mapping[str, str]) -> str:
    states = {standing.state or NOT_EVALUATED for standing in every}
    known = [state for state in (*STATES_BY_NEED, NOT_EVALUATED) if state in states]
    tags = sorted({tag for standing in every for tag in standing.tags})
    chosen = next((state for state in known if state.lower() == query.get("state", "").lower()), "")
    fields = (
        field("q", query.get("q", ""), "Text", 24, "name, query, message"),
        select("state", [("", "all"), *((state, state) for state in known)], [chosen], "State"),
        _tag_field(tags, query.get("tag", "")),
    )
    return f'<form class="filters panel" method="get">{"".join(fields)}<button>Search</button></form>'


def _tag_field(tags: Sequence[str], chosen: str) -> str:
    """Return a drop-down of the tags; one that no monitor has stays in it while it is asked for."""
    listed = tags if chosen in {"", *tags} else [chosen, *tags]
    return select("tag", [("", "all"), *((tag, tag) for tag in listed)], [chosen], "Tag")
