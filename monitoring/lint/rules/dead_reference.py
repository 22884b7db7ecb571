"""dead-reference: a `${kind:key}` to a file that is not there, a nested composite, a variable unset."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from monitoring.lint.model import RECORDED, Refusal, Rule
from monitoring.lint.project import Mention, Project, ProjectProblem
from monitoring.resources.instances import file_key
from monitoring.resources.nearest import nearest
from monitoring.resources.resource import KINDS

RULE = Rule(
    "dead-reference",
    "error",
    "A reference to something that is not there.",
    refusals=(
        Refusal("the words of the finding", "`stepscope plan` and `apply`"),
        Refusal("a composite of more than 10 monitors", RECORDED),
    ),
)

_MOST_MEMBERS = 10
_FIXED = frozenset({"from_ts", "to_ts", "live", "refresh_mode", "fullscreen_widget", "fullscreen_section"})


def check_all(project: Project) -> Iterator[ProjectProblem]:
    """Check the references of all files."""
    for file in project.files:
        members = [member for member in file.references if member.in_query and member.kind == "monitor"]
        count = len({member.key for member in members})
        if count > _MOST_MEMBERS:
            text = f"a composite takes {_MOST_MEMBERS} monitors at most, this one has {count}"
            yield ProjectProblem(file.path, members[-1].mark, text)
        for mention in file.references:
            text = _wrong(project, mention, file.type == "composite" and mention.in_query)
            if text:
                yield ProjectProblem(file.path, mention.mark, text)
        for link in file.links:
            yield from _unknown_variables(project, file.path, link)


def _wrong(project: Project, mention: Mention, member: bool) -> str:
    if mention.kind == "var":
        known = project.variables(mention.path)
        if mention.has_default or known is None or mention.key in known:
            return ""
        name = f"var:{mention.key}"
        return f"nothing sets ${{{name}}}. Add it to stepscope.toml, or write ${{{name}|DEFAULT}}"
    if mention.kind not in KINDS:
        return f"no kind of resource is called {mention.kind}. Write one of {', '.join(KINDS)} or var"
    keys = project.keys(mention.kind, mention.path)
    if file_key(mention.key) not in keys:
        near = nearest(mention.key, keys)
        hint = f"Did you mean {near}?" if near else f"Its file would be {mention.kind}s/{mention.key}.json"
        return f"there is no {mention.kind} {mention.key}. {hint}"
    if member and project.type_of("monitor", mention.key) == "composite":
        return f"{mention.key} is a composite itself, and a composite cannot be a member of one"
    return ""


def _unknown_variables(project: Project, path: str, link: Mention) -> Iterator[ProjectProblem]:
    """Find template variables that a link sets and its dashboard does not have."""
    known = project.template_variables(link.key)
    if known is None:
        return
    for name, _ in parse_qsl(urlsplit(link.target).query, keep_blank_values=True):
        variable = name.removeprefix("tpl_var_").partition("[")[0]
        if name in _FIXED or variable in known:
            continue
        near = nearest(variable, known)
        hint = f"Did you mean {near}?" if near else f"It has {', '.join(sorted(known)) or 'none'}"
        text = f"the dashboard {link.key} has no template variable {variable}. {hint}"
        yield ProjectProblem(path, link.mark, text, "warning")
