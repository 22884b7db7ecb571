"""The routes of an API, and the selection of the route of a request.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote

_PARAMETER = re.compile(r"\{([^{}+]+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class RouteIntegration:
    """The backend of a route.

    Attributes:
        kind: `lambda` (AWS_PROXY of a function), `service` (an action of AWS), `mock`, or "" if it does not
            run locally.
        target: the function's name with its qualifier, or an action such as `states:StartExecution`.
        settings: the integration's own properties, in OpenAPI's spelling (`requestTemplates`, …).
        payload: the version of the function's event.
    """

    kind: Literal["lambda", "service", "mock", ""]
    target: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    payload: Literal["1.0", "2.0"] = "1.0"


@dataclass(frozen=True, slots=True)
class Route:
    """A method (`ANY` for all) and a path with parameters, `/orders/{id}` or `/{proxy+}`, or `$default`."""

    method: str
    path: str
    integration: RouteIntegration

    @property
    def key(self) -> str:
        """Return the route's key."""
        return self.path if self.path == "$default" else f"{self.method} {self.path}"

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Return the path parameters if a request matches this route, else None."""
        if self.path == "$default":
            return {}
        if self.method not in {"ANY", method}:
            return None
        matched = _pattern(self.path).fullmatch(path)
        if matched is None:
            return None
        names = [name for name, _ in _PARAMETER.findall(self.path)]
        return dict(zip(names, map(unquote, matched.groups()), strict=True))

    def rank(self) -> tuple[bool, bool, int, int, bool]:
        """Return the sort key of routes: the most specific matching route comes first and is used."""
        parameters = _PARAMETER.findall(self.path)
        greedy = any(plus for _, plus in parameters)
        return (
            self.path == "$default",
            greedy,
            len(parameters),
            -len(self.path),
            self.method == "ANY",
        )


def _pattern(path: str) -> re.Pattern[str]:
    text, at = "", 0
    for match in _PARAMETER.finditer(path):
        text += re.escape(path[at : match.start()]) + ("(.+)" if match[2] else "([^/]+)")
        at = match.end()
    return re.compile(text + re.escape(path[at:]) + "/?")


@dataclass(slots=True)
class Api:
    """An API: REST (`rest`) or HTTP (`http`), with its routes.

    Attributes:
        id: the value of `!Ref`.
        name: its logical id.
        stage: the stage in events and in the address; `$default` is not part of the path.
        stages: all stages by which it is served.
        cors: CORS settings in OpenAPI's spelling (`allowOrigins`, …); {} if there are none.
    """

    id: str
    name: str
    kind: Literal["rest", "http"]
    stage: str = "$default"
    routes: list[Route] = field(default_factory=list)
    cors: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    stages: set[str] = field(default_factory=set)

    @property
    def address(self) -> str:
        """Return the address of the stage."""
        return self.url if self.stage == "$default" else f"{self.url}/{self.stage}"

    def without_stage(self, path: str) -> str:
        """Return a request's path without the stage, which may be missing here."""
        head = path.split("/", 2)[1] if path.startswith("/") else ""
        return path.removeprefix(f"/{head}") or "/" if head in self.stages else path

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route of a request with the path parameters; None if there is none."""
        for route in sorted(self.routes, key=Route.rank):
            parameters = route.match(method, path)
            if parameters is not None:
                return route, parameters
        return None
