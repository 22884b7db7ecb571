"""The text of notifications: blocks, variables, numbers, and what each kind of notification is called.

Source: https://docs.datadoghq.com/monitors/notify/variables/ (conditionals, is_match, evaluation, epoch variables, raw format)
and https://docs.datadoghq.com/monitors/notify/ (title, renotification). A conditional alone on its line takes the line with it,
as in Handlebars.
"""

import pytest
from monitor_helpers import START, history, monitor, series

from monitoring.errors import InputError
from monitoring.monitor.expressions import evaluate_expression, local_time
from monitoring.monitor.message import Moment, compose
from monitoring.monitor.states import State
from monitoring.monitor.template import CONDITIONALS, Context, handles, look_up, render, show

KNOWN = Context(
    frozenset({"is_alert"}), {"value": 1.5, "host.name": "web 1/a", "a.b.name": "five", "text": "yes"}, 2
)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("a{{else}}b", "ab"),
        ("{{#is_alert}}A{{else}}B{{/is_alert}}C", "AC"),
        ("{{#is_warning}}A{{else}}B{{/is_warning}}C", "BC"),
        ("{{^is_alert}}A{{else}}B{{#is_warning}}C{{else}}D{{/is_warning}}E{{/is_alert}}", "BDE"),
        ("{{#is_warning}}A{{#is_alert}}B{{else}}C{{/is_alert}}{{else}}D{{/is_warning}}", "D"),
        ("{{ #is_alert }}A{{ /is_alert }}", "A"),
        ("a\n{{ }}\nb", "a\n\nb"),
        ("a\n{{text}}\nb", "a\nyes\nb"),
        ("a\n  {{#is_alert}}\t\nb\n{{/is_alert}}\nc", "a\nb\nc"),
        ("a\n{{#is_alert}} b\n{{/is_alert}}\nc", "a\n b\nc"),
        ("a\nb {{#is_alert}}\nc{{/is_alert}}\nd", "a\nb \nc\nd"),
        ("a\n{{#is_alert}}\nb\n{{/is_alert}}", "a\nb"),
        ("a\n{{#is_alert}}\nb\n\n{{/is_alert}}\n\nc", "a\nb\n\n\nc"),
        ("a\n{{^is_alert}}\nb\n{{/is_alert}}\nc", "a\nc"),
        ("{{! a comment }}b{{!-- {{value}} --}}c", "bc"),
        ("{{{text}}}", "yes"),
        ("{{{{raw}}}}{{value}}{{{{/raw}}}}", "{{value}}"),
        ('{{{{is_match "text" "ye"}}}}{{value}}{{{{/is_match}}}}', "{{value}}"),
        ('{{{{is_match "text" "no"}}}}{{value}}{{{{/is_match}}}}x', "x"),
        ("{{#is_match text ye}}A{{/is_match}}", "A"),
        ('{{#is_match "text"}}A{{/is_match}}{{#is_match}}B{{/is_match}}C', "C"),
        ('{{#is_match "text" "no" "es"}}A{{/is_match}}', "A"),
        ('{{#is_match "missing" "x"}}A{{else}}B{{/is_match}}', "B"),
        ('{{#is_exact_match "text" "yes"}}A{{/is_exact_match}}', "A"),
        ('{{#is_exact_match "text" "no" "yes"}}A{{/is_exact_match}}', "A"),
        ('{{#is_exact_match "text" "ye"}}A{{else}}B{{/is_exact_match}}', "B"),
        ('{{#is_exact_match "value" "1.50"}}A{{/is_exact_match}}', "A"),
        ('{{#is_exact_match "missing" ""}}A{{/is_exact_match}}', "A"),
        ("{{#is_priority 'p2'}}A{{/is_priority}}", "A"),
        ("{{#is_priority 'P3'}}A{{else}}B{{/is_priority}}", "B"),
        ("{{#is_priority}}A{{else}}B{{/is_priority}}", "B"),
        ('{{urlencode "host.name"}}', "web%201%2Fa"),
        ("{{urlencode 'missing'}}x", "x"),
        ("{{host}} {{[a.b].name}} {{a.b}}", "web 1/a five five"),
        ('{{eval   " value * 2 " }}', "3"),
        ("  {{value}}  ", "1.5"),
        ("{{value}}{{", "1.5{{"),
    ],
)
def test_a_text_is_filled_in(template, text):
    assert render(template, KNOWN).text == text


def test_a_variable_without_a_value_is_named_once_in_the_order_of_the_text():
    rendered = render("{{b}}{{a}}{{b}}{{eval 'threshold + 1'}}{{#is_warning}}{{c}}{{/is_warning}}", KNOWN)
    assert (rendered.text, rendered.empty) == ("", ("b", "a", "threshold"))
    assert render("{{else}}", KNOWN).empty == ("else",)


