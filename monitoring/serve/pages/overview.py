"""The first page: alerting monitors, the newest executions, links to everything, and how to send data."""

from html import escape

from starlette.requests import Request
from starlette.responses import Response

from monitoring.preview.scales import COUNTS
from monitoring.serve.pages.executions import latest
from monitoring.serve.pages.shell import counted, item_link, link, page, state_badge, table
from monitoring.serve.pages.site import Site
from monitoring.serve.pages.standing import Standing, standings

DAY = 86_400
MOST = 12


def overview(site: Site, request: Request) -> Response:
    """Return the first page, with links to everything."""
    now = int(site.clock())
    received = _received(site, request)
    ran = latest(site, now - DAY, now, MOST, "No execution in the last 24 hours.")
    left = f"<section>{_monitors(standings(site))}{_dashboards(site)}</section>"
    right = f"<section><h2>{link('/executions', 'Executions')}</h2>{ran}</section>"
    where = f"Files: {site.root.resolve()}" if site.root else "No project folder"
    foot = f'<p class="muted">{escape(where)}</p>'
    return page(request, "Overview", f'{received}<div class="columns">{left}{right}</div>{foot}')


def _received(site: Site, request: Request) -> str:
    """Return the amount of received data, or how to send some if there is none."""
    metrics = site.store.metrics()
    points = COUNTS(float(sum(metric.points for metric in metrics)))
    beside = " beside those of the replay" if any(metric.replayed for metric in metrics) else ""
    received = link("/metrics", counted(len(metrics), "metric"))
    counts = [
        *([f"{received} with {points} points{beside}"] if metrics else []),
        *(link(path, counted(number, noun)) for path, noun, number in _records(site) if number),
    ]
    if counts:
        return f'<p class="muted">Received: {", ".join(counts)}.</p>'
    address = escape(str(request.base_url).rstrip("/"))
    lines = (
        f"DD_URL={address} stepscope forward function.log",
        f"DD_URL={address} stepscope apply",
        "stepscope serve --with-demo",
    )
    commands = "\n".join(lines)
    return f'<div class="panel">Nothing has been received yet. To begin:<pre>{commands}</pre></div>'


def _records(site: Site) -> list[tuple[str, str, int]]:
    """Return the page, the noun and the number of log lines and of spans."""
    with site.store.reading() as cursor:
        return [
            (path, noun, int(cursor.execute(f"SELECT count(*) FROM {table_name}").fetchall()[0][0]))  # noqa: S608
            for path, noun, table_name in (("/logs", "log line", "logs"), ("/executions", "span", "spans"))
        ]


def _monitors(standings: list[Standing]) -> str:
    heading = f"<h2>{link('/monitors', 'Monitors')}</h2>"
    if not standings:
        return f'{heading}<div class="panel muted">There is no monitor.</div>'
    standings = [standing for standing in standings if not standing.is_part]
    states = [standing.state for standing in standings]
    tally = "".join(
        f"<span><b>{states.count(state)}</b>{state_badge(state, 'not evaluated')}</span>"
        for state in dict.fromkeys(states)
    )
    troubled = [standing for standing in standings if standing.state in {"Alert", "Warn"}]
    rows = [standing.row()[:3] for standing in troubled[:MOST]]
    more = len(troubled) - len(rows)
    rest = f"<p>{link('/monitors', f'{more} more')}</p>" if more > 0 else ""
    listed = table(("State", "Monitor", "Groups"), rows, "No monitor alerts or warns.")
    return f'{heading}<div class="tally">{tally}</div>{listed}{rest}'


def _dashboards(site: Site) -> str:
    rows = [
        (item_link("dashboards", entry.key, entry.title), escape(entry.origin))
        for entry in site.listed("dashboard")
    ]
    empty = "There is no dashboard: put one into dashboards/, or send one to /api/v1/dashboard."
    return f"<h2>{link('/dashboards', 'Dashboards')}</h2>{table(('Title', 'From'), rows[:MOST], empty)}"
