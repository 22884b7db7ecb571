"""Which log groups are subscribed, under which filter, and what the subscriber answers (docs/forwarder-install.md).

Sources: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html (two filters a
log group) and https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html.
"""

import io
import json
from types import SimpleNamespace

import pytest

from monitoring.errors import InputError
from monitoring.forwarder import subscriber
from monitoring.forwarder.subscriber import SubscriptionError
from monitoring.forwarder.subscriptions import Changes, Selection, SubscriberSettings, Subscriptions

FORWARDER, STATES = "arn:aws:lambda:r:1:function:forwarder", "arn:aws:lambda:r:1:function:states"
ARN = "arn:aws:logs:r:1:log-group:"
MACHINE = "arn:aws:states:r:1:stateMachine:"


class AwsError(Exception):
    """boto3's error of a call."""

    def __init__(self, code):
        super().__init__(f"An error occurred ({code})")
        self.response = {"Error": {"Code": code}}


class Account:
    """Log groups with their filters and tags, and state machines with the log groups that they log to."""

    def __init__(self, *groups, tags=None, machines=None):
        self.filters = {group: {} for group in groups}
        self.tags, self.machines = tags or {}, machines or {}
        self.broken, self.asked, self.classes = {}, [], {}

    def __call__(self, service):
        return self

    def get_paginator(self, operation):
        def paginate(**wish):
            self.asked.append((operation, wish))
            rows = list(getattr(self, f"_{operation}")(**wish))
            key = {
                "describe_log_groups": "logGroups",
                "get_resources": "ResourceTagMappingList",
                "list_state_machines": "stateMachines",
            }[operation]
            return [{key: rows[:1]}, {key: rows[1:]}]

        return SimpleNamespace(paginate=paginate)

    def _describe_log_groups(self, logGroupNamePrefix=""):
        for group in self.filters:
            if group.startswith(logGroupNamePrefix):
                yield {"logGroupName": group} | (
                    {"logGroupClass": self.classes[group]} if group in self.classes else {}
                )

    def _get_resources(self, ResourceTypeFilters, TagFilters):
        assert ResourceTypeFilters == ["logs"]
        ((key, values),) = [(wish["Key"], wish["Values"]) for wish in TagFilters]
        for arn, tags in self.tags.items():
            if key in tags and (not values or tags[key] in values):
                yield {"ResourceARN": arn}

    def _list_state_machines(self):
        return ({"name": name, "stateMachineArn": MACHINE + name} for name in self.machines)

    def describe_state_machine(self, stateMachineArn):
        return self.machines[stateMachineArn.rpartition(":")[2]]

    def describe_subscription_filters(self, logGroupName):
        if logGroupName in self.broken:
            raise self.broken[logGroupName]
        return {
            "subscriptionFilters": [
                {"filterName": name, "destinationArn": arn} | ({"filterPattern": pattern} if pattern else {})
                for name, (arn, pattern) in self.filters[logGroupName].items()
            ]
        }

    def put_subscription_filter(self, logGroupName, filterName, filterPattern, destinationArn, **more):
        self.more = more
        self.filters[logGroupName][filterName] = (destinationArn, filterPattern)

    def delete_subscription_filter(self, logGroupName, filterName):
        del self.filters[logGroupName][filterName]

    def subscribed(self, name="f"):
        return {group: filters[name] for group, filters in self.filters.items() if name in filters}


def machine(*groups, level="ALL"):
    places = [{"cloudWatchLogsLogGroup": {"logGroupArn": f"{ARN}{group}:*"}} for group in groups]
    return {"loggingConfiguration": {"level": level, "destinations": places}}


