"""Serve an API on loopback: find the route of each request, and return the response of its backend."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from monitoring.errors import InputError
from monitoring.local_aws.apis.cors import preflight, with_cors
from monitoring.local_aws.apis.events import ApiRequest, ApiResponse, event_of, message, response_of
from monitoring.local_aws.apis.mappings import rendered, selected
from monitoring.local_aws.apis.routes import Api, Route, RouteIntegration

MOST_BYTES = 10_000_000
"""The largest request body that API Gateway accepts, in bytes."""
SECONDS = {"rest": 29.0, "http": 30.0}
"""Kind of API -> seconds that API Gateway waits for a function."""
_JSON = (("Content-Type", "application/json"),)


@dataclass(frozen=True, slots=True)
class Backends:
    """The backends of an API.

    Attributes:
        account: the account id in events.
        invoke: (function name, event) -> (result, whether it failed, milliseconds).
        act: (action such as `states:StartExecution`, parameters, role) -> (HTTP status, response).
    """

    account: str
    invoke: Callable[[str, bytes], tuple[bytes, bool, float]]
    act: Callable[[str, Mapping[str, Any], str], tuple[int, Any]]


class ApiServer:
    """Serves one API until it is closed; the API's `url` is set."""

    def __init__(self, api: Api, backends: Backends) -> None:
        self.api = api
        self._backends = backends
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.answer))
        self._server.daemon_threads = True
        api.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name=f"API {api.name}", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: ApiRequest) -> ApiResponse:
        """Return the response to a request."""
        if len(request.body) > MOST_BYTES:
            return message(413, "Request Entity Too Large")
        allowed = preflight(self.api.cors, request)
        return allowed or with_cors(self.api.cors, request, self._routed(request))

    def _routed(self, request: ApiRequest) -> ApiResponse:
        """Return the response of the backend of a request's route."""
        match = self.api.find(request.method, self.api.without_stage(request.path))
        if match is None:
            return (
                message(404, "Not Found")
                if self.api.kind == "http"
                else message(403, "Missing Authentication Token")
            )
        route, parameters = match
        try:
            return _ANSWERS[route.integration.kind](self, request, route, parameters)
        except InputError as error:
            return message(501, str(error))

    def function(self, request: ApiRequest, route: Route, parameters: dict[str, str]) -> ApiResponse:
        """Return the response of the route's function."""
        event = event_of(request, self.api, route, parameters, self._backends.account)
        payload, failed, took = self._backends.invoke(route.integration.target, json.dumps(event).encode())
        http = self.api.kind == "http"
        if took > SECONDS[self.api.kind] * 1000:
            return message(503, "Service Unavailable") if http else message(504, "Endpoint request timed out")
        if failed:
            return message(500, "Internal Server Error") if http else message(502, "Internal server error")
        return response_of(json.loads(payload or b"null"), route.integration.payload)

    def service(self, request: ApiRequest, route: Route, parameters: dict[str, str]) -> ApiResponse:
        """Return the response of a service's action."""
        integration = route.integration
        order = _order(integration, request, parameters)
        role = str(integration.settings.get("credentials") or "")
        status, answer = self._backends.act(integration.target, order, role)
        body = json.dumps(answer, default=lambda moment: moment.timestamp()).encode()
        if self.api.kind == "rest":
            status = _mapped(integration.settings.get("responses"), status)
        return ApiResponse(status, body, _JSON)

    def mock(self, request: ApiRequest, route: Route, parameters: dict[str, str]) -> ApiResponse:
        """Return the response of a mock integration, which preflight requests of browsers have."""
        responses = route.integration.settings.get("responses") or {}
        first: Mapping[str, Any] = next(iter(responses.values()), {})
        named = (first.get("responseParameters") or {}).items()
        headers = tuple((key.rpartition(".")[2], str(value).strip("'")) for key, value in named)
        return ApiResponse(int(first.get("statusCode") or 200), b"", headers)

    def nothing(self, request: ApiRequest, route: Route, parameters: dict[str, str]) -> ApiResponse:
        """Return an error for an integration that does not run locally."""
        return message(501, f"{route.key}: {route.integration.target or 'its integration'} does not run here")


_ANSWERS: dict[str, Callable[[ApiServer, ApiRequest, Route, dict[str, str]], ApiResponse]] = {
    "lambda": ApiServer.function,
    "service": ApiServer.service,
    "mock": ApiServer.mock,
    "": ApiServer.nothing,
}


def _order(
    integration: RouteIntegration, request: ApiRequest, parameters: Mapping[str, str]
) -> dict[str, Any]:
    """Return the parameters of an action, from the request template or the request parameters."""
    templates = integration.settings.get("requestTemplates") or {}
    if templates:
        kind = request.header("content-type").partition(";")[0].strip() or "application/json"
        template = templates.get(kind) or templates.get("application/json") or "{}"
        try:
            order = json.loads(rendered(str(template), request, parameters))
        except ValueError as error:
            raise InputError(f"what the request template gives is not JSON: {error}") from None
        return order if isinstance(order, dict) else {}
    settings = integration.settings.get("requestParameters") or {}
    return {key: selected(value, request, parameters) for key, value in settings.items() if key != "Region"}


def _mapped(responses: Any, status: int) -> int:
    """Return the status of a REST API's response for the status of a service."""
    if not isinstance(responses, Mapping) or not responses:
        return status
    for pattern, response in responses.items():
        if pattern != "default" and re.fullmatch(str(pattern), str(status)):
            return int(response.get("statusCode") or status)
    default = responses.get("default")
    return int(default.get("statusCode") or 200) if isinstance(default, Mapping) else status


def _handler(answer: Callable[[ApiRequest], ApiResponse]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
            """Log nothing: the backends have their own logs."""

        def _serve(self) -> None:
            length = self.headers.get("Content-Length") or "0"
            body = self.rfile.read(min(int(length), MOST_BYTES + 1)) if length.isdecimal() else b""
            path, _, query = self.path.partition("?")
            headers = [(key, value) for key, value in self.headers.items()]
            response = answer(
                ApiRequest(self.command, path, query, headers, body, str(self.client_address[0]))
            )
            self.send_response(response.status)
            for key, value in response.headers:
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.body)

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        setattr(Handler, f"do_{method}", Handler._serve)
    return Handler
