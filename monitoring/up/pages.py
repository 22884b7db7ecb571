"""The page that starts executions, and the API of `stepscope run --url` for the same."""

import json
from collections.abc import Awaitable, Callable, Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from monitoring.errors import InputError
from monitoring.graph import Look, as_svg, figures_of, read_graph
from monitoring.local_pipeline import Pipeline
from monitoring.local_pipeline.execution import ExecutionResult, execution_result, path_of
from monitoring.log_events.step_events import history_events
from monitoring.log_events.timeline import timeline
from monitoring.serve.pages.shell import link, page, problem_page, select, state_badge, table

EXECUTION = "aws.stepfunctions"
_MOST = 50
DRAIN_SECONDS = 10.0
"""How long a response waits for the last log lines of a finished execution."""
_STATES = {"SUCCEEDED": "OK", "RUNNING": "Warn"}
_NOT_YET = "the application is still being deployed: try again in a moment"
Running = Callable[[], Pipeline | None]
"""Return the running pipeline; None until everything is deployed."""
Endpoint = Callable[[Request, Pipeline], Awaitable[Response]]


def run_routes(running: Running) -> list[Route]:
    """Return `/run` (a page, its form) and `/run/executions` (JSON); 503 until all is deployed."""
    return [Route(path, _once_up(endpoint, running), methods=[method]) for path, endpoint, method in _ROUTES]


def _once_up(endpoint: Endpoint, running: Running) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        pipeline = running()
        if pipeline is not None:
            return await endpoint(request, pipeline)
        if request.url.path == "/run/executions":
            return JSONResponse({"errors": [_NOT_YET]}, 503)
        return problem_page(InputError(_NOT_YET), request, 503)

    return answer


async def _show_page(request: Request, pipeline: Pipeline) -> Response:
    return await run_in_threadpool(_page, pipeline, request)


async def _start_by_form(request: Request, pipeline: Pipeline) -> Response:
    if not _same_origin(request):
        return problem_page(InputError("start an execution from this server's own page"), request)
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    machine, text = form.get("machine", ""), form.get("input", "")
    try:
        arn = await run_in_threadpool(_start, pipeline, machine, text)
    except InputError as error:
        return problem_page(error, request)
    return RedirectResponse(f"/run?{urlencode({'started': arn})}", 303)


async def _start_by_api(request: Request, pipeline: Pipeline) -> Response:
    if not _same_origin(request):
        return JSONResponse({"errors": ["another origin"]}, 403)
    try:
        order = json.loads(await request.body())
        arn = await run_in_threadpool(
            _start, pipeline, str(order["machine"]), json.dumps(order.get("input")), order.get("name")
        )
    except (InputError, ValueError, KeyError, TypeError, AttributeError) as error:
        return JSONResponse({"errors": [str(error)]}, 400)
    return JSONResponse({"execution": arn}, 202)


async def _fire_schedule(request: Request, pipeline: Pipeline) -> Response:
    """Invoke the targets of a schedule now: from the page's form, or from a client that sends no Origin."""
    if not _same_origin(request):
        return JSONResponse({"errors": ["another origin"]}, 403)
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    try:
        await run_in_threadpool(pipeline.aws.fire_schedule, form.get("schedule", ""))
    except InputError as error:
        return problem_page(error, request)
    return RedirectResponse("/run", 303)


async def _result_by_api(request: Request, pipeline: Pipeline) -> Response:
    arn = request.query_params.get("execution", "")
    try:
        result = await run_in_threadpool(_result, pipeline, arn)
    except KeyError:
        return JSONResponse({"errors": [f"there is no execution {arn}"]}, 404)
    return JSONResponse(json.loads(json.dumps(result.as_data(), default=str)))


async def _show_graph(request: Request, pipeline: Pipeline) -> Response:
    return await run_in_threadpool(_graph_page, pipeline, request)


_ROUTES: tuple[tuple[str, Endpoint, str], ...] = (
    ("/run", _show_page, "GET"),
    ("/run", _start_by_form, "POST"),
    ("/run/schedules", _fire_schedule, "POST"),
    ("/run/executions", _start_by_api, "POST"),
    ("/run/executions", _result_by_api, "GET"),
    ("/run/{machine}", _show_graph, "GET"),
)


def _same_origin(request: Request) -> bool:
    """Return whether the request does not come from another site's page: browsers send Origin with a POST."""
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _result(pipeline: Pipeline, arn: str) -> ExecutionResult:
    """Return the result of an execution; when it has ended, wait for its telemetry first."""
    result = execution_result(pipeline, arn)
    if result.status == "RUNNING":
        return result
    pipeline.aws.drain(DRAIN_SECONDS)
    return execution_result(pipeline, arn)