def subscriptions(account, pattern="", states="", **selection):
    settings = SubscriberSettings(
        destination=FORWARDER,
        filter_name="f",
        states_destination=states,
        pattern=pattern,
        selection=Selection(**selection),
    )
    return Subscriptions(settings, account)


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        ({}, []),
        ({"names": ("/a/1",)}, ["/a/1"]),
        ({"names": ("/a",)}, []),
        ({"names": ("/gone",)}, []),
        ({"prefixes": ("/a/",)}, ["/a/1", "/a/2"]),
        ({"prefixes": ("*",)}, ["/a/1", "/a/2", "/b/1"]),
        ({"prefixes": ("*",), "excluded": ("/a/*",)}, ["/b/1"]),
        ({"names": ("/a/1",), "excluded": ("/a/1",)}, []),
        ({"tags": (("team", "x"),)}, ["/a/1"]),
        ({"tags": (("team", ""),)}, ["/a/1", "/b/1"]),
        ({"tags": (("owner", ""),)}, []),
        ({"state_machines": ("order-*",)}, ["/b/1"]),
        ({"state_machines": ("order",)}, []),
        ({"state_machines": ("*",), "excluded": ("/b/*",)}, ["/a/2"]),
        ({"names": ("/b/1",), "prefixes": ("/b",)}, ["/b/1"]),
    ],
)
def test_a_log_group_is_subscribed_by_name_prefix_tag_or_state_machine_unless_it_is_excluded(
    selection, selected
):
    account = Account(
        "/a/1",
        "/a/2",
        "/b/1",
        tags={
            f"{ARN}/a/1": {"team": "x"},
            f"{ARN}/b/1:*": {"team": "y"},
            "arn:aws:logs:r:1:destination:d": {"team": "x"},
        },
        machines={"order-1": machine("/b/1"), "other": machine("/a/2")},
    )
    changes = subscriptions(account, **selection).reconcile()
    assert sorted(account.subscribed()) == selected
    assert sorted(changes.subscribed) == selected
    assert (changes.removed, changes.kept, changes.errors) == ([], 0, {})
    # Services that no criterion needs are not asked: their permissions may be missing.
    asked = {operation for operation, _ in account.asked}
    assert ("get_resources" in asked) == ("tags" in selection)
    assert ("list_state_machines" in asked) == ("state_machines" in selection)


@pytest.mark.parametrize("kind", ["INFREQUENT_ACCESS", "DELIVERY", "STANDARD"])
@pytest.mark.parametrize("selection", [{"prefixes": ("*",)}, {"prefixes": ("/a",)}, {"names": ("/a/1",)}])
def test_a_prefix_does_not_select_log_groups_that_take_no_filters_and_a_name_does(kind, selection):
    """Who names one is told by AWS's own refusal; who names a prefix meant those that can be subscribed."""
    account = Account("/a/1")
    account.classes["/a/1"] = kind
    changes = subscriptions(account, **selection).reconcile()
    assert changes.subscribed == (["/a/1"] if kind == "STANDARD" or "names" in selection else [])


@pytest.mark.parametrize(
    ("selection", "group", "tags", "matches"),
    [
        ({"names": ("/a",)}, "/a", {}, True),
        ({"names": ("/a",)}, "/ab", {}, False),
        ({"prefixes": ("/a",)}, "/ab", {}, True),
        ({"prefixes": ("/b", "*")}, "/a", {}, True),
        ({"tags": (("k", "v"),)}, "/a", {"k": "v"}, True),
        ({"tags": (("k", "v"),)}, "/a", {"k": "w"}, False),
        ({"tags": (("k", ""),)}, "/a", {"k": "w"}, True),
        ({"tags": (("k", ""),)}, "/a", {}, False),
        ({"prefixes": ("*",), "excluded": ("/a*",)}, "/ab", {}, False),
        ({"prefixes": ("*",), "excluded": ("/A*",)}, "/ab", {}, True),
        ({"state_machines": ("*",)}, "/a", {}, False),
    ],
)
def test_a_new_log_group_is_judged_by_its_name_and_its_tags(selection, group, tags, matches):
    account = Account(group)
    changes = subscriptions(account, **selection).subscribe_new(group, tags)
    assert changes.subscribed == [group] * matches
    assert bool(account.subscribed()) is matches


