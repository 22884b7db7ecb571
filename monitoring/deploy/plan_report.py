"""Format a plan as text, as JSON, and as Markdown for a pull request."""

import json
import re
from collections.abc import Iterator
from typing import Any

from monitoring.deploy.differ import Plan, PlanStep, PropertyChange

SIGNS = {"create": "+", "update": "~", "delete": "-", "unchanged": " "}
COLOURS = {"create": "green", "update": "yellow", "delete": "red", "unchanged": ""}
WIDTH = 76
AROUND = 30
"""The largest number of characters of a value, and of the context on both sides of a difference."""

_SECRET_KEY = re.compile(r"(api|app|application)_?key|password|secret|token|authorization", re.IGNORECASE)


def as_data(plan: Plan) -> dict[str, Any]:
    """Return the lists `create`, `update`, `delete`, `unchanged` of steps, and a checksum."""
    lists = {action: [_step_data(step) for step in getattr(plan, action)] for action in SIGNS}
    return {**lists, "checksum": plan.checksum()}


def _step_data(step: PlanStep) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "key": step.key,
        "id": step.id,
        "drift": step.drift,
        "copy": step.copy,
        "changes": [
            {
                "path": change.path,
                "before": _safe(change.path, change.before),
                "after": _safe(change.path, change.after),
            }
            for change in step.changes
        ],
    }


def _safe(path: str, value: Any) -> Any:
    """Mask the values of keys that are named like secrets."""
    if isinstance(value, dict):
        return {key: _safe(str(key), item) for key, item in value.items()}
    if isinstance(value, list):
        return [_safe(path, item) for item in value]
    hidden = isinstance(value, str) and value and _SECRET_KEY.search(path.rsplit(".", 1)[-1])
    return "********" if hidden else value


def as_lines(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield (colour, line) of the plan as a diff; the last line is the summary."""
    for step in plan.steps:
        colour = COLOURS[step.action]
        note = "   (changed in Datadog since the last apply)" if step.drift else ""
        note = "   (a copy: two applies ran at the same time)" if step.copy else note
        identity = f" {step.id}" if step.id else ""
        yield colour, f"{SIGNS[step.action]} {step.kind} {step.key}{identity}{note}"
        if step.action == "update":
            for change in step.changes:
                yield from _change_lines(change)
    yield "", summary(plan)


def summary(plan: Plan) -> str:
    """Return a line with the number of steps of each action."""
    if not plan.steps:
        return f"Nothing to do: {len(plan.unchanged)} unchanged."
    counts = {"create": plan.create, "update": plan.update, "delete": plan.delete}
    todo = ", ".join(f"{len(steps)} to {action}" for action, steps in counts.items())
    return f"{todo}, {len(plan.unchanged)} unchanged."


def _change_lines(change: PropertyChange) -> Iterator[tuple[str, str]]:
    before, after = _safe(change.path, change.before), _safe(change.path, change.after)
    if isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        yield "", f"    {change.path}:"
        yield from _text_diff(before, after)
        return
    yield "", f"    {change.path}:"
    told_before, told_after = _in_line(before, after)
    if before is not None:
        yield "red", f"      - {told_before}"
    if after is not None:
        yield "green", f"      + {told_after}"


def _text_diff(before: str, after: str) -> Iterator[tuple[str, str]]:
    import difflib

    for line in difflib.ndiff(before.splitlines(), after.splitlines()):
        if line[0] in "+-":
            yield "green" if line[0] == "+" else "red", f"      {line}"


def _in_line(before: Any, after: Any) -> tuple[str, str]:
    """Return both values as JSON; long ones are truncated except for the difference and its context."""
    old, new = (json.dumps(value, ensure_ascii=False) for value in (before, after))
    if max(len(old), len(new)) <= WIDTH or before is None or after is None:
        return _cut(old, 0, WIDTH), _cut(new, 0, WIDTH)
    same = _alike(old, new)
    same_end = _alike(old[same:][::-1], new[same:][::-1])
    start = max(0, same - AROUND)
    old_end, new_end = (min(len(text) - same_end, same + WIDTH) + AROUND for text in (old, new))
    return _cut(old, start, old_end), _cut(new, start, new_end)


def _alike(text: str, other: str) -> int:
    """Return the length of the common prefix."""
    pairs = enumerate(zip(text, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(text), len(other)))


def _cut(text: str, start: int, end: int) -> str:
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")


def as_markdown(plan: Plan) -> str:
    """Format the plan for a pull request: the summary, a table, and each update in a folded block."""
    if not plan.steps:
        return f"**stepscope plan**: {summary(plan)}\n"
    rows = [f"| {step.action} | {step.kind} | `{step.key}` | {_note(step)} |" for step in plan.steps]
    table = "\n".join(["| | kind | key | |", "| --- | --- | --- | --- |", *rows])
    folded = "\n".join(_folded(step) for step in plan.update)
    return f"**stepscope plan**: {summary(plan)}\n\n{table}\n\n{folded}".rstrip() + "\n"


def _note(step: PlanStep) -> str:
    return "a copy" if step.copy else "changed in Datadog" if step.drift else ""


def _folded(step: PlanStep) -> str:
    # GitHub colours a line of a diff by its first character.
    diff = "\n".join(line.removeprefix("      ") for _, line in _all_changes(step))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", diff)), default=0))
    title = f"<details><summary>{step.kind} <code>{step.key}</code></summary>"
    return f"{title}\n\n{fence}diff\n{diff}\n{fence}\n\n</details>"


def _all_changes(step: PlanStep) -> Iterator[tuple[str, str]]:
    for change in step.changes:
        yield from _change_lines(change)
