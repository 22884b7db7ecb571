"""Files with for_each, and the lists of stepscope.toml, as lint sees them."""

import json
from pathlib import Path

import pytest

from monitoring.lint.run import lint

BODY = {
    "for_each": "shops",
    "name": "${var:each}",
    "type": "query alert",
    "query": "sum(last_5m):sum:shop.orders{${var:scope|*}}.as_count() > ${var:most|3}",
    "message": "It is bad. @slack-x",
    "options": {"thresholds": {"critical": "${var:most|3}"}},
}

CASES = {
    "nothing wrong": ('[defaults]\nshops = ["a", "b"]', BODY, []),
    "no list": ("[defaults]", BODY, []),
    "values of entries are known and used": ('[defaults.shops.a]\nscope = "x:y"\nmost = 7', BODY, []),
    "a value of an entry that nothing uses": (
        "[defaults.shops.a]\nmots = 7",
        BODY,
        [("stepscope.toml", 2, "no file uses ${var:mots}. Did you mean most?")],
    ),
    "a misspelt list": (
        '[defaults]\nshosp = ["a"]',
        BODY,
        [
            ("monitors/orders.json", 2, "stepscope.toml has no list shops. Did you mean shosp?"),
            ("stepscope.toml", 2, "no file uses ${var:shosp}. Did you mean shops?"),
        ],
    ),
    "a scope that cannot be read, in one environment": (
        '[defaults]\nshops = ["a"]\n[env.prod]\nscope = "a:b AND !c:d"',
        BODY,
        [("monitors/orders.json", 5, "as orders[a] the query is wrong: the symbols ! and , cannot be mixed")],
    ),
    "what is no list": (
        "[defaults]\nshops = 3",
        BODY,
        [("monitors/orders.json", 2, "shops is not a list that for_each can go through")],
    ),
    "equal instances": (
        '[defaults]\nshops = ["a", "b"]',
        {**BODY, "name": "orders"},
        [("monitors/orders.json", 2, "all 2 instances are equal.")],
    ),
}


@pytest.mark.parametrize(("settings", "body", "expected"), CASES.values(), ids=CASES)
def test_lists_and_files_are_checked_together(tmp_path, monkeypatch, settings, body, expected):
    monkeypatch.chdir(tmp_path)
    Path("monitors").mkdir()
    Path("stepscope.toml").write_text(settings)
    Path("monitors/orders.json").write_text(json.dumps(body, indent=1))
    found = lint(
        [Path("monitors/orders.json")], frozenset({"for-each", "unused-value", "dead-reference", "schema"})
    )
    assert [(one.path, one.line) for one in found.findings] == [row[:2] for row in expected]
    for finding, (_, _, text) in zip(found.findings, expected, strict=True):
        assert finding.message.startswith(text)
