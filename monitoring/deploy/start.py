"""Initialize a project with the shipped files, or with dashboards and monitors for a template."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import monitoring
from monitoring.deploy.own_files import METRICS, claiming, metric_entries, metric_files, metric_graphs
from monitoring.discovery.found import DiscoveredResources
from monitoring.discovery.tailored import Further, files_for, list_text, narrowed
from monitoring.errors import InputError, writing
from monitoring.resources.own_metrics import OwnMetrics
from monitoring.resources.project import LISTS
from monitoring.resources.resource import references
from monitoring.resources.variables import VARIABLE

SETTINGS = """# What differs between environments: stepscope plan --env prod
project = "{project}"

[defaults]
{values}
# Where several environments report to one Datadog organisation, each has a scope of its own, here by the tag
# env; name the environment with every command then (--env dev):
# scope = "env:${{var:env}}"
# forwarder_scope = "env:${{var:env}}"

[env.dev]

[env.prod]
"""
_VALUES = {"notify": "@slack-pipelines", "page": "@oncall-pipelines"}
"""The values of the variables in shipped files; only those of the written files are set."""

RECORD = ".stepscope-init.json"
"""The file of a project with the digests of the files that init wrote; it belongs in version control."""


def shipped(name: str) -> Path:
    """Return the folder `dashboards`, `monitors`, `handlers` and so on, of the wheel or of the checkout."""
    package = Path(str(monitoring.__file__)).parent
    folders = [path for path in (package / "shipped" / name, package.parent / name) if path.is_dir()]
    if not folders:
        raise InputError(
            f"this installation has no {name}", hint="Install it again: pip install stepscope[tools]"
        )
    return folders[0]


def files_of(
    application: DiscoveredResources | None,
    project: str,
    extra: Iterable[str] = (),
    measured: Further | None = None,
    own: OwnMetrics | None = None,
) -> dict[str, str]:
    """Return path -> text of the files that init writes.

    Args:
        application: what a template describes; without it, all that is shipped.
        project: its name in stepscope.toml.
        extra: shipped folders that are written only where they are asked for, `downtimes` and `handlers`.
        measured: values of functions and state machines that were measured.
        own: the catalogue of the project's own metrics.
    """
    folders = [*extra] if application else ["dashboards", "monitors", "slos", *extra]
    made = _tailored(application, measured or {}, own or OwnMetrics({})) if application else {}
    copied = {path: text for folder in folders for path, text in _texts(folder)}
    texts = {**made, **copied}
    used = {match["name"] for text in texts.values() for match in VARIABLE.finditer(text)}
    values = {name: value for name, value in _VALUES.items() if name in used}
    stages = {match["name"]: match["default"] or "" for match in VARIABLE.finditer(made.get(LISTS, ""))}
    values |= {name: value for name, value in stages.items() if "*" not in value}
    rows = "".join(f'{name} = "{value}"\n' for name, value in values.items())
    prod = "".join(f'{name} = "prod"\n' for name in stages if name in {"stage", "environment"})
    return {"stepscope.toml": SETTINGS.format(project=project, values=rows) + prod, **texts}


ABOUT_ALL = ("forwarder-", "part-forwarder-quiet", "part-lambda-is-called")
"""Shipped monitors that every application has in addition to the generated ones."""

_INSTEAD = {
    "executions-failed": ("executions-failed", "executions-failing"),
    "lambda-error-rate": ("functions-fail", "functions-failing"),
}
"""A shipped monitor on a shipped dashboard -> the generated monitors that replace it."""


def _tailored(application: DiscoveredResources, measured: Further, own: OwnMetrics) -> dict[str, str]:
    """Return what is made for an application, and the shipped dashboards, narrowed to its resources."""
    claims = claiming(own, application)
    further = {name: {**measured.get(name, {}), **claims.get(name, {})} for name in {**measured, **claims}}
    entries = metric_entries(own, application)
    made = files_for(application, further)
    made[LISTS] += list_text(METRICS, entries)
    made |= dict(metric_files(entries))
    made |= {
        path: text
        for path, text in _texts("monitors")
        if path.removeprefix("monitors/").startswith(ABOUT_ALL)
    }
    known = {f"{path.partition('s/')[0]}:{Path(path).stem}" for path in made}
    for path, text in _texts("dashboards"):
        shown = text
        for shipped_key, others in _INSTEAD.items():
            key = next((key for key in others if f"monitor:{key}" in known), shipped_key)
            shown = shown.replace(f"${{monitor:{shipped_key}}}", f"${{monitor:{key}}}")
        board = narrowed(json.loads(shown), application)
        board["widgets"] = list(_shown(_with_own(board["widgets"], own), known))
        made[path] = json.dumps(board, indent=2, ensure_ascii=False) + "\n"
    return made


_EXAMPLE = "slides."
"""Begins the metrics of the example, in whose place the project's come."""


