"""Compute the parameters of service actions: request templates of REST APIs, parameters of HTTP APIs.

A subset of the Velocity template language is supported: `$input.json('$.path')`,
`$input.body`, `$input.params('name')`, `$context.…` and `$util.escapeJavaScript(…)` around one of them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from monitoring.errors import InputError
from monitoring.local_aws.apis.events import ApiRequest
from monitoring.local_aws.states.jsonpath import compile_path

_REFERENCE = re.compile(
    r"\$util\.escapeJavaScript\((?P<inner>\$\w+(?:\.\w+)*(?:\([^()]*\))?)\)|"
    r"\$(?P<plain>(?:input|context)(?:\.\w+)+(?:\(\s*(?P<quote>['\"])?[^()]*?\))?)"
)
_CALL = re.compile(r"input\.(?P<name>json|params|path)\(\s*['\"](?P<argument>[^'\"]*)['\"]\s*\)")
_SELECTION = re.compile(
    r"\$\{?(request\.(?:body|path|querystring|header)(?:\.[\w.\-\[\]]+)?|context\.\w+)\}?"
)


def rendered(template: str, request: ApiRequest, parameters: Mapping[str, str]) -> str:
    """Return a request template's text for a request.

    Raises:
        InputError: the template uses unsupported parts of the language.
    """
    if re.search(r"^\s*#(set|if|foreach|else|end|macro)", template, re.MULTILINE):
        raise InputError("a request template with directives (#set, #if, #foreach) is not read here")

    def value(match: re.Match[str]) -> str:
        if match["inner"]:
            text = _value(match["inner"].lstrip("$"), request, parameters)
            return json.dumps(text)[1:-1].replace("'", "\\'")
        return _value(match["plain"], request, parameters)

    return _REFERENCE.sub(value, template).replace("\\'", "'")


def _value(expression: str, request: ApiRequest, parameters: Mapping[str, str]) -> str:
    text = request.body.decode("utf-8", "replace")
    if expression == "input.body":
        return text
    if expression.startswith("context."):
        return _context(expression.removeprefix("context."), request)
    call = _CALL.fullmatch(expression)
    if call is None:
        raise InputError(f"a request template with ${expression} is not read here")
    if call["name"] == "params":
        return parameters.get(call["argument"]) or _query(request, call["argument"])
    return json.dumps(_at(text, call["argument"]))


def _context(name: str, request: ApiRequest) -> str:
    known = {"requestId": request.id, "httpMethod": request.method, "path": request.path}
    known["identity.sourceIp"] = request.source_ip
    return known.get(name, "")


def _query(request: ApiRequest, name: str) -> str:
    return dict(parse_qsl(request.query, keep_blank_values=True)).get(name) or request.header(name)


def _at(text: str, path: str) -> Any:
    try:
        document = json.loads(text or "{}")
        return document if path == "$" else compile_path(path).find(document)
    except Exception:  # noqa: BLE001  a path that finds nothing gives nothing, however it fails
        return ""


def selected(value: Any, request: ApiRequest, parameters: Mapping[str, str]) -> Any:
    """Return a parameter of an HTTP API's integration: a selection (`$request.body.id`) or a constant."""
    if not isinstance(value, str):
        return value

    def replacement(match: re.Match[str]) -> str:
        kind, _, name = match[1].removeprefix("request.").partition(".")
        if match[1].startswith("context."):
            return _context(match[1].removeprefix("context."), request)
        if kind == "body":
            body = request.body.decode("utf-8", "replace")
            part = _at(body, f"$.{name}") if name else body
            return part if isinstance(part, str) else json.dumps(part)
        if kind == "path":
            return parameters.get(name, "") if name else request.path
        return request.header(name) if kind == "header" else _query(request, name)

    return _SELECTION.sub(replacement, value)
