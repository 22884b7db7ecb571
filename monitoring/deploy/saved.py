"""Save plans, and apply a saved plan only if nothing has changed since."""

import json
from pathlib import Path
from typing import Any

from monitoring.deploy.differ import Plan
from monitoring.deploy.plan_report import as_data
from monitoring.errors import InputError, writing

VERSION = 1


def save(plan: Plan, path: Path, project: str, env: str) -> None:
    """Write the plan for a later `stepscope apply FILE`."""
    content = {"stepscope_plan": VERSION, "project": project, "env": env, **as_data(plan)}
    with writing(path):
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """Read a saved plan.

    Raises:
        InputError: the file is not a saved plan.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read as a plan: {error}", where=str(path)) from None
    if not isinstance(content, dict) or content.get("stepscope_plan") != VERSION:
        raise InputError("is not a saved plan", where=str(path), hint="Make one: stepscope plan --out FILE")
    return content


def insist(saved: dict[str, Any], plan: Plan, path: Path) -> None:
    """Check that the present plan equals the saved one.

    Raises:
        InputError: the files or Datadog have changed, or the saved plan was edited.
    """
    now = as_data(plan)
    if {key: saved.get(key) for key in now} != json.loads(json.dumps(now)):
        raise InputError(
            "what would be done now is not what was saved: the files, Datadog or the saved plan have changed",
            where=str(path),
            hint=f"Look at it again: stepscope plan --out {path}",
        )