def _with_own(widgets: Iterable[dict[str, Any]], own: OwnMetrics) -> Iterator[dict[str, Any]]:
    """Yield the widgets; the group of the example's metrics becomes that of the project's, if it has any."""
    for widget in widgets:
        if _EXAMPLE not in json.dumps(widget):
            yield widget
        elif graphs := metric_graphs(own):
            height = 1 + max(graph["layout"]["y"] + graph["layout"]["height"] for graph in graphs)
            definition = {**widget["definition"], "title": "Business metrics", "widgets": graphs}
            yield {"definition": definition, "layout": {**widget["layout"], "height": height}}


def _shown(widgets: Iterable[dict[str, Any]], known: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the widgets without those about a monitor or an SLO that there is none of."""
    for widget in widgets:
        definition = widget["definition"]
        if "widgets" in definition:
            inner = list(_shown(definition["widgets"], known))
            yield {**widget, "definition": {**definition, "widgets": inner}}
        elif all(
            f"{mention.kind}:{mention.key}" in known
            for mention in references(definition)
            if mention.kind in {"monitor", "slo"}
        ):
            yield widget


def _texts(name: str) -> Iterator[tuple[str, str]]:
    folder = shipped(name)
    for path in sorted(folder.rglob("*.*")):
        if path.suffix in {".json", ".yaml", ".py"}:
            yield f"{name}/{path.relative_to(folder).as_posix()}", path.read_text(encoding="utf-8")


class InitResult(NamedTuple):
    """The files that init has written, those that it left unchanged, and those of earlier runs only."""

    written: list[str]
    kept: list[str]
    gone: list[str]


def write(files: Mapping[str, str], root: Path, *, force: bool) -> InitResult:
    """Write new files, and files that are unchanged since an earlier run; keep edited and other files.

    `RECORD` in the project has the files of earlier runs. A file that was deleted since counts as edited.

    Args:
        files: path -> text.
        root: the project's folder.
        force: write files of earlier runs that were edited, too; files of others never.

    Raises:
        InputError: a file or folder cannot be read or written.
    """
    with writing(root):
        known_before = _record(root / RECORD)
        record = dict(known_before)
        written, kept = [], []
        for name, text in files.items():
            path, known = root / name, record.get(name)
            now = _digest(path.read_text(encoding="utf-8", errors="replace")) if path.exists() else None
            if now == _digest(text):
                record |= {name: now} if known else {}
            elif now == known or (force and known):  # None: new to this project
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                record[name] = _digest(text)
                written.append(name)
            else:
                kept.append(name)
        if record != known_before:
            (root / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    made = {name.split("/")[0] for name in files}
    gone = [n for n in record if n not in files and n.split("/")[0] in made and (root / n).exists()]
    return InitResult(written, kept, sorted(gone))


def _record(path: Path) -> dict[str, str]:
    """Return path -> digest of what earlier runs wrote; a record that cannot be read is none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
