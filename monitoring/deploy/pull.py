"""Convert resources in Datadog to files that are normalized and portable between environments."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.deploy.api import Body, Client, RejectedError
from monitoring.deploy.canonical import WRITABLE, normalise
from monitoring.deploy.linking import linked
from monitoring.deploy.marker import without_marker
from monitoring.errors import InputError

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
URLS = (
    (re.compile(r"/dash(?:board)?(?:/lists)?/(?P<id>[a-z0-9]{3}-[a-z0-9]{3}-[a-z0-9]{3})"), "dashboard"),
    (re.compile(r"/monitors/(?P<id>\d+)"), "monitor"),
    (re.compile(r"/slo(?:/manage)?.*[?&]slo_id=(?P<id>[0-9a-f]{32})"), "slo"),
    (re.compile(rf"/monitors/downtimes(?:/|\?.*?downtimeId=)(?P<id>{UUID})"), "downtime"),
)
IDS = (
    (re.compile(r"[a-z0-9]{3}-[a-z0-9]{3}-[a-z0-9]{3}"), "dashboard"),
    (re.compile(r"[0-9a-f]{32}"), "slo"),
    (re.compile(UUID), "downtime"),
    (re.compile(r"\d+"), "monitor"),
)
PORTABLE = {"env": "env", "service": "service", "statemachinearn": "statemachine", "functionname": "function"}
"""Tag key -> the template variable that replaces it on a dashboard."""

FIRST = ("title", "name", "description", "type", "query", "message", "layout_type", "template_variables")
"""The first keys of a file; the others follow in the API's order."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A resource as a file: `path` below the project, and its text."""

    path: str
    text: str


def find(client: Client, wanted: str) -> list[tuple[str, str, Body]]:
    """Return (kind, id, body) of the resources for an id, the address of a page, or a text to search for.

    Raises:
        InputError: there are none.
    """
    named = _named(wanted)
    if named:
        kind, id_ = named
        try:
            return [(kind, id_, client.get(kind, id_))]
        except RejectedError as error:
            raise InputError(f"no {kind} {id_}: {error}", hint="Check the id, and DD_SITE.") from None
    rows = [(kind, id_) for kind in WRITABLE for id_, _ in client.search(kind, wanted)]
    if not rows:
        raise InputError(
            f"nothing in Datadog is named like {wanted!r}",
            hint="Give an id, the address of its page, or a part of its title or message.",
        )
    return [(kind, id_, client.get(kind, id_)) for kind, id_ in rows]


def everything(client: Client) -> list[tuple[str, str, Body]]:
    """Return (kind, id, body) of all resources."""
    rows = [(kind, id_) for kind in WRITABLE for id_, _ in client.everything(kind)]
    return [(kind, id_, client.get(kind, id_)) for kind, id_ in rows]


def _named(wanted: str) -> tuple[str, str] | None:
    for pattern, kind in URLS:
        if match := pattern.search(wanted):
            return kind, match["id"]
    for pattern, kind in IDS:
        if pattern.fullmatch(wanted):
            return kind, wanted
    return None


def as_files(
    rows: Iterable[tuple[str, str, Mapping[str, Any]]],
    taken: Mapping[str, Iterable[str]],
    *,
    adopt: bool = False,
) -> list[Pulled]:
    """Return the files of (kind, id, body), which refer to one another by key.

    Args:
        found: the resources; of one without an id, the id is empty.
        taken: the existing keys of each kind.
        adopt: add the ids, so that the files adopt the existing resources.
    """
    used = {kind: list(keys) for kind, keys in taken.items()}
    keys: dict[tuple[str, str], str] = {}
    bodies: list[tuple[str, Body]] = []
    for kind, id_, body in rows:
        pulled = as_file(kind, body, id_ if adopt else "", used.setdefault(kind, []))
        key = pulled.path.partition("/")[2].removesuffix(".json")
        used[kind].append(key)
        if id_:
            keys[kind, id_] = key
        bodies.append((pulled.path, json.loads(pulled.text)))
    return [Pulled(path, _text(linked(body, keys))) for path, body in bodies]


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def as_file(kind: str, body: Mapping[str, Any], id_: str = "", taken: Iterable[str] = ()) -> Pulled:
    """Return the resource's file: writable keys, without defaults, literal tags replaced by variables.

    With an `id_`, the file adopts the existing resource. A number is appended to a key in `taken`.
    """
    tidy = normalise(kind, without_marker(kind, body))
    tidy = PORTABLE_FORMS[kind](_with_critical(tidy, body))
    ordered = ({"id": id_} if id_ else {}) | {
        key: tidy[key] for key in (*FIRST, *WRITABLE[kind]) if key in tidy
    }
    named = next((body[name] for name in ("title", "name", "scope") if body.get(name)), kind)
    key = _free(_slug(str(named)), set(taken))
    return Pulled(f"{kind}s/{key}.json", _text(ordered))