@pytest.mark.parametrize(
    ("template", "where", "message", "hint"),
    [
        ("{{#is_alert}}", "message:1:1", "{{#is_alert}} is never closed", "add {{/is_alert}}"),
        ("ab\n {{^is_alert}}", "message:2:2", "{{^is_alert}} is never closed", "add {{/is_alert}}"),
        (
            "{{#is_alert}}\n{{#is_warning}}",
            "message:2:1",
            "{{#is_warning}} is never closed",
            "add {{/is_warning}}",
        ),
        ("a{{/x}}", "message:1:2", "{{/x}} closes nothing", "open it with {{#x}} or remove it"),
        (
            "{{#is_alert}}\n\n{{/is_warning}}",
            "message:3:1",
            "{{/is_warning}} closes {{#is_alert}}",
            "write {{/is_alert}} here",
        ),
        ("{{^is_alrt}}", "message:1:1", "unknown conditional {{^is_alrt}}", "did you mean is_alert?"),
        ("{{#zzz}}", "message:1:1", "unknown conditional {{#zzz}}", f"known are {', '.join(CONDITIONALS)}"),
    ],
)
def test_a_text_that_cannot_be_filled_in_says_where_and_what_to_write(template, where, message, hint):
    with pytest.raises(InputError) as caught:
        render(template, KNOWN)
    assert (caught.value.where, caught.value.message, caught.value.hint) == (where, message, hint)


def test_the_conditionals_are_those_of_the_page():
    assert set(CONDITIONALS) == {
        *("is_alert", "is_warning", "is_no_data", "is_recovery", "is_unknown", "is_renotify"),
        *("is_alert_recovery", "is_warning_recovery", "is_no_data_recovery", "is_alert_to_warning"),
        *("is_warning_to_alert", "is_no_data_to_alert", "is_match", "is_exact_match", "is_priority"),
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10.0, "10.0"),
        (12.34567, "12.346"),
        (0.5, "0.5"),
        (1.25, "1.25"),
        (0.0001, "0.0"),
        (100, "100"),
        ("10.000", "10.000"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (-1200.0, "-1200.0"),
    ],
)
def test_a_number_has_one_to_three_decimals(value, text):
    assert show(value) == text


def test_a_variable_is_looked_up_as_written_and_then_by_its_name():
    known = {"host.name": "a", "host": "b", "env.name": "c"}
    assert [look_up(name, known) for name in ("host", "env", " [env].name ", "zone")] == ["b", "c", "c", None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@a @b @a", ("@a", "@b")),
        ("x@a.b (@c) @d-e_f.g+h/i.", ("@c", "@d-e_f.g+h/i")),
        ("@ops@x-y.example.com!", ("@ops@x-y.example.com",)),
        ("@", ()),
    ],
)
def test_handles_stand_alone_and_are_told_once(text, expected):
    assert handles(text) == expected


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("X", "7"),
        ("loadX", "8"),
        ("host.size", "9"),
        ("2 - 5", "-3"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("999999999999999", "999999999999999"),
        ("10 ^ 15", "1000000000000000.0"),
        ("-(10 ^ 15)", "-1000000000000000.0"),
        ("humanize_bytes(500)", "500B"),
        ("humanize_bytes(-2048)", "-2KiB"),
        ("humanize_bytes(1024 ^ 2)", "1MiB"),
        ("humanize_bytes(1024 ^ 3)", "1GiB"),
        ("humanize_bytes(1024 ^ 4)", "1TiB"),
        ("humanize_bytes(1024 ^ 5)", "1PiB"),
        ("humanize_bytes(1024 ^ 6)", "1.02e+03PiB"),
        ("humanize_bits(1000 ^ 3)", "1Gb"),
        ("humanize_bits(1000 ^ 4)", "1Tb"),
        ("humanize_bits(1000 ^ 5)", "1Pb"),
        ("sin(0) + cos(0) + tan(0)", "1"),
        ("sinh(0) + cosh(0) + tanh(0)", "1"),
        ("asin(0) + acos(1) + atan(0)", "0"),
        ("asinh(0) + acosh(1) + atanh(0) + atan2(0, 1)", "0"),
    ],
)
def test_eval_takes_names_whole_and_writes_whole_numbers_as_such(expression, text):
    assert evaluate_expression(f"'{expression}'", {"X": 7.0, "loadX": 8.0, "host.size": 9.0}) == text


def test_what_eval_and_local_time_cannot_do_says_where_and_what_they_can():
    with pytest.raises(InputError) as caught:
        evaluate_expression("'1 / 0'", {})
    assert caught.value.where == "message"
    assert caught.value.hint.startswith("known are + - * / % ^ and abs, ceil, dec, ")
    known = {"last_triggered_at_epoch": 1622472207999}
    assert local_time("\"last_triggered_at\" 'UTC'", known) == "2021-05-31 14:43:27+00:00"
    for argument in ("'last_triggered_at'", "'first_triggered_at' 'UTC'", "'last_triggered_at' 'Mars'", ""):
        with pytest.raises(InputError) as caught:
            local_time(argument, known)
        assert caught.value.where == "message"
        assert caught.value.hint == "write {{local_time 'last_triggered_at' 'Asia/Tokyo'}}"


# --- the kinds of notifications


