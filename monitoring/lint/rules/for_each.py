"""for-each: a list of stepscope.toml that cannot be gone through, or instances that cannot be used."""

from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.errors import InputError
from monitoring.lint.model import Refusal, Rule
from monitoring.lint.project import FileFacts, Project, ProjectProblem
from monitoring.resources import parsed
from monitoring.resources.instances import EACH, FOR_EACH, entries, filled_instances, words_of
from monitoring.resources.nearest import nearest
from monitoring.resources.resource import KINDS, Resource
from monitoring.resources.variables import mentioned, merged, settled

RULE = Rule(
    "for-each",
    "error",
    "A list that for_each cannot go through, or instances that are equal or wrong.",
    refusals=(Refusal("the words of the finding", "`stepscope plan` and `apply`"),),
)


def check_all(project: Project) -> Iterator[ProjectProblem]:
    """Check each file with `for_each` in every environment; what several environments share is said once."""
    for file in project.files:
        if file.several is not None:
            settings = project.settings(file.path) or {}
            yield from dict.fromkeys(
                problem for values in _environments(settings) for problem in _problems(file, values)
            )


def _environments(settings: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the values without an environment, and those of each."""
    defaults = settings.get("defaults", {})
    for env, values in {"default": {}, **settings.get("env", {})}.items():
        yield {"env": env, **merged(defaults, values)}


def _problems(file: FileFacts, values: Mapping[str, Any]) -> Iterator[ProjectProblem]:
    if file.several is None:
        return
    body, mark, query_mark = file.several
    resource = Resource(file.kind, file.key, body)
    name = next(iter(words_of(body[FOR_EACH])), "")
    if name and name not in values:
        near = nearest(name, [key for key, value in values.items() if isinstance(value, list | Mapping)])
        if near:
            yield ProjectProblem(file.path, mark, f"stepscope.toml has no list {name}. Did you mean {near}?")
        return
    try:
        made = list(filled_instances(resource, settled(values, "stepscope.toml"), lambda *_: None))
        inner = {key for entry in entries(name, values[name]).values() for key in entry}
    except InputError as error:
        if error.message.startswith("no value for"):
            return  # dead-reference says so
        yield ProjectProblem(file.path, mark, ". ".join(filter(None, (error.message, error.hint))))
        return
    used = {variable for variable, _ in mentioned(body)}
    if (
        len(made) > 1
        and not used & {EACH, *inner}
        and not any(mention.kind in KINDS and mention.in_query for mention in file.references)
    ):
        text = (
            f"all {len(made)} instances are equal. Mention ${{var:{EACH}}}, or a value that the entries have"
        )
        yield ProjectProblem(file.path, mark, text)
    for instance in made if file.kind == "monitor" else ():
        fault = parsed.monitor(str(instance.body.get("query")))[1]
        if fault is not None and parsed.monitor(str(body.get("query")))[1] is None:
            said = ". ".join(filter(None, (fault.message, fault.hint)))
            yield ProjectProblem(file.path, query_mark, f"as {instance.key} the query is wrong: {said}")
