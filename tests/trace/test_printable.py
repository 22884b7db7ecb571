"""Characters that a terminal acts on never reach it from a log, a tag or a file."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from monitoring.cli.query import command as query
from monitoring.cli.trace import command
from monitoring.query.series import Series
from monitoring.store import Store
from monitoring.terminal import printable

ATTACKS = {
    "ESC": "\x1bc",
    "CSI": "\x1b[2J\x1b[31m",
    "C1 CSI": "\x9b2J",
    "OSC": "\x1b]0;title\x07",
    "OSC 8": "\x1b]8;;https://example.com\x1b\\text",
    "C1 OSC": "\x9d0;title\x9c",
    "DCS": "\x1bPq\x1b\\",
    "backspace": "harmless\x08\x08\x08\x08",
    "carriage return": "shown\rhidden",
    "NEL": "one\x85two",
    "bidi override": "\u202etxt.exe\u202c",
    "bidi isolate": "\u2066a\u2069",
    "line separator": "a\u2028b",
    "delete": "\x7f",
    "null": "\x00",
}
SHOWN = set("\n\t")


def acted_on(text):
    """The characters of an output that a terminal would not simply show."""
    return [c for c in text if not c.isprintable() and c not in SHOWN]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_every_attack_is_written_as_its_escape(attack):
    assert acted_on(printable(attack)) == []
    assert "\\" in printable(attack)


@given(st.text())
def test_no_text_holds_what_a_terminal_acts_on(text):
    assert not [c for c in printable(text) if ord(c) < 0x20 and c not in SHOWN]
    assert printable(printable(text)) == printable(text)


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"))))
def test_text_that_is_shown_stays_as_it_is(text):
    assert printable(text) == text


def event(number, kind, attack, **details):
    arn = f"arn:aws:states:eu-west-1:1:execution:shop{attack.replace(':', '')}:run-1"
    record = {"id": str(number), "type": kind, "previous_event_id": str(number - 1), "execution_arn": arn}
    return json.dumps({**record, "event_timestamp": str(1_795_800_000_000 + number), "details": details})


@pytest.mark.parametrize("arguments", [[], ["run"], ["--json"], ["run", "--json"]], ids=str)
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_trace_prints_none_of_it(tmp_path, attack, arguments):
    lines = [
        event(1, "ExecutionStarted", attack, input="{}"),
        event(2, "TaskStateEntered", attack, name=f"Pay{attack}", input="{}"),
        event(3, "TaskFailed", attack, error=f"E{attack}", cause=f"because{attack}"),
        event(4, "ExecutionFailed", attack, error=f"E{attack}", cause=f"because{attack}"),
    ]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(lines))
    result = CliRunner().invoke(command, [*arguments, "--data", str(file)])
    assert result.exit_code == 0, result.output
    assert "run-1" in result.output
    assert acted_on(result.output) == []


@pytest.mark.parametrize("options", [["--plot"], ["--no-plot"], ["--json"]], ids=str)
def test_a_query_prints_no_tag_as_it_is(tmp_path, options):
    attack = "".join(ATTACKS.values()).replace("\x00", "")
    with Store.open(tmp_path / "datadog.duckdb") as store:
        times = np.arange(1_795_800_000, 1_795_803_600, 60)
        values = np.ones(len(times))
        store.add_points([Series("shop.calls", (f"name:a{attack}", "env:x"), times, values)])
    where = ["--data", str(tmp_path / "datadog.duckdb"), "--from", "1795800000", "--to", "1795803600"]
    result = CliRunner().invoke(query, ["avg:shop.calls{*} by {name}", *where, *options])
    assert result.exit_code == 0, result.output
    assert acted_on(result.output) == []