def _start(pipeline: Pipeline, machine: str, text: str, name: str | None = None) -> str:
    try:
        value: Any = json.loads(text or "{}")
    except ValueError as error:
        raise InputError(f"the input is not JSON: {error}") from None
    return pipeline.aws.start(pipeline.deployment.state_machine(machine), value, name=name)


def _page(pipeline: Pipeline, request: Request) -> Response:
    state_machines = pipeline.deployment.state_machines
    names = [(name, f"{name} ({arn.rpartition(':')[2]})") for name, arn in state_machines.items()]
    chosen = request.query_params.get("machine", names[0][0] if names else "")
    form = (
        '<form class="panel" method="post" action="/run">'
        f"{select('machine', names, [chosen], 'State machine')}"
        "<p><label>Input, as JSON<br>"
        '<textarea name="input" rows="8" cols="80" spellcheck="false">{}</textarea></label></p>'
        "<p><button>Start an execution</button></p></form>"
    )
    if not names:
        form = '<div class="panel muted">The template has no state machine.</div>'
    graphs = " · ".join(link(f"/run/{name}", f"Graph of {name}") for name in state_machines)
    return page(
        request,
        "Run",
        f"{form}<p>{graphs}</p>{_executions(pipeline)}{_schedules(pipeline)}{_stand_ins(pipeline)}",
    )


def _graph_page(pipeline: Pipeline, request: Request) -> Response:
    """Return the graph of a state machine with the figures of its executions, or of one of them."""
    name = request.path_params["machine"]
    arn = pipeline.deployment.state_machines.get(name)
    if arn is None:
        return problem_page(InputError(f"there is no state machine {name}"), request)
    chosen = request.query_params.get("execution", "")
    histories = [
        (str(described["executionArn"]), history)
        for described, history in pipeline.aws.host.executions_since(0)
        if described["stateMachineArn"] == arn and chosen in {"", str(described["executionArn"])}
    ]
    roots = [timeline(history_events(execution, events)).execution for execution, events in histories]
    described = pipeline.aws.host.answer_states("DescribeStateMachine", {"stateMachineArn": arn})
    graph = read_graph(json.loads(described["definition"]))
    words = chosen.rpartition(":")[2] or f"{len(roots)} executions"
    look = Look(figures=figures_of(roots) if roots else None, title=f"State machine {name}, {words}")
    links = f"<p>{link('/run', 'Executions')} · {link(f'/run/{name}', 'all executions')}</p>"
    return page(request, f"{name} · {words}", f'{links}<div class="panel">{as_svg(graph, look)}</div>')


def _executions(pipeline: Pipeline) -> str:
    newest = sorted(
        pipeline.aws.host.executions_since(0), key=lambda pair: pair[0]["startDate"], reverse=True
    )
    traces = {
        str((span.get("meta") or {}).get("executionarn")): span["trace_id"]
        for span in pipeline.datadog.store.spans(name=EXECUTION)
    }
    logical = {arn: name for name, arn in pipeline.deployment.state_machines.items()}
    rows = [_row(described, history, traces, logical) for described, history in newest[:_MOST]]
    return "<h2>Executions</h2>" + table(
        ("Started", "Execution", "Status", "State", "Path"), rows, "No execution has been started."
    )


def _row(
    described: dict[str, Any],
    history: list[dict[str, Any]],
    traces: Mapping[str, str],
    logical: Mapping[str, str],
) -> tuple[str, str, str, str, str]:
    arn, status = str(described["executionArn"]), str(described["status"])
    entered = path_of(history)
    words = " · ".join(arn.split(":")[-2:])
    machine = logical.get(str(described["stateMachineArn"]), "")
    state = str(described.get("error") or (entered[-1] if entered else ""))
    return (
        f"{described['startDate']:%H:%M:%S}",
        link(f"/executions/{traces[arn]}", words) if arn in traces else escape(words),
        state_badge(_STATES.get(status, "Alert"), words=status),
        escape(state),
        link(f"/run/{machine}", "graph", {"execution": arn}) if machine else "",
    )


def _schedules(pipeline: Pipeline) -> str:
    rows = []
    for schedule in pipeline.aws.schedules():
        name, moment = escape(schedule.name), schedule.next
        button = f'<button name="schedule" value="{name}">Fire now</button>'
        form = f'<form method="post" action="/run/schedules">{button}</form>'
        time = f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "never"
        rows.append((name, escape(schedule.expression), time, form))
    return f"<h2>Schedules</h2>{table(('Schedule', 'Expression', 'Next', ''), rows, '')}" if rows else ""


def _stand_ins(pipeline: Pipeline) -> str:
    rows = [
        (escape(stand_in.logical_id), escape(stand_in.type), escape(stand_in.what))
        for stand_in in pipeline.deployment.stand_ins
        if not stand_in.quiet
    ]
    listed = table(("Resource", "Type", "In its place"), rows, "Everything runs.")
    return f"<h2>Not run here</h2>{listed}" if rows else ""
