"""Render input, output and changes of an execution's states."""

from collections.abc import Sequence
from html import escape

from monitoring.serve.pages.shell import table
from monitoring.serve.step_data import MOST_STATES, StepData, ValueChange


def data_panel(steps: Sequence[StepData]) -> str:
    """Return input, changes and output of each state; "" if no execution data are logged."""
    logged = [step for step in steps if step.input or step.output]
    if not logged:
        return ""
    rows = "".join(map(_row, logged))
    more = f'<p class="muted">The first {MOST_STATES} states.</p>' if len(steps) >= MOST_STATES else ""
    return f'<h2>Input and output</h2>{more}<div class="panel data">{rows}</div>'


def _row(step: StepData) -> str:
    words = _summary(step)
    changes = table(("Value", "Before", "After"), [_change(change) for change in step.changes], "")
    shown = changes if step.changes else ""
    more = f'<p class="muted">and {step.more:,} more changes</p>' if step.more else ""
    texts = "".join(
        f"<div><b>{name}</b><pre>{escape(text) if text else '–'}</pre></div>"
        for name, text in (("Input", step.input), ("Output", step.output))
    )
    summary = (
        f'<summary><span>{escape(step.name)}</span> <span class="muted">{escape(words)}</span></summary>'
    )
    return (
        f'<details id="data-{step.event}">{summary}{shown}{more}<div class="columns">{texts}</div></details>'
    )


def _summary(step: StepData) -> str:
    if not step.output:
        return "no output"
    if not step.changes:
        return "output is the input"
    paths = ", ".join(change.path for change in step.changes[:4])
    return f"changes {paths}{', …' if len(step.changes) > 4 or step.more else ''}"


def _change(change: ValueChange) -> tuple[str, str, str]:
    before, after = (
        f"<pre>{escape(text)}</pre>" if text is not None else '<span class="muted">–</span>'
        for text in (change.before, change.after)
    )
    return f"<code>{escape(change.path)}</code>", before, after
