"""What a drill looks like: rows, Markdown, the picture."""

import io
import re
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from monitoring.drill.fault import Fault
from monitoring.drill.judge import DrillResult, judge
from monitoring.drill.matrix import page, picture, write
from monitoring.drill.recordings import Take
from monitoring.drill.show import Printer, lines, markdown, summary
from monitoring.drill.watching import Seen, Watcher
from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor
from monitoring.terminal import plain

WATCHERS = [
    Watcher(key, Monitor(key, "query alert", "avg(last_5m):avg:a{*} > 1"))
    for key in ("quick", "slow", "idle")
]
BROKEN = Fault("broken", "It breaks.", {"quick": 5, "slow": 20}, minutes=30, run=lambda lane: None)
DAY = Fault("day", "An ordinary day.", control=True, run=lambda lane: None)


def result(*seen: Seen, in_vain: tuple[Seen, ...] = (), complete: bool = False) -> DrillResult:
    outcomes = (
        judge(BROKEN, [Take("FAILED", "KeyError")], seen, WATCHERS, False),
        judge(DAY, [Take("SUCCEEDED")], in_vain, WATCHERS, False),
    )
    return DrillResult(outcomes, tuple(WATCHERS), {"logs": "a reason"}, complete, 61.0)


FINE = (Seen("quick", 1.0, None, 40.0, 1), Seen("slow", 17.0, None, 65.0, 1))


def shown(result: DrillResult) -> str:
    rows = [plain(*line) for each in result.outcomes for line in lines(each)]
    return "\n".join([*rows, *(plain(part) for part in summary(result))])


def test_a_row_tells_after_how_long_by_when_and_when_it_was_well():
    text = shown(result(*FINE))
    first, second = text.splitlines()[:2]
    assert first.split() == ["broken", "injected", "quick", "1", "min", "5", "+10", "min"]
    assert second.split() == ["slow", "17", "min", "20", "+35", "min"]
    assert re.search(r"^day +control +nobody$", text, re.MULTILINE)
    assert "1 of 1 faults noticed as they should be, 1 of 1 ordinary days without an alarm; 61 s" in text
    assert "not drilled: logs: a reason" in text
    assert result(*FINE).fine


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (result(FINE[0]), "broken: slow does not notice"),
        (
            result(FINE[0], Seen("slow", 21.0, None, 65.0, 1)),
            "broken: slow notices after 21 min, and has to within 20",
        ),
        (
            result(FINE[0], Seen("slow", 17.0, None, None, 1)),
            "broken: slow does not recover within 120 minutes",
        ),
        (result(*FINE, in_vain=(Seen("idle", 3.0, None, 9.0, 1),)), "day: idle alerts in vain after 3 min"),
        (result(*FINE, complete=True), "idle: no fault sets it off"),
    ],
)
def test_what_is_wrong_is_a_sentence_in_every_form(found: DrillResult, sentence: str):
    assert found.wrong == (sentence,)
    assert not found.fine
    assert found.as_data()["wrong"] == [sentence]
    assert f"- {sentence}" in markdown(found)


def test_a_warning_is_no_alarm_in_vain():
    assert result(*FINE, in_vain=(Seen("idle", None, 5.0),)).fine


def test_markdown_has_a_row_for_each():
    rows = markdown(result(*FINE)).splitlines()
    assert rows[2] == "| broken | injected | **quick** 1, **slow** 17 | +10 min to +35 min | yes |"
    assert rows[3] == "| day | control | nobody |  | yes |"


def test_the_picture_has_every_fault_every_monitor_and_the_minutes():
    root = ET.fromstring(picture(result(FINE[0])))
    texts = [each.text for each in root.iter() if each.tag.endswith("text")]
    assert {"broken", "day", "quick", "slow", "idle", "1", "×"} <= set(texts)
    assert picture(result(*FINE)) in page(result(*FINE))


def test_a_picture_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write(result(*FINE), tmp_path / "none" / "drill.svg")
    write(result(*FINE), tmp_path / "drill.png")
    assert (tmp_path / "drill.png").read_bytes().startswith(b"\x89PNG")


def test_rows_go_to_standard_output_though_progress_goes_to_a_terminal(capsys):
    terminal = io.StringIO()
    with Printer(Console(file=terminal, force_terminal=True)) as printer:
        printer.say("running")
        printer.started(BROKEN)
        printer.ended(result(*FINE).outcomes[0])
    assert "broken" in capsys.readouterr().out
    assert "slow" not in terminal.getvalue()
