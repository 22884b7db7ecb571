"""How a downtime, an SLO and a number of a body are compared (docs/deploy.md).

The API's answers are those of https://docs.datadoghq.com/api/latest/downtimes/ (v2) and /service-level-objectives/.
"""

import pytest

from monitoring.deploy.canonical import DEFAULTS, left_to_datadog, normalise

DOWNTIME = {"scope": "env:a", "monitor_identifier": {"monitor_id": 1}}


def scheduled(**schedule):
    return {**DOWNTIME, "schedule": schedule}


@pytest.mark.parametrize(
    ("schedule", "same"),
    [
        ({"start": None, "end": None}, {}),
        ({"start": "2050-01-02T03:04:05Z"}, {"start": "2050-01-02T03:04:05+00:00"}),
        ({"start": "2050-01-02T03:04:05Z"}, {"start": "2050-01-02T04:04:05.999+01:00"}),
        ({"end": "2050-01-02T03:04:05Z"}, {"end": "2050-01-02T05:04:05+02:00"}),
        ({"recurrences": [], "timezone": "UTC"}, {"recurrences": []}),
        ({"recurrences": []}, {"recurrences": [], "current_downtime": {"start": "2050-01-02T03:04:05Z"}}),
    ],
)
def test_one_schedule_in_two_notations_is_no_change(schedule, same):
    assert normalise("downtime", scheduled(**schedule)) == normalise("downtime", scheduled(**same))


@pytest.mark.parametrize(
    ("schedule", "other"),
    [
        ({"start": "2050-01-02T03:04:05Z"}, {"start": "2050-01-02T03:04:06Z"}),
        ({"start": "2050-01-02T03:04:05Z"}, {"end": "2050-01-02T03:04:05Z"}),
        ({"recurrences": [], "timezone": "Asia/Tokyo"}, {"recurrences": []}),
        ({"recurrences": [{"duration": "1h"}]}, {"recurrences": [{"duration": "2h"}]}),
        ({"start": "soon"}, {"start": "later"}),
    ],
)
def test_another_schedule_is_a_change(schedule, other):
    assert normalise("downtime", scheduled(**schedule)) != normalise("downtime", scheduled(**other))


def test_a_downtime_from_now_on_without_an_end_has_no_schedule():
    assert normalise("downtime", scheduled(start=None)) == normalise("downtime", DOWNTIME) == DOWNTIME


def test_what_a_person_writes_around_texts_and_lists_does_not_matter():
    body = {
        "scope": " env:a\n",
        "message": "\nnight ",
        "monitor_identifier": {"monitor_tags": ["b:c", "a:b"], "x": 1},
        "notify_end_types": ["expired", "canceled"],
    }
    assert normalise("downtime", body) == {
        "scope": "env:a",
        "message": "night",
        "monitor_identifier": {"monitor_tags": ["a:b", "b:c"], "x": 1},
        "notify_end_types": ["canceled", "expired"],
    }


@pytest.mark.parametrize("kind", sorted(DEFAULTS))
def test_each_default_of_a_kind_is_left_out_and_another_value_is_kept(kind):
    for key, default in DEFAULTS[kind].items():
        assert normalise(kind, {key: default}) == {}
        changed = {"start": "2050-01-01T00:00:00Z"} if key == "schedule" else ["other"]
        if isinstance(default, str | bool | int):
            changed = True if default is False else "other"
        if key == "options":
            changed = {"timeout_h": 1}
        assert normalise(kind, {key: changed}) == {key: changed}


@pytest.mark.parametrize(
    ("answered", "wanted", "left"),
    [
        ({"start": "2050", "end": "2051"}, {}, {"end": "2051"}),
        ({"start": "2050", "end": "2051"}, {"start": "2050"}, {"start": "2050", "end": "2051"}),
        ({"start": "2050"}, None, {}),
        (
            {"recurrences": [{"start": "2050", "duration": "1h"}]},
            {"recurrences": [{"duration": "1h"}]},
            {"recurrences": [{"duration": "1h"}]},
        ),
        (
            {"recurrences": [{"start": "1"}, {"start": "2"}]},
            {"recurrences": [{"start": "1"}, {}]},
            {"recurrences": [{"start": "1"}, {}]},
        ),
        ({"recurrences": [{"start": "1"}]}, {"recurrences": []}, {"recurrences": [{"start": "1"}]}),
        ({"recurrences": [{"start": "1"}]}, {}, {"recurrences": [{"start": "1"}]}),
    ],
)
def test_the_start_is_left_to_datadog_where_the_file_names_none(answered, wanted, left):
    """API: the start of a downtime without one is the moment at which it is made."""
    body = {"schedule": wanted} if wanted is not None else {}
    assert left_to_datadog("downtime", scheduled(**answered), body) == scheduled(**left)


def test_only_a_downtime_has_something_that_is_left_to_datadog():
    body = {"schedule": {"start": "2050"}}
    assert left_to_datadog("monitor", body, {}) == body
    assert left_to_datadog("downtime", {"scope": "a", "schedule": None}, {}) == {
        "scope": "a",
        "schedule": None,
    }


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (5, 5.0, True),
        (5, 5.5, False),
        ("5", 5, False),
        ([1.0, {"a": 2.0}], [1, {"a": 2}], True),
    ],
)
def test_a_number_is_the_same_with_and_without_a_point(one, two, same):
    bodies = [normalise("slo", {"name": "s", "query": {"numerator": value}}) for value in (one, two)]
    assert (bodies[0] == bodies[1]) is same
    assert not isinstance(bodies[1]["query"]["numerator"], float) or two == 5.5


def test_nothing_is_as_good_as_null_at_any_depth():
    full = {"name": "s", "query": {"numerator": "a", "denominator": None}, "groups": None}
    assert normalise("slo", full) == {"name": "s", "query": {"numerator": "a"}}
    assert normalise("slo", {"name": "s", "creator": "me", "created_at": 1}) == {"name": "s"}
