"""What an apply writes, in which order, and what it does when something fails (docs/deploy.md)."""

import itertools
import re
import threading

import pytest

from monitoring.deploy.api import RejectedError, UnansweredError
from monitoring.deploy.apply import apply_plan
from monitoring.deploy.canonical import DEFAULTS, MONITOR_OPTION_DEFAULTS, fingerprint
from monitoring.deploy.differ import make_plan
from monitoring.deploy.marker import Owner, read_marker, with_marker, without_marker
from monitoring.resources.project import Project
from monitoring.resources.resource import KINDS, Resource

METRIC = {"type": "query alert", "name": "M", "query": "avg(last_5m):avg:a{*} > 5", "message": "@a"}
BOARD = {"title": "B", "layout_type": "ordered", "widgets": []}


class Account:
    """Datadog in memory, with the methods of its client: bodies by kind and id, and a log of what was written."""

    def __init__(self, *resources):
        self.bodies = {kind: {} for kind in KINDS}
        for resource in resources:
            self.bodies[resource.kind][resource.id] = dict(resource.body)
        self.numbers, self.log, self.lock = itertools.count(100), [], threading.Lock()
        self.refused, self.broken, self.used = {}, [], {}

    def everything(self, kind):
        return list(self.bodies[kind].items())

    def key(self, kind, body):
        return read_marker(kind, body).key

    def create(self, kind, body):
        with self.lock:
            key = self.key(kind, body)
            if key in self.refused:
                raise RejectedError(400, [self.refused[key]])
            done = self.broken.pop(0) if self.broken else "whole"
            if done != "lost":
                id_ = str(next(self.numbers))
                self.bodies[kind][id_] = body
                self.log.append(("create", kind, key))
            if done != "whole":
                raise UnansweredError("broken")
            return id_

    def update(self, kind, id_, body):
        with self.lock:
            if f"update {id_}" in self.refused:
                raise RejectedError(400, [self.refused[f"update {id_}"]])
            self.bodies[kind][id_] = body
            self.log.append(("update", kind, self.key(kind, body)))

    def delete(self, kind, id_):
        with self.lock:
            if f"delete {id_}" in self.refused:
                raise RejectedError(400, [self.refused[f"delete {id_}"]])
            self.log.append(("delete", kind, id_))
            self.bodies[kind].pop(id_, None)

    def undeletable(self, ids):
        return {
            id_: why for id_, (by, why) in self.used.items() if id_ in ids and by in self.bodies["monitor"]
        }


def marked(kind, key, body, id_):
    return Resource(kind, key, with_marker(kind, body, Owner("p", "prod", key, fingerprint(kind, body))), id_)


def applied(account, *desired, progress=None):
    there = [
        Resource(kind, owner.key, body, id_)
        for kind in KINDS
        for id_, body in account.everything(kind)
        if (owner := read_marker(kind, body))
    ]
    plan = make_plan(desired, there)
    done = []
    outcome = apply_plan(account, Project(None, "p", "prod"), plan, desired, there, progress or done.append)
    assert sorted(map(str, done)) == sorted(map(str, outcome.done)) or progress
    return outcome


def texts(outcome):
    return sorted((step.key, text) for step, text in outcome.failed)


def test_what_is_referred_to_is_created_first_with_its_marker():
    """Every write is one whole resource with its marker; its fingerprint is that of the body with the ids filled in."""
    account = Account()
    both = {"type": "composite", "name": "Both", "query": "${monitor:a} && ${monitor:b}", "message": ""}
    outcome = applied(
        account,
        Resource("monitor", "both", both),
        Resource("monitor", "b", METRIC),
        Resource("monitor", "a", {**METRIC, "id": 9}),
    )
    assert outcome.failed == []
    assert [key for _, _, key in account.log][2:] == ["both"]
    ids = {account.key("monitor", body): id_ for id_, body in account.everything("monitor")}
    body = account.bodies["monitor"][ids["both"]]
    assert body["query"] == f"{ids['a']} && {ids['b']}"
    assert read_marker("monitor", body) == Owner(
        "p", "prod", "both", fingerprint("monitor", without_marker("monitor", body))
    )
    assert "id" not in account.bodies["monitor"][ids["a"]]


def test_links_in_a_circle_are_filled_in_by_a_second_write():
    account = Account()
    linked = {**METRIC, "message": "see ${dashboard:d}"}
    shown = {**BOARD, "widgets": [{"definition": {"type": "alert_graph", "alert_id": "${monitor:m}"}}]}
    outcome = applied(account, Resource("monitor", "m", linked), Resource("dashboard", "d", shown))
    assert outcome.failed == []
    assert account.log == [
        ("create", "monitor", "m"),
        ("create", "dashboard", "d"),
        ("update", "monitor", "m"),
    ]
    ((board, _),) = account.everything("dashboard")
    ((_, body),) = account.everything("monitor")
    assert body["message"].startswith(f"see {board}\n")


