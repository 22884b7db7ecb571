"""unused-value: a value of stepscope.toml that no file asks for, so that setting it changes nothing."""

from collections.abc import Iterator

from monitoring.lint.model import Rule
from monitoring.lint.project import Project, ProjectProblem
from monitoring.resources.nearest import nearest

RULE = Rule("unused-value", "warning", "A value of stepscope.toml that no file uses.")


def check_all(project: Project) -> Iterator[ProjectProblem]:
    """Yield each value whose name is in no `${var:…}`: misspelt, it leaves the default in force."""
    for file in project.files:
        if not file.values:
            continue
        used = project.used_variables(file.path)
        names = {value.name for value in file.values}
        for name, mark, _ in (value for value in file.values if not value.list or value.list in used):
            if name in used or name == "env":
                continue
            near = nearest(name, used - names) or nearest(name, used)
            hint = f"Did you mean {near}?" if near else f"Write ${{var:{name}}} in a file, or take it out"
            yield ProjectProblem(file.path, mark, f"no file uses ${{var:{name}}}. {hint}")
