"""How a plan is shown, what is refused, and what becomes of references (docs/deploy.md)."""

import pytest

from monitoring.deploy.differ import Plan, PlanStep, PropertyChange, make_plan
from monitoring.deploy.marker import Owner, with_marker, without_marker
from monitoring.deploy.plan_report import AROUND, WIDTH, _in_line, as_data, as_lines, as_markdown
from monitoring.deploy.references import Mention, order, references, resolve
from monitoring.deploy.refusal import refuse_mass_deletes, refuse_twins
from monitoring.deploy.twins import Twin
from monitoring.errors import InputError
from monitoring.resources.resource import Resource

BOARD = {"title": "B", "layout_type": "ordered", "widgets": []}


def update(*changes, **more):
    step = PlanStep(
        "update", "monitor", "m", "7", tuple(PropertyChange(*change) for change in changes), **more
    )
    return Plan(update=(step,))


def shown(*changes):
    return [(colour, line) for colour, line in as_lines(update(*changes))][1:-1]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (1, 2, ["- 1", "+ 2"]),
        (None, {"a": 1}, ['+ {"a": 1}']),
        ("é", None, ['- "é"']),
        ("a\nb", "a\nc", ["- b", "+ c"]),
        ("a", "a\nc", ["+ c"]),
        ("a\nb\nc", "a\nc", ["- b"]),
        (["a\nb"], ["a"], ['- ["a\\nb"]', '+ ["a"]']),
        (None, "a\nb", ['+ "a\\nb"']),
        ("a\nb", 3, ['- "a\\nb"', "+ 3"]),
    ],
)
def test_a_change_is_its_path_and_what_was_and_what_will_be(before, after, lines):
    colours = {"-": "red", "+": "green"}
    assert shown(("x.y", before, after)) == [
        ("", "    x.y:"),
        *((colours[line[0]], f"      {line}") for line in lines),
    ]


def test_the_first_line_of_a_step_says_who_changed_it_and_what_is_a_copy():
    lines = [line for _, line in as_lines(update(("name", "a", "b"), drift=True))]
    assert lines[0] == "~ monitor m 7   (changed in Datadog since the last apply)"
    copy = Plan(
        delete=(PlanStep("delete", "slo", "s", "9", (PropertyChange("name", "a", None),), copy=True),)
    )
    assert [(colour, line) for colour, line in as_lines(copy)] == [
        ("red", "- slo s 9   (a copy: two applies ran at the same time)"),
        ("", "0 to create, 0 to update, 1 to delete, 0 unchanged."),
    ]
    made = Plan(create=(PlanStep("create", "slo", "s", None, (PropertyChange("name", None, "a"),)),))
    assert next(as_lines(made)) == ("green", "+ slo s")


@pytest.mark.parametrize("length", [AROUND, AROUND + 5, WIDTH - 3, WIDTH - 2])
@pytest.mark.parametrize("differs", ["first", "last"])
def test_what_fits_in_a_line_is_shown_whole(length, differs):
    before = "x" * length
    after = f"y{before[1:]}" if differs == "first" else f"{before[:-1]}y"
    assert _in_line(before, after) == (f'"{before}"', f'"{after}"')


@pytest.mark.parametrize("position", [0, 1, AROUND, AROUND + 2, 200, 397])
def test_a_long_value_is_cut_around_what_differs(position):
    """Thirty characters stand on both sides of the difference, and a mark where something is left out."""
    before, after = (f"{'a' * position}{middle}{'z' * (400 - position)}" for middle in ("1", "23"))
    texts = [line.removeprefix("      ")[2:] for _, line in shown(("q", before, after))[1:]]
    assert len(texts) == 2
    for text, middle in zip(texts, ("1", "23"), strict=True):
        bare = text.strip("…")
        start = "a" * AROUND if position >= AROUND else f'"{"a" * position}'
        end = "z" * AROUND if 400 - position >= AROUND else f'{"z" * (400 - position)}"'
        assert bare == f"{start}{middle}{end}"
        assert text.startswith("…") == (position + 1 > AROUND)
        assert text.endswith("…") == (400 - position + 1 > AROUND)


