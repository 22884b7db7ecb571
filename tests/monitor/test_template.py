"""Notification texts: variables, conditionals and handles."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from monitor_helpers import history, monitor, series

from monitoring.errors import InputError
from monitoring.monitor.template import Context, handles, render

ALERT = Context(
    flags=frozenset({"is_alert"}),
    variables={
        "value": 12.34567,
        "threshold": 10.0,
        "host.name": "web-1",
        "dot.key.name": "five",
        "last_triggered_at_epoch": 1622472207000,
        "priority": "P2",
    },
    priority=2,
)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{value}} > {{threshold}}", "12.346 > 10.0"),
        ("{{ host.name }}", "web-1"),
        ("{{[dot.key].name}}", "five"),
        ("{{#is_alert}}A{{/is_alert}}{{^is_alert}}B{{/is_alert}}", "A"),
        ("{{#is_warning}}A{{else}}B{{/is_warning}}", "B"),
        ("{{^is_recovery}}A{{else}}B{{/is_recovery}}", "A"),
        ('{{#is_match "host.name" "db" "web"}}yes{{/is_match}}', "yes"),
        ("{{#is_match 'host' 'web'}}yes{{/is_match}}", "yes"),
        ('{{^is_match "host.name" "db"}}no{{/is_match}}', "no"),
        ('{{#is_match "role.name" ""}}has{{else}}empty{{/is_match}}', "empty"),
        ('{{#is_match "host.name" ""}}has{{/is_match}}', "has"),
        ('{{#is_exact_match "host.name" "web"}}yes{{else}}no{{/is_exact_match}}', "no"),
        ('{{#is_exact_match "threshold" "10"}}yes{{/is_exact_match}}', "yes"),
        ("{{#is_priority 'P2'}}two{{/is_priority}}", "two"),
        ("a {{!-- a comment --}}b", "a b"),
        ("{{{{raw}}}}{{ x }}{{{{/raw}}}}", "{{ x }}"),
        ("{{{host.name}}}", "web-1"),
        ('{{eval "last_triggered_at_epoch-15*60*1000"}}', "1622471307000"),
        ('{{eval "int(value)"}}', "12"),
        ('{{eval "2^3"}}', "8"),
        ('{{eval "humanize_bytes(2048)"}}', "2KiB"),
        ("{{local_time 'last_triggered_at' 'Asia/Tokyo'}}", "2021-05-31 23:43:27+09:00"),
        ("x\n{{#is_alert}}\n  in\n{{/is_alert}}\ny", "x\n  in\ny"),
        ('{{#is_alert}}{{#is_match "host.name" "web"}}deep{{/is_match}}{{/is_alert}}', "deep"),
    ],
)
def test_a_template_is_filled_in_as_the_page_says(template, text):
    assert render(template, ALERT).text == text


def test_a_variable_without_a_value_renders_as_nothing_and_is_named():
    rendered = render("on {{statemachine.name}}!", ALERT)
    assert (rendered.text, rendered.empty) == ("on !", ("statemachine.name",))


@pytest.mark.parametrize(
    ("template", "where", "says"),
    [
        ("a\n {{#is_alert}} b", "message:2:2", "never closed"),
        ("{{/is_alert}}", "message:1:1", "closes nothing"),
        ("{{#is_alert}}{{/is_warning}}", "message:1:14", "write {{/is_alert}}"),
        ("{{#is_alret}}{{/is_alret}}", "message:1:1", "did you mean is_alert"),
        ('{{eval "value +"}}', "message", "cannot compute"),
        ('{{eval "open(value)"}}', "message", "humanize_bytes"),
        ("{{local_time 'last_triggered_at' 'Mars'}}", "message", "Mars"),
    ],
)
def test_a_template_that_cannot_be_filled_in_says_where(template, where, says):
    with pytest.raises(InputError) as caught:
        render(template, ALERT)
    assert caught.value.where == where
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@pagerduty-Slides.", ("@pagerduty-Slides",)),
        ("mail @ops@example.com, @slack-a and @slack-a", ("@ops@example.com", "@slack-a")),
        ("user@example.com @all", ("@all",)),
        ("no handle", ()),
    ],
)
def test_handles_are_found_in_a_text(text, found):
    assert handles(text) == found


@given(st.text(alphabet="{}#/^! is_alertmch\"'.&", max_size=60))
def test_any_template_renders_or_is_an_input_error(template):
    with contextlib.suppress(InputError):
        assert isinstance(render(template, ALERT).text, str)


def test_a_number_that_is_missing_at_the_moment_is_named_and_nothing_else_happens():
    found = render("{{eval 'int(value) * 2'}}!", Context(frozenset(), {"threshold": 5.0}, None))
    assert (found.text, found.empty) == ("!", ("value",))


def test_the_comparator_is_that_of_the_query():
    watched = monitor("avg(last_1m):avg:a{*} >= 5", message="{{value}} {{comparator}} {{threshold}}")
    (note,) = history(watched, series("a", "9x5"), minutes=3).notifications
    assert note.message == "9.0 >= 5.0"
