"""template-variable: a template variable, or a tag of the dashboard, that Datadog refuses."""

from collections.abc import Iterator

from monitoring.lint.model import RECORDED, Problem, Refusal, Rule, Subject

RULE = Rule(
    "template-variable",
    "error",
    "A template variable or tag that Datadog refuses.",
    ("dashboard",),
    (
        Refusal("'template_variables' is invalid", RECORDED),
        Refusal("Minimum length of parameter 'defaults' should be 1", RECORDED),
        Refusal("Invalid tag format. Valid tag keys are: team.", RECORDED),
    ),
)


def check(subject: Subject) -> Iterator[Problem]:
    """Check the API's conditions on template variables and tags beyond their shape."""
    rows = subject.body.get("template_variables")
    seen: set[str] = set()
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        at = ("template_variables", index)
        if not isinstance(row, dict):
            continue
        if row.get("default") is not None and row.get("defaults"):
            yield Problem((*at, "default"), "default and defaults exclude each other. Keep defaults")
        defaults = row.get("defaults")
        for place, value in enumerate(defaults if isinstance(defaults, list) else ()):
            if value == "":
                yield Problem((*at, "defaults", place), "a default is empty. Write *, or leave it out")
        name = row.get("name")
        if isinstance(name, str):
            if name in seen:
                text = f"two template variables are called {name}"
                yield Problem((*at, "name"), text, severity="warning")
            seen.add(name)
    tags = subject.body.get("tags")
    for index, tag in enumerate(tags if isinstance(tags, list) else ()):
        if isinstance(tag, str) and not tag.startswith("team:"):
            yield Problem(("tags", index), f"a dashboard's tags have the key team, and {tag} has not")