def test_what_is_inserted_is_shown_with_as_much_on_both_sides():
    before, after = "a" * 200 + "z" * 200, "a" * 200 + "b" + "z" * 200
    start, end = "a" * AROUND, "z" * AROUND
    for pair, texts in (((before, after), ("", "b")), ((after, before), ("b", ""))):
        lines = [line[8:] for _, line in shown(("q", *pair))[1:]]
        assert lines == [f"…{start}{text}{end}…" for text in texts]


def test_what_is_new_or_gone_is_cut_at_its_end():
    long = "x" * 200
    for pair in ((None, long), (long, None)):
        (line,) = [line for _, line in shown(("q", *pair))[1:]]
        assert line[8:] == f'"{"x" * (WIDTH - 1)}…'
    whole = "x" * (WIDTH - 2)
    assert shown(("q", None, whole))[1][1][8:] == f'"{whole}"'


def test_a_difference_longer_than_a_line_is_cut_too():
    old, new = (line for _, line in shown(("q", "a" * 300, "b" * 300))[1:])
    assert old == f'      - "{"a" * (WIDTH + AROUND)}…'
    assert new == f'      + "{"b" * (WIDTH + AROUND)}…'


@pytest.mark.parametrize(
    ("path", "value", "hidden"),
    [
        ("options.api_key", "x", True),
        ("options.apikey", "x", True),
        ("APP_KEY", "x", True),
        ("application_key", "x", True),
        ("password", "x", True),
        ("headers.Authorization", "x", True),
        ("secret", "x", True),
        ("token", "x", True),
        ("token.name", "x", False),
        ("key", "x", False),
        ("api_key", "", False),
        ("api_key", 5, False),
    ],
)
def test_what_a_key_that_names_a_secret_holds_is_hidden(path, value, hidden):
    shown_value = "********" if hidden else value
    (step,) = as_data(update((path, value, value)))["update"]
    assert step["changes"] == [{"path": path, "before": shown_value, "after": shown_value}]


def test_a_secret_is_hidden_at_any_depth_and_in_lists_and_lines():
    (step,) = as_data(update(("widgets", None, [{"password": "a", "x": ["b"]}, {"token": ["c", 1]}])))[
        "update"
    ]
    assert step["changes"][0]["after"] == [{"password": "********", "x": ["b"]}, {"token": ["********", 1]}]
    assert [line for _, line in shown(("token", "a", "b"))] == [
        "    token:",
        '      - "********"',
        '      + "********"',
    ]


def test_a_plan_as_data_has_every_field_of_a_step():
    data = as_data(update(("name", "a", "b"), drift=True))
    assert list(data) == ["create", "update", "delete", "unchanged", "checksum"]
    assert data["update"] == [
        {
            "kind": "monitor",
            "key": "m",
            "id": "7",
            "drift": True,
            "copy": False,
            "changes": [{"path": "name", "before": "a", "after": "b"}],
        }
    ]


def test_a_pull_requests_comment_has_a_table_and_a_fold_for_each_update():
    """A fence of the language `diff` is coloured where + or - is the first character of a line."""
    plan = Plan(
        create=(PlanStep("create", "slo", "s", None, (PropertyChange("name", None, "a"),)),),
        update=(PlanStep("update", "monitor", "m", "7", (PropertyChange("name", "a", "b"),), drift=True),),
        unchanged=(PlanStep("unchanged", "slo", "t", "8"),),
    )
    assert as_markdown(plan) == (
        "**stepscope plan**: 1 to create, 1 to update, 0 to delete, 1 unchanged.\n\n"
        "| | kind | key | |\n| --- | --- | --- | --- |\n"
        "| create | slo | `s` |  |\n| update | monitor | `m` | changed in Datadog |\n\n"
        "<details><summary>monitor <code>m</code></summary>\n\n"
        '```diff\n    name:\n- "a"\n+ "b"\n```\n\n</details>\n'
    )


@pytest.mark.parametrize(("ticks", "fence"), [(0, 3), (1, 3), (2, 3), (3, 4), (5, 6)])
def test_the_fence_is_longer_than_any_in_a_value(ticks, fence):
    text = as_markdown(update(("message", "a", "b" + "`" * ticks)))
    assert f"\n{'`' * fence}diff\n" in text
    assert text.count("`" * fence) == 2