def composed(kind, state, previous=None, priority=None, name="N", message="M", **more):
    watched = monitor(
        "avg(last_5m):avg:a{*} > 5",
        message,
        name=name,
        thresholds={"critical": 5, "warning": 3, "critical_recovery": 4, "warning_recovery": 2},
        **more.pop("options", {}),
    )
    moment = Moment(START + 600, kind, state, previous, ("host:a:b", "env:c"), 7.5, START, START + 300)
    return compose(watched._replace(priority=priority), moment._replace(**more))


@pytest.mark.parametrize(
    ("kind", "state", "word"),
    [
        ("alert", State.ALERT, "Triggered"),
        ("warn", State.WARN, "Warn"),
        ("no data", State.NO_DATA, "No data"),
        ("unknown", State.UNKNOWN, "Unknown"),
        ("recovery", State.OK, "Recovered"),
        ("renotify", State.ALERT, "Re-Triggered"),
        ("renotify", State.WARN, "Re-Warn"),
        ("renotify", State.NO_DATA, "Re-No data"),
    ],
)
def test_a_title_names_the_kind_the_group_and_the_monitor(kind, state, word):
    assert composed(kind, state).title == f"[{word} on {{host:a:b,env:c}}] N"
    assert composed(kind, state, priority=1, tags=()).title == f"[P1] [{word}] N"


@pytest.mark.parametrize(
    ("kind", "state", "previous", "flags"),
    [
        ("alert", State.ALERT, None, {"is_alert"}),
        ("alert", State.ALERT, State.WARN, {"is_alert", "is_warning_to_alert"}),
        ("alert", State.ALERT, State.NO_DATA, {"is_alert", "is_no_data_to_alert"}),
        ("warn", State.WARN, State.ALERT, {"is_warning", "is_alert_to_warning"}),
        ("recovery", State.OK, State.ALERT, {"is_recovery", "is_alert_recovery"}),
        ("recovery", State.OK, State.WARN, {"is_recovery", "is_warning_recovery"}),
        ("recovery", State.OK, State.NO_DATA, {"is_recovery", "is_no_data_recovery"}),
        ("no data", State.NO_DATA, State.ALERT, {"is_no_data"}),
        ("unknown", State.UNKNOWN, State.OK, {"is_unknown"}),
        ("renotify", State.ALERT, State.ALERT, {"is_alert", "is_renotify"}),
    ],
)
def test_the_conditionals_of_a_notification(kind, state, previous, flags):
    plain = [name for name in CONDITIONALS if name not in {"is_match", "is_exact_match", "is_priority"}]
    message = "".join(f"{{{{#{name}}}}}{name} {{{{/{name}}}}}" for name in plain)
    assert set(composed(kind, state, previous, message=message).message.split()) == flags


def test_the_variables_of_a_notification():
    expected = {
        "value": "7.5",
        "threshold": "5.0",
        "alert_threshold": "5.0",
        "warn_threshold": "3.0",
        "alert_recovery_threshold": "4.0",
        "warn_recovery_threshold": "2.0",
        "comparator": ">",
        "first_triggered_at": "Sun Mar 01 2026 00:00:00 UTC",
        "first_triggered_at_epoch": str(START * 1000),
        "last_triggered_at": "Sun Mar 01 2026 00:05:00 UTC",
        "last_triggered_at_epoch": str((START + 300) * 1000),
        "triggered_duration_sec": "600",
        "host.name": "a:b",
        "env.name": "c",
    }
    message = "\n".join(f"{name} = {{{{{name}}}}}" for name in expected)
    text = composed("alert", State.ALERT, message=message)
    assert text.message == "\n".join(f"{name} = {value}" for name, value in expected.items())
    assert text.empty == ()
    missing = composed("alert", State.ALERT, message="{{value}}{{ok_threshold}}", name="{{x}}", value=None)
    assert missing.empty == ("value", "ok_threshold", "x")
    never = composed("alert", State.ALERT, message="{{first_triggered_at}}", first_triggered=0)
    assert never.empty == ("first_triggered_at",)


def test_an_escalation_message_is_added_to_what_is_told_again():
    options = {"escalation_message": "E @{{env.name}}"}
    again = composed("renotify", State.ALERT, message="M @a", options=options)
    assert (again.message, again.handles) == ("M @a\n\nE @c", ("@a", "@c"))
    assert composed("alert", State.ALERT, options=options).message == "M"
    assert composed("renotify", State.ALERT, message="", options=options).message == "E @c"
    assert composed("renotify", State.ALERT).message == "M"


def test_a_recovery_comes_from_the_state_that_was_told():
    """variables: `is_alert_recovery` is for a recovery from Alert, whatever was not told between."""
    watched = monitor(
        "avg(last_1m):avg:a{*} > 5",
        "{{#is_alert_recovery}}from alert{{/is_alert_recovery}}",
        on_missing_data="show_no_data",
    )
    found = history(watched, series("a", "9x3 _x3 1x9"), minutes=12)
    assert [(note.kind, note.previous) for note in found.notifications] == [
        ("alert", State.NO_DATA),
        ("recovery", State.ALERT),
    ]
    assert found.notifications[1].message == "from alert"