def test_a_failure_costs_only_what_needs_it():
    account = Account()
    account.refused["bad"] = "The query is invalid"
    both = {"type": "composite", "name": "Both", "query": "${monitor:bad} && ${monitor:good}", "message": ""}
    soft = {**METRIC, "message": "see ${monitor:bad}"}
    outcome = applied(
        account,
        Resource("monitor", "bad", METRIC),
        Resource("monitor", "good", METRIC),
        Resource("monitor", "both", both),
        Resource("monitor", "soft", soft),
    )
    assert texts(outcome) == [
        ("bad", "The query is invalid"),
        ("both", "monitor:bad, which it needs, could not be created"),
    ]
    assert sorted(step.key for step in outcome.done) == ["good", "soft"]


def test_links_that_cannot_be_filled_in_are_said():
    account = Account()
    account.refused["update 100"] = "The message is invalid"
    linked = {**METRIC, "message": "see ${dashboard:d}"}
    shown = {**BOARD, "widgets": [{"definition": {"type": "alert_graph", "alert_id": "${monitor:m}"}}]}
    outcome = applied(account, Resource("monitor", "m", linked), Resource("dashboard", "d", shown))
    assert texts(outcome) == [("m", "created, but its links are not filled in: The message is invalid")]


@pytest.mark.parametrize(
    ("broken", "created", "failed"),
    [
        (["made"], 1, []),
        (["lost"], 1, []),
        (["lost", "lost"], 1, []),
        (["lost", "made"], 1, []),
        (["lost", "lost", "lost"], 0, [("m", "Datadog broke off three times")]),
    ],
)
def test_a_creation_that_broke_off_is_looked_for_before_another_try(broken, created, failed):
    account = Account()
    account.broken = broken
    outcome = applied(account, Resource("monitor", "m", METRIC))
    assert len(account.everything("monitor")) == created
    assert texts(outcome) == failed
    assert len(outcome.done) == created
    assert account.log == [("create", "monitor", "m")] * created  # and none that is deleted again


class Rival(Account):
    """An account in which another apply has made the monitor `m` a moment before."""

    def create(self, kind, body):
        if self.key(kind, body) == "m" and "50" not in self.bodies[kind]:
            self.bodies[kind]["50"] = body
        return super().create(kind, body)


def test_of_two_applies_at_once_the_older_resource_is_kept_and_referred_to():
    """docs/deploy.md: each looks again, keeps the oldest under a key and points to it what refers to its own copy."""
    account = Rival()
    both = {"type": "composite", "name": "Both", "query": "${monitor:m}", "message": ""}
    outcome = applied(account, Resource("monitor", "m", METRIC), Resource("monitor", "both", both))
    assert outcome.failed == []
    ids = {account.key("monitor", body): id_ for id_, body in account.everything("monitor")}
    assert ids["m"] == "50"
    assert account.log[:2] == [("create", "monitor", "m"), ("delete", "monitor", "100")]
    assert account.bodies["monitor"][ids["both"]]["query"] == "50"
    assert len(account.everything("monitor")) == 2


def test_a_copy_that_cannot_be_deleted_is_said():
    account = Rival()
    account.refused["delete 100"] = "used by 9"
    outcome = applied(account, Resource("monitor", "m", METRIC))
    assert texts(outcome) == [("m", "a copy, which cannot be deleted: used by 9")]
    ((step, _),) = outcome.failed
    assert (step.action, step.id, step.copy) == ("delete", "100", True)


class Late(Account):
    """An account in which another apply's older `m` appears only when `both` is to be created."""

    def create(self, kind, body):
        if self.key(kind, body) == "both" and "50" not in self.bodies[kind]:
            ((id_, own),) = self.everything(kind)
            self.bodies[kind] = {"50": own}
            raise RejectedError(400, [f"monitor {id_} does not exist"])
        return super().create(kind, body)


def test_what_refers_to_a_copy_that_another_apply_has_deleted_is_created_with_the_id_of_the_oldest():
    account = Late()
    both = {"type": "composite", "name": "Both", "query": "${monitor:m}", "message": ""}
    outcome = applied(account, Resource("monitor", "m", METRIC), Resource("monitor", "both", both))
    assert outcome.failed == []
    (query,) = [body["query"] for _, body in account.everything("monitor") if body["type"] == "composite"]
    assert query == "50"


def test_a_refusal_for_another_reason_is_not_tried_again():
    account = Account(marked("monitor", "m", METRIC, "1"))
    account.refused["both"] = "Your query is too long"
    both = {"type": "composite", "name": "Both", "query": "${monitor:m}", "message": ""}
    outcome = applied(account, Resource("monitor", "m", METRIC), Resource("monitor", "both", both))
    assert texts(outcome) == [("both", "Your query is too long")]