# --- what is refused


def plan_with(deleted, kept, copies=0):
    def steps(action, kinds, **more):
        return tuple(
            PlanStep(action, kind, f"{action}{number}", str(number), **more)
            for kind, count in kinds.items()
            for number in range(count)
        )

    return Plan(
        update=steps("update", dict.fromkeys(kept, 1)),
        unchanged=steps("unchanged", {kind: count - 1 for kind, count in kept.items()}),
        delete=steps("delete", deleted) + steps("delete", {"monitor": copies}, copy=True),
    )


@pytest.mark.parametrize(
    ("deleted", "kept", "copies", "allowed", "refused"),
    [
        ({"monitor": 3}, {"monitor": 7}, 0, 0, None),
        ({"monitor": 4}, {"monitor": 7}, 0, 0, "4 of 11 monitors"),
        ({"monitor": 4}, {"monitor": 7, "slo": 20}, 0, 0, "4 of 11 monitors"),
        ({"monitor": 1}, {"monitor": 1}, 9, 0, None),
        ({"monitor": 1, "slo": 1}, {"monitor": 1}, 0, 0, None),
        ({"monitor": 2, "slo": 2}, {"monitor": 1}, 0, 0, "2 of 3 monitors, 2 of 2 slos"),
        ({"monitor": 2, "slo": 2}, {"monitor": 1}, 0, 4, None),
        ({"monitor": 2, "slo": 2}, {"monitor": 1}, 0, 3, "2 of 3 monitors, 2 of 2 slos"),
    ],
)
def test_more_than_30_percent_of_one_kind_is_deleted_only_where_it_is_allowed(
    deleted, kept, copies, allowed, refused
):
    """docs/deploy.md; one single deletion always may, and copies do not count."""
    plan = plan_with(deleted, kept, copies)
    if refused is None:
        refuse_mass_deletes(plan, "stepscope apply", allowed)
        return
    with pytest.raises(InputError) as caught:
        refuse_mass_deletes(plan, "stepscope apply", allowed)
    assert caught.value.message == f"{refused} would be deleted (limit 30%)"
    assert caught.value.hint == f"If intended: stepscope apply --allow-deletes {sum(deleted.values())}"


def test_twins_are_refused_with_the_way_out():
    refuse_twins([])
    twins = [Twin("m", "p", "dev"), Twin("n", "p", "test")]
    with pytest.raises(InputError) as caught:
        refuse_twins(twins)
    assert caught.value.message == "\n".join(map(str, twins))
    assert caught.value.hint.endswith("stepscope destroy --env dev")


# --- differences


def changes(before, after):
    owner = Owner("p", "prod", "d", "0" * 12)
    there = Resource("dashboard", "d", with_marker("dashboard", before, owner), "abc")
    (step,) = make_plan([Resource("dashboard", "d", after)], [there]).steps
    return [tuple(change) for change in step.changes]


def test_a_difference_is_as_deep_as_both_sides_have_one_shape():
    before = {**BOARD, "widgets": [{"definition": {"type": "note", "content": "a", "text_align": "left"}}]}
    after = {**BOARD, "widgets": [{"definition": {"type": "note", "content": "b", "font_size": "14"}}]}
    place = "widgets[0].definition"
    assert changes(before, after) == [
        (f"{place}.content", "a", "b"),
        (f"{place}.text_align", "left", None),
        (f"{place}.font_size", None, "14"),
    ]
    assert changes(BOARD, after) == [("widgets", [], after["widgets"])]
    assert changes({**BOARD, "notify_list": ["a"]}, {**BOARD, "notify_list": ["a", "b"]}) == [
        ("notify_list", ["a"], ["a", "b"])
    ]


def test_a_resource_that_is_made_or_removed_is_shown_with_its_top_level_keys():
    made = make_plan([Resource("dashboard", "d", BOARD)], []).create[0]
    assert {tuple(change)[:2] for change in made.changes} == {
        ("title", None),
        ("layout_type", None),
        ("widgets", None),
    }
    assert [change.after for change in made.changes] == [BOARD[change.path] for change in made.changes]
    there = Resource(
        "dashboard", "d", with_marker("dashboard", BOARD, Owner("p", "prod", "d", "0" * 12)), "abc"
    )
    gone = make_plan([], [there]).delete[0]
    assert {change.path for change in gone.changes} == set(BOARD)
    assert [(change.before, change.after) for change in gone.changes] == [
        (BOARD[change.path], None) for change in gone.changes
    ]


