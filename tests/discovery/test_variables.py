"""Variables of the Serverless Framework: sources, fallbacks, nesting, and what nothing is known of."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.discovery.variables import MISSING, Variables
from monitoring.errors import InputError

CONFIG: dict[str, Any] = {
    "service": "shop",
    "provider": {"stage": "${opt:stage, 'dev'}", "region": "eu-west-1"},
    "params": {"default": {"size": 1, "only": "d"}, "prod": {"size": 9}},
    "custom": {
        "dev": {"x": "in-dev", "list": ["a", "b"]},
        "prod": {"x": "in-prod"},
        "chosen": "${self:custom.${opt:stage, 'dev'}}",
        "number": 7,
        "no": False,
        "empty": "",
        "null": None,
        "ring": "${self:custom.gnir}",
        "gnir": "${self:custom.ring}",
        "whole": "${self:custom}",
    },
}
TEXTS = [
    ("plain", "plain"),
    ("${self:service}", "shop"),
    ("${opt:stage, 'dev'}", "dev"),
    ('${opt:stage, "dev"}', "dev"),
    ("${opt:stage,'dev'}", "dev"),
    ("${ opt:stage , 'dev' }", "dev"),
    ("${opt:stage, self:provider.stage}", "dev"),
    ("${opt:stage, ${self:provider.stage}}", "dev"),
    ("${opt:a, opt:b, opt:c, 'last'}", "last"),
    ("${opt:a, ${opt:b, ${opt:c, 'deep'}}}", "deep"),
    ("${opt:a, 'with, a comma'}", "with, a comma"),
    ("${opt:a, 'x-${self:service}'}", "x-shop"),
    ("${opt:a, 5}", 5),
    ("${opt:a, true}", True),
    ("${opt:a, ''}", ""),
    ("${opt:a, null}", None),
    ("${sls:stage}", "dev"),
    ("${self:provider.stage}", "dev"),
    ("${self:custom.${opt:stage, 'dev'}.x}", "in-dev"),
    ("${self:custom.chosen.x}", "in-dev"),
    ("${self:custom.dev.list.1}", "b"),
    ("${self:custom.dev.list.2, 'none'}", "none"),
    ("${self:custom.number}", 7),
    ("n${self:custom.number}", "n7"),
    ("${self:custom.no}", False),
    ("v-${self:custom.no}", "v-false"),
    ("${self:custom.empty}", ""),
    ("${self:custom.null, 'x'}", "x"),
    ("${env:SHOP_NAME, 'x'}", "from-env"),
    ("${env:SHOP_NO_SUCH, 'x'}", "x"),
    ("${param:size}", 1),
    ("${param:only}", "d"),
    ("${aws:region}", "eu-west-1"),
    ("${self:service}-${sls:stage}-x", "shop-dev-x"),
    ("${file(more.yml):a.b}", "b-shop"),
    ("${file(./more.yml):list.0}", "first"),
    ("${file(more.${sls:stage}.yml):x, 'no file'}", "no file"),
    ("${file(more.yml):no.such, 'no key'}", "no key"),
    ("${file(code.js):x, 'code'}", "code"),
    ("${file(text.txt)}", "text"),
    ("${Queue.Arn}", "${Queue.Arn}"),
    ("arn:${AWS::Region}:${AWS::AccountId}", "arn:${AWS::Region}:${AWS::AccountId}"),
    ("${ssm:/a}", "${ssm:/a}"),
    ("${not closed", "${not closed"),
    ("${self:custom.ring, 'ring'}", "ring"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "more.yml").write_text("a: {b: 'b-${self:service}'}\nlist: [first]\n")
    (tmp_path / "code.js").write_text("module.exports = {x: 1}")
    (tmp_path / "text.txt").write_text("text")
    monkeypatch.setenv("SHOP_NAME", "from-env")
    return tmp_path


@pytest.mark.parametrize(("text", "value"), TEXTS)
def test_a_variable_has_the_value_of_its_first_source_that_has_one(
    folder: Path, text: str, value: object
) -> None:
    assert Variables(CONFIG, folder).resolve(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${opt:stage, 'dev'}", "prod"),
        ("${self:custom.${opt:stage, 'dev'}.x}", "in-prod"),
        ("${sls:stage}", "prod"),
        ("${param:size}", 9),
        ("${param:only}", "d"),
    ],
)
def test_an_option_of_the_command_line_wins(folder: Path, text: str, value: object) -> None:
    assert Variables(CONFIG, folder, {"stage": "prod"}).resolve(text) == value


def test_what_is_not_known_is_asked_for_once_as_a_whole(folder: Path) -> None:
    asked: list[str] = []

    def unknown(expression: str) -> object:
        asked.append(expression)
        return "stand-in" if expression.startswith("ssm") else MISSING

    variables = Variables(CONFIG, folder, unknown=unknown)
    assert variables.resolve("x-${ssm:/a/b}-${cf:other.Arn}") == "x-stand-in-${cf:other.Arn}"
    assert asked == ["ssm:/a/b", "cf:other.Arn"]


def test_a_value_that_contains_itself_ends(folder: Path) -> None:
    Variables(CONFIG, folder).resolve(CONFIG)


@pytest.mark.parametrize("pattern", ["${{self:x{n}}}${{self:x{n}}}", "${{self:x{n}, self:x{n}}}"])
def test_variables_that_double_each_other_do_not_take_all_memory(folder: Path, pattern: str) -> None:
    config = {f"x{n}": pattern.format(n=n + 1) for n in range(60)} | {"x60": "${opt:none}ab"}
    try:
        Variables(config, folder).resolve("${self:x0}")
    except InputError as error:
        assert "million" in str(error)


@given(st.text(alphabet="${}()'\",:. \nabself", max_size=40))
def test_any_text_is_resolved_without_an_exception(text: str) -> None:
    Variables({"a": text, "self": {"a": "${self:a}"}}, Path("/nowhere")).resolve(text)