def test_another_projects_resource_of_the_same_key_is_not_a_copy():
    other = Resource("monitor", "m", with_marker("monitor", METRIC, Owner("q", "prod", "m", "0" * 12)), "1")
    env = Resource("monitor", "m", with_marker("monitor", METRIC, Owner("p", "dev", "m", "0" * 12)), "2")
    nobodys = Resource("monitor", "m", METRIC, "3")
    account = Account(other, env, nobodys)
    desired = Resource("monitor", "m", METRIC)
    outcome = apply_plan(account, Project(None, "p", "prod"), make_plan([desired], []), [desired], [])
    assert outcome.failed == []
    assert sorted(account.bodies["monitor"]) == ["1", "100", "2", "3"]
    assert account.log == [("create", "monitor", "m")]


def test_a_copy_that_the_plan_deletes_is_deleted_once():
    account = Account(*(marked("monitor", "m", METRIC, id_) for id_ in ("30", "4")))
    outcome = applied(account, Resource("monitor", "m", METRIC), Resource("monitor", "new", METRIC))
    assert outcome.failed == []
    assert account.log == [("create", "monitor", "new"), ("delete", "monitor", "30")]


def test_an_update_is_written_once_to_the_oldest_and_the_copies_are_deleted():
    account = Account(*(marked("monitor", "m", METRIC, id_) for id_ in ("30", "4")))
    outcome = applied(account, Resource("monitor", "m", {**METRIC, "name": "N"}))
    assert outcome.failed == []
    assert account.log == [("update", "monitor", "m"), ("delete", "monitor", "30")]
    assert account.bodies["monitor"]["4"]["name"] == "N"


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_the_file_drops_is_set_back_to_its_default(kind):
    """An update changes only the keys that it carries."""
    field = {"monitor": "tags", "slo": "groups", "dashboard": "notify_list", "downtime": "display_timezone"}[
        kind
    ]
    value = "Asia/Tokyo" if kind == "downtime" else ["a:b"]
    body = {"name": "n", "title": "n", "scope": "*", "type": "metric"}
    account = Account(marked(kind, "k", {**body, field: value}, "1"))
    outcome = applied(account, Resource(kind, "k", body))
    assert outcome.failed == []
    written = account.bodies[kind]["1"]
    assert written[field] == DEFAULTS[kind][field]
    assert not {"restricted_roles", "options"} & set(written)


def test_an_option_that_the_file_drops_is_set_back_and_no_other():
    options = {"timeout_h": 3, "include_tags": False, "renotify_interval": 10}
    account = Account(marked("monitor", "m", {**METRIC, "options": options}, "1"))
    applied(account, Resource("monitor", "m", {**METRIC, "options": {"renotify_interval": 20}}))
    assert account.bodies["monitor"]["1"]["options"] == {
        "timeout_h": MONITOR_OPTION_DEFAULTS["timeout_h"],
        "include_tags": MONITOR_OPTION_DEFAULTS["include_tags"],
        "renotify_interval": 20,
    }


def test_an_update_that_is_refused_is_said_and_the_rest_goes_on():
    account = Account(marked("monitor", "a", METRIC, "1"), marked("monitor", "b", METRIC, "2"))
    account.refused["update 1"] = "no"
    changed = {**METRIC, "name": "N"}
    outcome = applied(account, Resource("monitor", "a", changed), Resource("monitor", "b", changed))
    assert texts(outcome) == [("a", "no")]
    assert [step.key for step in outcome.done] == ["b"]


def test_what_may_refer_to_others_is_deleted_before_them():
    """A dashboard shows monitors and SLOs, a downtime names a monitor, an SLO consists of monitors, a composite too."""
    account = Account(
        marked("monitor", "member", METRIC, "1"),
        marked("monitor", "composite", METRIC, "2"),
        marked("slo", "s", {"name": "s"}, "3"),
        marked("dashboard", "d", BOARD, "4"),
        marked("downtime", "n", {"scope": "*"}, "5"),
    )
    account.used = {"1": ("2", "used by 2")}
    outcome = applied(account)
    assert outcome.failed == []
    assert [id_ for _, _, id_ in account.log] == ["4", "5", "3", "2", "1"]


def test_a_monitor_that_others_need_stays_with_the_reason_and_the_rest_goes():
    account = Account(
        marked("monitor", "member", METRIC, "1"),
        marked("monitor", "free", METRIC, "2"),
        Resource("monitor", "theirs", METRIC, "9"),
    )
    account.used = {"1": ("9", "used by 9")}
    outcome = applied(account)
    assert texts(outcome) == [("member", "used by 9")]
    assert sorted(account.bodies["monitor"]) == ["1", "9"]
    assert [step.key for step in outcome.done] == ["free"]


def test_nothing_is_asked_for_once_more_where_nothing_is_created():
    account = Account(marked("monitor", "m", METRIC, "1"))
    account.everything, listed = lambda kind: listed.append(kind) or [("1", {})], []
    desired = Resource("monitor", "m", {**METRIC, "name": "N"})
    plan = make_plan([desired], [marked("monitor", "m", METRIC, "1")])
    apply_plan(account, Project(None, "p", "prod"), plan, [desired], [marked("monitor", "m", METRIC, "1")])
    assert listed == []
    assert re.search(r"p/prod/m \([0-9a-f]{12}\)$", account.bodies["monitor"]["1"]["message"])
