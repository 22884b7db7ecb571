"""Whatever stands in place of a value, lint says something about it, or nothing; it never fails itself."""

import copy
import json
import re
from pathlib import Path

import pytest

from monitoring.lint.engine import lint_text, lint_together
from monitoring.lint.run import selected

PAGES = Path(__file__).parents[2] / "docs" / "lint"
FILE = re.compile(r"^`(?P<path>[\w/.-]+)`\n\n```json\n(?P<text>.*?)```", re.MULTILINE | re.DOTALL)
VALUES = (None, True, -1, 1.5, "", "$env {{x}} ${a}", [], [[]], {}, {"a": []})


def ways(value, at=()):
    """The way to every value in a body, the body itself left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield (*at, step)
        yield from ways(item, (*at, step))


def with_another(body, way, value):
    changed = copy.deepcopy(body)
    place = changed
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = value
    return json.dumps(changed)


def bodies():
    """The objects among the examples of the pages, with their paths."""
    for page in sorted(PAGES.glob("*.md")):
        for found in FILE.finditer(page.read_text("utf-8")):
            try:
                body = json.loads(found["text"])
            except json.JSONDecodeError:
                continue
            if isinstance(body, dict):
                yield pytest.param(found["path"], body, id=f"{page.stem}: {found['path']}")


@pytest.mark.parametrize(("path", "body"), list(bodies()))
def test_lint_has_something_to_say_of_any_value_or_nothing(path, body):
    codes = selected()
    for way in ways(body):
        for value in VALUES:
            text = with_another(body, way, value)
            found = lint_text(path, text, codes)
            together = lint_together([found.facts] if found.facts else [], codes)
            assert all(each.line >= 1 for each in (*found.findings, *together)), text