def _with_critical(tidy: Body, body: Mapping[str, Any]) -> Body:
    """Return a monitor with its critical threshold if it has others, which Datadog requires."""
    options = tidy.get("options")
    if not isinstance(options, Mapping):
        return tidy
    thresholds = options.get("thresholds")
    if not thresholds or "critical" in thresholds:
        return tidy
    limits = body["options"].get("thresholds") or {}
    critical = {"critical": limits["critical"]} if "critical" in limits else {}
    return {**tidy, "options": {**options, "thresholds": {**critical, **thresholds}}}


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "untitled"


def _free(key: str, taken: set[str]) -> str:
    numbered = (key if number == 1 else f"{key}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)


def _portable_dashboard(body: Body) -> Body:
    """Replace `env:prod` in every query by `$env`, with prod as the variable's default."""
    variables = {variable.get("name"): dict(variable) for variable in body.get("template_variables", [])}
    by_key = {variable.get("prefix") or name: name for name, variable in variables.items()}
    renamed = {}
    for key, value in _single_values(body.get("widgets", [])).items():
        name = by_key.get(key, PORTABLE[key])
        known = variables.get(name)
        if known is None:
            variables[name] = {"name": name, "prefix": key, "defaults": [value]}
        elif known.get("prefix") != key or (known.get("defaults") or ["*"]) != [value]:
            continue  # to replace it would change what the dashboard shows
        renamed[f"{key}:{value}"] = f"${name}"
    widgets = _map_queries(body.get("widgets", []), lambda query: _replace_tags(query, renamed))
    made = {**body, "widgets": widgets}
    return {**made, "template_variables": list(variables.values())} if variables else made


def _portable_queries(body: Body) -> Body:
    """Replace `env:prod` in a query by `env:${var:env|prod}`, which has another value in each environment."""
    portable: Body = _map_queries(body, _any_env)
    return portable


def _any_env(query: str) -> str:
    environments = [tag for key, tag in _tags(query) if key == "env"]
    return _replace_tags(query, {tag: _ENV.sub(_ANY_ENV, tag) for tag in environments})


def _portable_downtime(body: Body) -> Body:
    """Replace tags in the scope of a downtime in the same way."""
    return {**body, "scope": _ENV.sub(_ANY_ENV, str(body.get("scope", "*")))}


PORTABLE_FORMS = {
    "dashboard": _portable_dashboard,
    "monitor": _portable_queries,
    "slo": _portable_queries,
    "downtime": _portable_downtime,
}

_ENV, _ANY_ENV = re.compile(r"(?<![\w.-])env:([\w./-]+)(?![\w./*-])"), r"env:${var:env|\1}"
_QUERY_KEYS = frozenset({"q", "query", "numerator", "denominator"})
_SCOPE = re.compile(r"\{[^{}]*\}")
_TAG = re.compile(r"(?<![\w!.-])([a-z_][\w.-]*):([\w./-][\w./:-]*)(?![\w./:*-])")


def _tags(query: str) -> Iterator[tuple[str, str]]:
    """Yield (key, tag) of the literal tags in the braces of a query, without negated ones and wildcards."""
    for scope in _SCOPE.findall(query):
        if re.search(r"\b(not|or|in)\b", scope, re.IGNORECASE) or "*:" in scope:
            continue
        for match in _TAG.finditer(scope):
            yield match[1], match[0]


def _single_values(widgets: Any) -> dict[str, str]:
    """Return portable key -> value, for keys with a single value on the dashboard."""
    counts = Counter(tag for query in _queries(widgets) for key, tag in _tags(query) if key in PORTABLE)
    by_key: dict[str, set[str]] = {}
    for tag in counts:
        key, _, value = tag.partition(":")
        by_key.setdefault(key, set()).add(value)
    return {key: values.pop() for key, values in by_key.items() if len(values) == 1}


def _replace_tags(query: str, renamed: Mapping[str, str]) -> str:
    def scope(match: re.Match[str]) -> str:
        return _TAG.sub(lambda tag: renamed.get(tag[0], tag[0]), match[0])

    return _SCOPE.sub(scope, query)


def _is_query(key: str, value: Any) -> bool:
    return key in _QUERY_KEYS and isinstance(value, str)


def _queries(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if _is_query(key, item):
                yield item
            else:
                yield from _queries(item)
    elif isinstance(value, list):
        for item in value:
            yield from _queries(item)


def _map_queries(value: Any, change: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: change(item) if _is_query(key, item) else _map_queries(item, change)
            for key, item in value.items()
        }
    return [_map_queries(item, change) for item in value] if isinstance(value, list) else value