def test_a_new_log_group_of_a_known_state_machine_is_subscribed_and_asked_about_again():
    account = Account("/b/1", machines={"order": machine("/b/1")})
    mine = subscriptions(account, state_machines=("order",))
    mine.reconcile()
    assert mine.subscribe_selected().kept == 1
    account.filters["/b/1"].clear()  # deleted, and created anew
    assert mine.subscribe_new("/b/1", {}).subscribed == ["/b/1"]
    assert subscriptions(account, state_machines=("order",)).subscribe_new("/b/1", {}) == Changes()


@pytest.mark.parametrize(
    ("described", "groups"),
    [
        (machine("/b/1"), ["/b/1"]),
        (machine("/b/1", "/a/1"), ["/b/1", "/a/1"]),
        (machine("/b/1", level="ERROR"), ["/b/1"]),
        (machine("/b/1", level="OFF"), []),
        (
            {
                "loggingConfiguration": {
                    "destinations": machine("/b/1")["loggingConfiguration"]["destinations"]
                }
            },
            [],
        ),
        ({"loggingConfiguration": None}, []),
        ({}, []),
        ({"loggingConfiguration": {"level": "ALL", "destinations": [{}]}}, []),
        ({"loggingConfiguration": {"level": "ALL"}}, []),
        (machine("/excluded"), []),
    ],
)
def test_the_log_groups_of_a_state_machine_are_those_of_its_logging_configuration(described, groups):
    account = Account("/a/1", "/b/1", "/excluded", machines={"order": described})
    mine = subscriptions(account, state_machines=("ord*",), excluded=("/excl*",))
    assert mine.subscribe_machine(f"{MACHINE}order").subscribed == groups
    assert mine.subscribe_machine(f"{MACHINE}other") == Changes()


@pytest.mark.parametrize("states", ["", STATES])
def test_the_logs_of_state_machines_go_to_their_own_forwarder_if_there_is_one(states):
    account = Account("/aws/vendedlogs/states/x", "/own", "/lambda", machines={"m": machine("/own")})
    subscriptions(account, states=states, prefixes=("*",), state_machines=("m",)).reconcile()
    # A log group that a state machine logs to is known as such once the machine is.
    second = subscriptions(account, states=states, state_machines=("m",), prefixes=("*",))
    second.subscribe_machine(f"{MACHINE}m")
    second.reconcile()
    assert account.subscribed() == {
        "/aws/vendedlogs/states/x": (states or FORWARDER, ""),
        "/own": (states or FORWARDER, ""),
        "/lambda": (FORWARDER, ""),
    }


@pytest.mark.parametrize(
    ("destination", "more"),
    [(FORWARDER, {}), ("arn:aws:kinesis:r:1:stream/s", {"roleArn": "role"})],
)
def test_cloudwatch_logs_writes_to_a_stream_with_a_role_and_calls_a_function_without(destination, more):
    account = Account("/a")
    chosen = SubscriberSettings(
        destination=destination, filter_name="f", role="role", selection=Selection(names=("/a",))
    )
    assert Subscriptions(chosen, account).reconcile().subscribed == ["/a"]
    assert account.more == more


@pytest.mark.parametrize(
    ("filters", "outcome"),
    [
        ({}, "subscribed"),
        ({"f": (FORWARDER, "ERROR")}, "kept"),
        ({"f": (FORWARDER, "")}, "subscribed"),
        ({"f": (STATES, "ERROR")}, "subscribed"),
        ({"x": (STATES, "")}, "subscribed"),
        ({"x": (STATES, ""), "y": (STATES, "")}, "full"),
        ({"x": (STATES, ""), "f": (STATES, "")}, "subscribed"),
        ({"x": (STATES, ""), "f": (FORWARDER, "ERROR")}, "kept"),
    ],
)
def test_a_filter_is_written_where_it_is_missing_or_another_and_there_is_room(filters, outcome):
    account = Account("/a")
    account.filters["/a"] = dict(filters)
    changes = subscriptions(account, "ERROR", names=("/a",)).reconcile()
    assert changes.subscribed == ["/a"] * (outcome == "subscribed")
    assert changes.kept == (outcome == "kept")
    assert [text[:33] for text in changes.errors.values()] == ["the log group has two subscription"[:33]] * (
        outcome == "full"
    )
    if outcome == "full":
        assert account.filters["/a"] == filters
    else:
        assert account.filters["/a"]["f"] == (FORWARDER, "ERROR")


