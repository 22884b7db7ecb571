"""missing-handle: a monitor whose message reaches nobody."""

from collections.abc import Iterator

from monitoring.lint.model import Rule
from monitoring.lint.project import Project, ProjectProblem

RULE = Rule("missing-handle", "warning", "The message names no @handle, so nobody is told.", ("monitor",))


def check_all(project: Project) -> Iterator[ProjectProblem]:
    """Find monitors without a handle, except members of composites, because the composite may notify."""
    parts = {
        mention.key
        for file in project.files
        for mention in file.references
        if mention.in_query and mention.kind == "monitor"
    }
    for file in project.files:
        if file.silent is not None and file.key not in parts:
            text = "the message names nobody. Add a handle, such as @slack-oncall or ${var:notify|@oncall}"
            yield ProjectProblem(file.path, file.silent, text)
