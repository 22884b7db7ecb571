"""What a person reads is in plain words: messages, hints and help, as the source has them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import monitoring

SAYING = {
    *("InputError", "Problem", "ProjectProblem", "Rule", "Fault", "CaseProblem", "JsonError", "SettingFault", "UsageError"),
    *("QueryError", "UnknownValueError", "Refusal", "Skipped", "Broken", "ValueError", "TypeError", "AssertionError"),
    *("echo", "secho", "print", "say", "note", "fault", "unknown", "ok", "error", "fail", "option", "argument", "Advice"),
}  # fmt: skip
"""Calls whose texts reach a person."""
KEYWORDS = {"hint", "help", "message", "reason", "text"}
ODD = {
    "is no X": re.compile(r"(?<![Tt]here )\b(is|are) no (?!longer\b|more\b)\w"),
    "mend": re.compile(r"\bmend(s|ed|ing)?\b", re.IGNORECASE),
    "a metaphor": re.compile(
        r"\b(the books|comes? true|has no place|kin|hangs in|speaks of|tells of a lie)\b"
    ),
    "stands": re.compile(r"\bstands? (twice|in double|in the indentation)\b"),
}
"""Phrases that readers stumbled over. Write "is not a valid time" for "is no time", and say literally what is meant."""


def text_of(node: ast.AST) -> str:
    """Return the words of a literal or f-string, with {} for what is put in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    return ""


def said(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of each message of a module: four words or more, returned, raised or printed."""
    for node in ast.walk(ast.parse(source)):
        nodes: list[ast.AST] = []
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            nodes += node.args if name in SAYING else []
            nodes += [keyword.value for keyword in node.keywords if keyword.arg in KEYWORDS]
        elif isinstance(node, ast.Return) and node.value is not None:
            nodes.append(node.value)
        for part in nodes:
            text = text_of(part)
            if len(text.split()) > 1:
                yield part.lineno, text


@pytest.fixture(scope="module")
def messages() -> list[tuple[str, str]]:
    """(place, text) of each message of the package."""
    package = Path(monitoring.__file__).parent
    return [
        (f"{path.relative_to(package)}:{line}", text)
        for path in sorted(package.rglob("*.py"))
        for line, text in said(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("kind", ODD)
def test_no_message_has_an_odd_phrase(kind, messages):
    assert [f"{place}: {text}" for place, text in messages if ODD[kind].search(text)] == []


def test_there_are_messages_to_read(messages):
    assert len(messages) > 1000


WRONG = {
    "is no X": "raise InputError(f'{name!r} is no time')",
    "mend": "click.echo('nothing to mend')",
    "a metaphor": "return 'the RRULE never comes true'",
    "stands": "f(x, hint='Strings stand in double quotes')",
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_phrase_is_noticed(kind):
    source = WRONG[kind] if "return" not in WRONG[kind] else f"def f():\n    {WRONG[kind]}"
    assert any(ODD[kind].search(text) for _, text in said(source))


def pages_named(source: str) -> Iterator[str]:
    """Yield each text that names a file of docs/, docstrings left out."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in docstrings:
            text = text_of(node)
            if re.search(r"\bdocs/[\w/{}-]+\.md", text):
                yield text


def test_no_message_sends_a_user_to_a_page_that_the_wheel_does_not_have():
    """Say what to do, or name a command that shows it."""
    package = Path(monitoring.__file__).parent
    sources = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    named = {str(path.relative_to(package)): list(pages_named(source)) for path, source in sources.items()}
    assert {path: texts for path, texts in named.items() if texts} == {}


@pytest.mark.parametrize(
    "source",
    [
        "WAYS = 'docs/tracing.md shows the ways'",
        "raise InputError('no test', hint=f'write {name}: docs/guides/monitor.md')",
        "DOCS = 'docs/lint/{code}.md'",
        "hint = f'docs/lint/{code}.md'",
    ],
)
def test_a_message_that_names_a_page_is_noticed(source):
    assert list(pages_named(source))


def test_a_docstring_may_name_a_page():
    assert list(pages_named('def f():\n    """Return it; docs/lint.md."""\nA = 1\n"""docs/cost.md"""')) == []