def test_what_is_not_selected_any_more_loses_our_filter_and_no_other():
    account = Account("/a", "/b", "/c")
    account.filters["/a"] = {"f": (FORWARDER, ""), "theirs": (STATES, "")}
    account.filters["/b"] = {"theirs": (STATES, "")}
    mine = subscriptions(account, names=("/c",))
    changes = mine.reconcile()
    assert (changes.subscribed, changes.removed, changes.kept) == (["/c"], ["/a"], 0)
    assert account.filters == {
        "/a": {"theirs": (STATES, "")},
        "/b": {"theirs": (STATES, "")},
        "/c": {"f": (FORWARDER, "")},
    }
    # Looked at anew each time; between, what is known to be subscribed is not asked about.
    account.filters["/c"].clear()
    assert mine.subscribe_selected().kept == 1
    assert mine.reconcile().subscribed == ["/c"]
    removed = mine.remove_all()
    assert (removed.removed, removed.errors) == (["/c"], {})
    assert account.subscribed() == {}
    assert mine.subscribe_selected().subscribed == ["/c"]


def test_one_log_groups_fault_costs_no_other():
    account = Account("/a", "/b", "/c")
    account.broken = {"/a": AwsError("AccessDeniedException"), "/b": ValueError("odd")}
    mine = subscriptions(account, prefixes=("*",))
    changes = mine.reconcile()
    assert changes.subscribed == ["/c"]
    assert changes.errors == {
        "/a": "AccessDeniedException: An error occurred (AccessDeniedException)",
        "/b": "ValueError: odd",
    }
    # A log group that was deleted meanwhile took its filter with it.
    account.broken = {"/a": AwsError("ResourceNotFoundException"), "/b": AwsError("Throttling")}
    removed = mine.remove_all()
    assert removed.removed == ["/c"]
    assert list(removed.errors) == ["/b"]
    account.broken = {}
    assert mine.subscribe_selected().subscribed == ["/a", "/b", "/c"]


ENVIRON = {"MONITORING_DESTINATION": FORWARDER, "MONITORING_FILTER_NAME": "f"}


def test_the_settings_come_from_the_environment():
    assert SubscriberSettings.from_env(ENVIRON) == SubscriberSettings(destination=FORWARDER, filter_name="f")
    more = {
        "MONITORING_STATES_DESTINATION": STATES,
        "MONITORING_FILTER_PATTERN": "ERROR",
        "MONITORING_SUBSCRIPTION_ROLE": "role",
        "MONITORING_SUBSCRIBE_NAMES": " /a, /b,,/a ",
        "MONITORING_SUBSCRIBE_PREFIXES": "*",
        "MONITORING_SUBSCRIBE_TAGS": "team : x, owner",
        "MONITORING_SUBSCRIBE_STATE_MACHINES": "order-*",
        "MONITORING_SUBSCRIBE_EXCLUDE": "/x*",
    }
    assert SubscriberSettings.from_env(ENVIRON | more) == SubscriberSettings(
        destination=FORWARDER,
        filter_name="f",
        states_destination=STATES,
        pattern="ERROR",
        role="role",
        selection=Selection(("/a", "/b"), ("*",), (("team", "x"), ("owner", "")), ("order-*",), ("/x*",)),
    )


@pytest.mark.parametrize("name", ENVIRON)
def test_a_setting_without_which_nothing_can_be_subscribed_is_named(name):
    for environ in ({**ENVIRON, name: ""}, {key: value for key, value in ENVIRON.items() if key != name}):
        with pytest.raises(InputError) as caught:
            SubscriberSettings.from_env(environ)
        assert caught.value.where == name


# --- the function


