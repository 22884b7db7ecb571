"""HTTP tasks and API Gateway tasks against servers of this machine."""

import base64
import ipaddress
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import FatalError, StateFailedError
from monitoring.local_aws.states.interpreter import StateRun
from monitoring.local_aws.states.resources import TaskResource

TIMEOUT_SECONDS = 60
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


async def invoke_http(run: StateRun, _: TaskResource, argument: Any) -> Any:
    """Call an HTTP endpoint with the authorization of an EventBridge connection."""
    connection = await _connection(run, argument)
    headers = {
        **connection["headers"],
        **{key: str(value) for key, value in (argument.get("Headers") or {}).items()},
    }
    query = {**connection["query"], **(argument.get("QueryParameters") or {})}
    body = argument.get("RequestBody")
    if connection["body"]:
        body = {**connection["body"], **(body or {})}
    answer = await run.execution.service.blocking(
        _request,
        str(argument.get("ApiEndpoint", "")),
        str(argument.get("Method", "GET")),
        headers,
        query,
        body,
    )
    status = answer["StatusCode"]
    if status >= 400:
        shown = answer["ResponseBody"]
        raise StateFailedError(
            f"States.Http.StatusCode.{status}", shown if isinstance(shown, str) else text.dumps(shown)
        )
    return answer


async def call_api(run: StateRun, _: TaskResource, argument: Any) -> Any:
    """Call an API that the template has, or one that answers on this machine."""
    named = str(argument.get("ApiEndpoint", ""))
    endpoint = run.execution.service.api(named) or named
    parts = [argument.get("Stage"), str(argument.get("Path", "")).lstrip("/")]
    url = "/".join(
        [endpoint if "://" in endpoint else f"http://{endpoint}", *(part for part in parts if part)]
    )
    headers = {
        key: value[0] if isinstance(value, list) else str(value)
        for key, value in (argument.get("Headers") or {}).items()
    }
    method = str(argument.get("Method", "GET"))
    answer = await run.execution.service.blocking(
        _request, url, method, headers, argument.get("QueryParameters") or {}, argument.get("RequestBody")
    )
    if answer["StatusCode"] >= 400:
        raise StateFailedError(f"ApiGateway.{answer['StatusCode']}", text.dumps(answer["ResponseBody"]))
    return answer


async def _connection(run: StateRun, argument: Any) -> dict[str, dict[str, Any]]:
    """Return what an EventBridge connection adds to a request."""
    arn = (
        (argument.get("Authentication") or argument.get("InvocationConfig") or {}).get("ConnectionArn")
    ) or ""
    parameters = run.execution.service.connection(arn)
    if parameters is None:
        raise StateFailedError("Events.ConnectionResource.NotFound", f"The connection {arn} does not exist.")
    added: dict[str, dict[str, Any]] = {"headers": {}, "query": {}, "body": {}}
    key = parameters.get("ApiKeyAuthParameters")
    if key:
        added["headers"][key["ApiKeyName"]] = key.get("ApiKeyValue", "")
    basic = parameters.get("BasicAuthParameters")
    if basic:
        pair = f"{basic['Username']}:{basic.get('Password', '')}".encode()
        added["headers"]["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    for kind, target in (
        ("HeaderParameters", "headers"),
        ("QueryStringParameters", "query"),
        ("BodyParameters", "body"),
    ):
        for parameter in (parameters.get("InvocationHttpParameters") or {}).get(kind) or ():
            added[target][parameter["Key"]] = parameter.get("Value", "")
    return added


def _request(
    url: str, method: str, headers: dict[str, str], query: dict[str, Any], body: Any
) -> dict[str, Any]:
    parsed = urllib.parse.urlsplit(url)
    if not _loopback(parsed.hostname or ""):
        raise FatalError(
            f"The embedded AWS calls servers of this machine alone, and '{url}' is not one: use http://127.0.0.1"
        )
    if query:
        url += ("&" if parsed.query else "?") + urllib.parse.urlencode(query, doseq=True)
    data = None if body is None else body.encode() if isinstance(body, str) else text.dumps(body).encode()
    if data is not None:
        headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
    try:
        with _OPENER.open(request, timeout=TIMEOUT_SECONDS) as response:
            return _answer(response.status, response.reason, response.headers, response.read())
    except urllib.error.HTTPError as failed:
        return _answer(failed.code, failed.reason, failed.headers, failed.read())
    except (OSError, ValueError) as failed:
        raise StateFailedError(
            "States.Http.Socket", f"{url} cannot be reached: {getattr(failed, 'reason', failed)}"
        ) from None


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _answer(status: int, reason: str, headers: Any, body: bytes) -> dict[str, Any]:
    shown = body.decode("utf-8", "replace")
    try:
        content: Any = json.loads(shown)
    except ValueError:
        content = shown
    grouped: dict[str, list[str]] = {}
    for key, value in headers.items():
        grouped.setdefault(key.lower(), []).append(value)
    return {"Headers": grouped, "ResponseBody": content, "StatusCode": status, "StatusText": reason}
