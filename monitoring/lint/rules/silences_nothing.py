"""silences-nothing: a downtime that means no monitor of the project, or none of its groups.

A scope is compared with the tags of a monitor's groups and with those that its query asks for; the monitor's
own tags are `monitor_identifier`'s.
"""

from collections.abc import Iterator

from monitoring.lint.model import Rule
from monitoring.lint.muting import Meant
from monitoring.lint.project import FileFacts, Project, ProjectProblem

RULE = Rule("silences-nothing", "warning", "A downtime that matches no monitor here.", ("downtime",))


def check_all(project: Project) -> Iterator[ProjectProblem]:
    """Find downtimes that match none of the monitors of this run."""
    monitors = [file for file in project.files if file.reach is not None]
    for file in project.files:
        text = _wrong(file.meant, monitors) if file.meant is not None and monitors else ""
        if text:
            yield ProjectProblem(file.path, file.title_mark, text)


def _wrong(target: Meant, monitors: list[FileFacts]) -> str:
    about = [monitor for monitor in monitors if _is_about(target, monitor)]
    if not about:
        if target.key:
            return ""  # dead-reference says so
        return f"no monitor of the project carries {' and '.join(sorted(target.tags))}. Correct monitor_tags"
    keys = set(target.scope_keys)
    if any(monitor.reach and (monitor.reach.keys is None or keys <= monitor.reach.keys) for monitor in about):
        return ""
    known = sorted(
        {
            key
            for monitor in about
            if monitor.reach and monitor.reach.keys
            for key in monitor.reach.keys
            if key
        }
    )
    text = f"no monitor that it matches is grouped by {' and '.join(sorted(keys))}, or asks for it"
    return f"{text}: their groups are {', '.join(known) or 'none'}. It silences nothing"


def _is_about(target: Meant, monitor: FileFacts) -> bool:
    if target.key:
        return monitor.key == target.key
    return monitor.reach is not None and target.tags <= monitor.reach.tags