@pytest.fixture
def account(monkeypatch):
    made = Account("/a", "/b", "/s", machines={"m": machine("/s")})
    for name in list(ENVIRON):
        monkeypatch.setenv(name, ENVIRON[name])
    monkeypatch.setenv("MONITORING_SUBSCRIBE_PREFIXES", "/a")
    monkeypatch.setenv("MONITORING_SUBSCRIBE_STATE_MACHINES", "m")
    monkeypatch.setenv("MONITORING_SUBSCRIBE_TAGS", "k:v")
    monkeypatch.setattr(subscriber, "_client", made)
    monkeypatch.setattr(subscriber, "_cache", {})
    return made


def call(name, request=None, answer=None, error=None):
    detail = {"eventName": name, "requestParameters": request, "responseElements": answer, "errorCode": error}
    return {"detail-type": "AWS API Call via CloudTrail", "detail": detail}


@pytest.mark.parametrize(
    ("event", "subscribed"),
    [
        (call("CreateLogGroup", {"logGroupName": "/a"}), ["/a"]),
        (call("CreateLogGroup", {"logGroupName": "/b"}), []),
        (call("CreateLogGroup", {"logGroupName": "/a", "logGroupClass": "STANDARD"}), ["/a"]),
        (call("CreateLogGroup", {"logGroupName": "/a", "logGroupClass": "INFREQUENT_ACCESS"}), []),
        (call("CreateLogGroup", {"logGroupName": "/b", "tags": {"k": "v"}}), ["/b"]),
        (call("CreateLogGroup", {"logGroupName": "/a"}, error="AccessDenied"), []),
        (call("CreateStateMachine", {}, {"stateMachineArn": f"{MACHINE}m"}), ["/s"]),
        (call("UpdateStateMachine", {"stateMachineArn": f"{MACHINE}m"}), ["/s"]),
        (call("CreateStateMachine", {}, {"stateMachineArn": f"{MACHINE}n"}), []),
        (call("CreateStateMachine", None, {"stateMachineArn": f"{MACHINE}m"}), ["/s"]),
        ({"detail-type": "Scheduled Event", "detail": {}}, ["/a", "/s"]),
        ({"detail": "text"}, ["/a", "/s"]),
        ({}, ["/a", "/s"]),
        (None, ["/a", "/s"]),
        ([], ["/a", "/s"]),
    ],
)
def test_an_event_subscribes_what_it_is_about(account, event, subscribed, capsys):
    summary = subscriber.handler(event, None)
    assert sorted(account.subscribed()) == subscribed
    shown = {"subscribed_groups": subscribed} if subscribed else {}
    expected = {"subscribed": len(subscribed), "removed": 0, "kept": 0, "failed": 0, **shown}
    assert summary == expected
    assert (
        capsys.readouterr().out
        == json.dumps({"stepscope.subscriber": expected}, separators=(",", ":")) + "\n"
    )


def test_what_is_known_outlives_an_invocation_until_a_setting_changes(account, monkeypatch):
    assert subscriber.handler({}, None)["subscribed"] == 2
    assert subscriber.handler({}, None)["kept"] == 2
    assert len(subscriber._cache) == 1
    monkeypatch.setenv("MONITORING_FILTER_NAME", "other")
    assert subscriber.handler({}, None)["subscribed"] == 2
    assert len(subscriber._cache) == 1


@pytest.mark.parametrize(("broken", "more"), [(1, ""), (2, " (and 1 more)")])
def test_a_log_group_that_fails_fails_the_invocation_once_the_others_are_done(account, broken, more):
    account.broken = dict.fromkeys(["/a", "/s"][:broken], ValueError("odd"))
    with pytest.raises(SubscriptionError) as caught:
        subscriber.handler({}, None)
    assert str(caught.value) == f"/a: ValueError: odd{more}"
    assert len(account.subscribed()) == 2 - broken