def test_taking_over_is_an_update_that_says_so_and_is_nobodys_drift():
    there = Resource("dashboard", "d", BOARD, "abc")
    (step,) = make_plan([Resource("dashboard", "d", {**BOARD, "title": "C"}, "abc")], [there]).update
    assert [tuple(change) for change in step.changes] == [("owner", None, "stepscope"), ("title", "B", "C")]
    assert not step.drift
    (step,) = make_plan([Resource("dashboard", "d", BOARD, "abc")], [there]).update
    assert [change.path for change in step.changes] == ["owner"]


def test_steps_are_in_the_order_of_kinds_and_keys():
    rows = [("downtime", "a"), ("dashboard", "a"), ("monitor", "b"), ("slo", "a"), ("monitor", "a")]
    plan = make_plan([Resource(kind, key, {"scope": "*"}) for kind, key in rows], [])
    assert [(step.kind, step.key) for step in plan.steps] == [
        ("monitor", "a"),
        ("monitor", "b"),
        ("slo", "a"),
        ("dashboard", "a"),
        ("downtime", "a"),
    ]


# --- references


@pytest.mark.parametrize(
    ("body", "soft"),
    [
        ({"message": "${monitor:a}"}, True),
        ({"options": {"escalation_message": "${monitor:a}"}}, True),
        ({"description": "${monitor:a}"}, True),
        ({"widgets": [{"definition": {"content": "${monitor:a}"}}]}, True),
        ({"widgets": [{"custom_links": [{"link": "x${monitor:a}"}]}]}, True),
        ({"url": "${monitor:a}"}, True),
        ({"message": ["${monitor:a}"]}, True),
        ({"query": "${monitor:a}"}, False),
        ({"monitor_ids": ["${monitor:a}"]}, False),
        ({"definition": {"alert_id": "${monitor:a}"}}, False),
    ],
)
def test_a_reference_in_a_text_that_people_read_may_be_filled_in_later(body, soft):
    assert references(body) == {Mention("monitor", "a", soft)}


def test_only_known_references_are_replaced_and_a_number_only_in_a_field_of_ids():
    body = {
        "monitor_ids": ["${monitor:a}", "${monitor:b}", "x${monitor:a}"],
        "query": "${monitor:a}",
        "options": {"note": ["${slo:a}", 5]},
        "monitor_id": "${monitor:a}",
    }
    assert resolve(body, {("monitor", "a"): "7", ("slo", "a"): "0a"}) == {
        "monitor_ids": [7, "${monitor:b}", "x7"],
        "query": "7",
        "options": {"note": ["0a", 5]},
        "monitor_id": 7,
    }


def test_a_resource_may_refer_to_itself_and_what_is_in_a_circle_behind_others_is_found():
    assert order({("monitor", "a"): {"query": "${monitor:a}"}}) == [[("monitor", "a")]]
    assert order({}) == []
    bodies = {
        ("monitor", name): {"query": " ".join(f"${{monitor:{other}}}" for other in needs)}
        for name, needs in {"a": "", "b": "ca", "c": "d", "d": "c"}.items()
    }
    with pytest.raises(InputError) as caught:
        order(bodies)
    assert caught.value.message == (
        "these refer to each other in a circle: monitor:c -> monitor:d -> monitor:c"
    )


def test_a_marker_is_taken_off_and_nothing_else():
    owner = Owner("p", "prod", "m[x]", "0123456789ab")
    for kind, field in (("monitor", "message"), ("slo", "description"), ("downtime", "message")):
        assert without_marker(kind, with_marker(kind, {field: "a\nb", "x": 1}, owner)) == {
            field: "a\nb",
            "x": 1,
        }
        assert with_marker(kind, {}, owner) == {field: owner.line()}
        assert with_marker(kind, {field: None}, owner) == {field: owner.line()}
        assert without_marker(kind, {"x": 1}) == {"x": 1}
