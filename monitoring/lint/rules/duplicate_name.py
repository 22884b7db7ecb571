"""duplicate-name: two dashboards or two monitors that people cannot tell apart."""

from collections.abc import Iterator

from monitoring.lint.model import Rule
from monitoring.lint.project import Project, ProjectProblem

RULE = Rule("duplicate-name", "warning", "Two dashboards, or two monitors, have the same name.")


def check_all(project: Project) -> Iterator[ProjectProblem]:
    """Find files with the same name as an earlier one."""
    first: dict[tuple[str, str], str] = {}
    for file in project.files:
        if not file.title:
            continue
        earlier = first.setdefault((file.kind, file.title), file.path)
        if earlier != file.path:
            text = f"{earlier} is called {file.title!r} too. Give each {file.kind} a name of its own"
            yield ProjectProblem(file.path, file.title_mark, text)