def test_a_summary_names_a_hundred_log_groups_at_most(account, monkeypatch):
    for number in range(150):
        account.filters[f"/a{number}"] = {}
        account.broken[f"/ab{number}"] = ValueError("odd")
        account.filters[f"/ab{number}"] = {}
    account.filters["/old"] = {"f": (FORWARDER, "")}
    summary = subscriber.handler({"tf": {"action": "update"}}, None)
    assert (summary["subscribed"], summary["failed"], summary["removed"]) == (152, 150, 1)
    assert (len(summary["subscribed_groups"]), len(summary["errors"])) == (100, 100)
    assert summary["removed_groups"] == ["/old"]


@pytest.mark.parametrize(
    ("action", "there", "raises"),
    [("create", ["/a", "/s"], False), ("update", ["/a", "/s"], False), ("delete", [], True)],
)
def test_terraform_stops_at_a_log_group_that_keeps_its_subscription_alone(account, action, there, raises):
    account.filters["/b"] = {"f": (FORWARDER, "")}
    assert subscriber.handler({"tf": {"action": action}}, None)["removed"] == 1
    assert sorted(account.subscribed()) == there
    account.broken = {"/b": ValueError("odd")}
    if raises:
        with pytest.raises(SubscriptionError):
            subscriber.handler({"tf": {"action": action}}, None)
    else:
        assert subscriber.handler({"tf": {"action": action}}, None)["failed"] == 1
    # Another event that happens to have the field is none of Terraform's.
    assert "kept" in subscriber.handler({"tf": "text", "detail": {"errorCode": "x"}}, None)


@pytest.fixture
def answers(monkeypatch):
    sent = []

    def urlopen(request, timeout):
        assert request.get_method() == "PUT"
        assert request.headers["Content-type"] == ""
        sent.append((request.full_url, json.loads(request.data), timeout))
        return io.BytesIO()

    monkeypatch.setattr(subscriber.urllib.request, "urlopen", urlopen)
    return sent


def resource(kind, **more):
    return {
        "RequestType": kind,
        "ResponseURL": "https://cloudformation.test/x",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "logical",
        **more,
    }


@pytest.mark.parametrize("physical", [None, "physical"])
@pytest.mark.parametrize(
    ("kind", "broken", "status"),
    [
        ("Create", False, "SUCCESS"),
        ("Update", False, "SUCCESS"),
        ("Create", True, "SUCCESS"),
        ("Delete", False, "SUCCESS"),
        ("Delete", True, "FAILED"),
    ],
)
def test_cloudformation_gets_one_answer_with_the_counts(account, answers, physical, kind, broken, status):
    """A log group that cannot be subscribed stops no stack; one that keeps its subscription stops the deletion."""
    account.filters["/b"] = {"f": (FORWARDER, "")}
    account.broken = {"/a": ValueError("odd")} if broken else {}
    more = {"PhysicalResourceId": physical} if physical else {}
    context = SimpleNamespace(log_stream_name="stream")
    summary = subscriber.handler(resource(kind, **more), context)
    ((url, answer, timeout),) = answers
    assert (url, timeout) == ("https://cloudformation.test/x", 30)
    assert answer == {
        "Status": status,
        "Reason": "/a: ValueError: odd (log stream stream)" if status == "FAILED" else "",
        "PhysicalResourceId": physical or "logical",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "logical",
        "Data": {key: value for key, value in summary.items() if isinstance(value, int)},
    }
    assert set(answer["Data"]) == {"subscribed", "removed", "kept", "failed"}
    assert answer["Data"]["failed"] == broken
    assert answer["Data"]["subscribed"] == (0 if kind == "Delete" else 2 - broken)


def test_a_fault_of_the_subscriber_fails_the_stack_with_a_reason_that_is_not_too_long(
    account, answers, monkeypatch
):
    def broken(service):
        raise ValueError("x" * 2000)

    monkeypatch.setattr(subscriber, "_client", broken)
    monkeypatch.setattr(subscriber, "_cache", {})
    assert subscriber.handler(resource("Create"), None) == {}
    ((_, answer, _),) = answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == f"ValueError: {'x' * (800 - len('ValueError: '))} (log stream )"
    assert answer["Data"] == {}
