"""`stepscope.toml` in lint, and the same sentences where a command reads it."""

import json
from pathlib import Path

import pytest

from monitoring.cli import main
from monitoring.errors import InputError
from monitoring.lint.engine import lint_text
from monitoring.lint.run import lint, selected
from monitoring.resources.project import key_place, parse_settings, read_settings

MONITOR = {
    "name": "A",
    "type": "query alert",
    "query": "sum(last_15m):sum:a.b{*}.as_count() > ${var:most|5}",
    "message": "Bad. ${var:notify|@slack-a} ${var:page}",
}
WRONG = {
    "not TOML": ("a = [", "1:", "not valid TOML"),
    "cut off": ('[defaults]\na = "x', "2:", "not valid TOML"),
    "twice": ("a = 1\na = 2", "2:", "not valid TOML"),
    "deep": ("a = " + "[" * 20_000, "1:", "not valid TOML"),
    "key": ("projct = 'a'", "1:1", "unknown key 'projct'. Did you mean project?"),
    "table": ("\n[default]\na = 1", "2:2", "unknown key 'default'. Did you mean [defaults]?"),
    "environments": ("[envs.prod]\na = 1", "1:2", "unknown key 'envs'. Did you mean [env]?"),
    "environment": ("[prod]\na = 1", "1:2", "unknown key 'prod'. Did you mean [env.prod]?"),
    "value": ("notify = '@a'", "1:1", "Write it under [defaults], for ${var:notify}"),
    "project": ("project = 5", "1:1", "project 5 is not a valid name"),
    "empty": ("project = ''", "1:1", "project '' is not a valid name"),
    "defaults": ("defaults = 1", "1:1", "defaults is not a table"),
    "env": ("env = 'prod'", "1:1", "env is not a table"),
    "loose": ("[env]\nnotify = '@a'", "2:1", "'notify' is not an environment"),
    "name of env": ("[env.'a b']\nx = 1", "1:2", "env 'a b' is not a valid name"),
    "secret": ("[env.prod]\n\n  dd_api_key = 'x'", "3:3", "looks like a secret"),
    "variable": ("[defaults]\n1st = 2", "2:1", "no ${var:…} can be called '1st'"),
    "date": ("[defaults]\nday = 2026-01-01", "2:1", "day is 2026-01-01, which JSON cannot hold"),
    "infinite": ("[defaults]\nmost = inf", "2:1", "which JSON cannot hold"),
    "dotted": ("[defaults]\nx.y = nan", "2:1", "which JSON cannot hold"),
    "inline": ("defaults = {day = 2026-01-01}", "1:1", "which JSON cannot hold"),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "a.json").write_text(json.dumps(MONITOR))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def findings(text: str) -> list[tuple[str, str, str]]:
    Path("stepscope.toml").write_text(text)
    result = lint(
        [Path("monitors/a.json")], frozenset({"project-settings", "unused-value", "dead-reference"})
    )
    return [
        (each.rule, f"{each.line}:{each.column}", each.message)
        for each in result.findings
        if each.path == "stepscope.toml"
    ]


@pytest.mark.parametrize("kind", WRONG)
def test_what_commands_refuse_is_found_at_its_place(project: Path, kind: str):
    text, place, said = WRONG[kind]
    ((rule, where, message),) = findings(text)
    assert rule == "project-settings"
    assert where.startswith(place)
    assert said in message
    with pytest.raises(InputError) as refused:
        read_settings(Path("stepscope.toml"))
    assert said.partition(". Did")[0].partition("Write it")[0] in refused.value.message
    assert refused.value.where == f"stepscope.toml:{where}"


def test_everything_wrong_is_said_at_once(project: Path):
    text = "projct = 'a'\n[default]\nx = 1\n[env.prod]\nday = 2026-01-01\n"
    assert [where for _, where, _ in findings(text)] == ["1:1", "2:2", "5:1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[defaults]\npage = 1", []),
        ("[defaults]\npage = 1\n[env.prod]\nnotify = '@b'\nmost = 3", []),
        ("[defaults]\nenv = 'x'", []),
        ("[defaults]\nnotfy = '@b'", [("2:1", "no file uses ${var:notfy}. Did you mean notify?")]),
        ("[env.prod]\nPage = '@b'", [("2:1", "no file uses ${var:Page}. Did you mean page?")]),
        ("[defaults]\nx = 1", [("2:1", "no file uses ${var:x}. Write ${var:x} in a file, or take it out")]),
        ("[defaults]\nx.y = 1", [("2:1", "no file uses ${var:x}. Write ${var:x} in a file, or take it out")]),
        (
            "[defaults]\nnotify = '@a'\n[env.a]\nnotifi = '@b'\n[env.b]\nnotifi = '@c'",
            [(place, "no file uses ${var:notifi}. Did you mean notify?") for place in ("4:1", "6:1")],
        ),
    ],
)
def test_a_value_that_no_file_uses_is_found_with_the_name_that_was_meant(project: Path, text: str, said):
    assert [(where, message) for _, where, message in findings(text)] == said


def test_a_file_beside_those_that_are_linted_uses_a_value_too(project: Path):
    (project / "slos").mkdir()
    (project / "slos" / "b.json").write_text('{"name": "${var:target}"}')
    assert findings("[defaults]\ntarget = 1") == []


def test_variables_are_not_called_unset_while_the_settings_cannot_be_read(project: Path):
    codes = frozenset({"dead-reference"})
    (project / "stepscope.toml").write_text("[defaults")
    assert lint([Path("monitors/a.json")], codes).findings == ()
    (project / "elsewhere" / "monitors").mkdir(parents=True)
    other = project / "elsewhere" / "monitors" / "a.json"
    other.write_text(json.dumps(MONITOR))
    (project / "elsewhere" / "stepscope.toml").write_text("[defaults]\nnotify = 1")
    (finding,) = lint([other], codes).findings
    assert "nothing sets ${var:page}" in finding.message


@pytest.mark.parametrize(
    "arguments", [["monitors"], ["stepscope.toml"], ["monitors/a.json", "stepscope.toml"], []]
)
def test_the_command_ends_with_1_whatever_files_it_is_given(project: Path, capsys, arguments: list[str]):
    (project / "stepscope.toml").write_text("[default]\nx = 1")
    with pytest.raises(SystemExit) as ended:
        main(["lint", *arguments])
    assert ended.value.code == 1
    shown = capsys.readouterr().out
    assert shown.count("[project-settings]") == 1
    assert "stepscope.toml\n  1:2  error    unknown key 'default'" in shown


def test_rules_that_are_not_asked_for_say_nothing(project: Path):
    for select in ({"unused-value"}, {"json-syntax"}):
        assert lint_text("stepscope.toml", "[default]\nx = 1", frozenset(select)).findings == ()
    assert lint_text("stepscope.toml", "", selected()).findings == ()


def test_keys_are_placed_however_they_are_written():
    text = '[ "defaults" ]\n"a" = 1\nb={ c = 1 }\n[env.prod]\na = 2\n[env."x"]\na=3\n'
    places = {
        ("defaults", "a"): (2, 1),
        ("defaults", "b"): (3, 1),
        ("env", "prod", "a"): (5, 1),
        ("env", "x", "a"): (7, 1),
        ("none",): (1, 1),
    }
    assert {keys: key_place(text, keys) for keys in places} == places
    assert parse_settings(text)[1] == []
