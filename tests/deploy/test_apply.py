"""Plan, apply, pull and destroy against the embedded Datadog, through the command."""

import json

import pytest
import urllib3
from troubled import troubled

from monitoring.cli import main
from monitoring.deploy.api import Client
from monitoring.deploy.marker import read_marker
from monitoring.local_datadog import LocalDatadog

QUERY = "sum(last_5m):sum:aws.states.executions_failed{{statemachinearn:*}} by {{statemachinearn}}.as_count() > {}"


def monitor(number=0, **more):
    options = {"thresholds": {"critical": number}, "renotify_interval": 60}
    return {
        "type": "query alert",
        "name": f"Failed {number}",
        "query": QUERY.format(number),
        "message": f"See /dashboard/${{dashboard:all}} ({number})",
        "tags": ["team:a"],
        "options": options,
        **more,
    }


def dashboard(**more):
    graph = {"definition": {"type": "alert_graph", "alert_id": "${monitor:m0}", "viz_type": "timeseries"}}
    return {"title": "All", "layout_type": "ordered", "widgets": [graph], **more}


SLO = {
    "name": "Executions succeed",
    "type": "monitor",
    "monitor_ids": ["${monitor:m0}"],
    "thresholds": [{"timeframe": "7d", "target": 99.0}],
}
NIGHTS = {"start": "2026-01-05T02:00:00", "duration": "30m", "rrule": "FREQ=DAILY"}
DOWNTIME = {
    "scope": "env:dev AND service:(a OR b)",
    "message": "nights",
    "monitor_identifier": {"monitor_id": "${monitor:m1}"},
    "schedule": {"timezone": "Europe/Paris", "recurrences": [NIGHTS]},
    "display_timezone": "Europe/Paris",
}


@pytest.fixture(scope="module")
def server():
    with LocalDatadog() as datadog:
        yield datadog


@pytest.fixture
def client(server):
    yield Client(server.url, "k", "a")
    client = Client(server.url, "k", "a")  # the library knows one address at a time, the last one
    for kind in ("downtime", "dashboard", "slo", "monitor"):
        for id_, _ in client.everything(kind)[::-1]:  # a composite is younger than its members
            client.delete(kind, id_)


@pytest.fixture
def project(tmp_path, server, monkeypatch):
    monkeypatch.setenv("DD_URL", server.url)
    monkeypatch.delenv("DD_ENV", raising=False)
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "monitors", {f"m{n}": monitor(n) for n in range(4)})
    both = {"type": "composite", "name": "Both", "query": "${monitor:m0} && ${monitor:m1}", "message": "down"}
    write(tmp_path, "monitors", {"both": both})
    write(tmp_path, "dashboards", {"all": dashboard()})
    write(tmp_path, "slos", {"succeed": SLO})
    return tmp_path


def write(root, folder, bodies):
    (root / folder).mkdir(exist_ok=True)
    for key, body in bodies.items():
        (root / folder / f"{key}.json").write_text(json.dumps(body))


def run(*argv):
    argv = [*argv, "--yes"] if argv[0] == "apply" and "--yes" not in argv else argv
    with pytest.raises(SystemExit) as stopped:
        main([str(one) for one in argv])
    return int(stopped.value.code or 0)


@pytest.fixture
def plan(capsys):
    def ask(*argv):
        capsys.readouterr()
        assert run("plan", "--json", *argv) == 0
        found = json.loads(capsys.readouterr().out)
        return {
            action: [step["key"] for step in found[action]] for action in ("create", "update", "delete")
        }, found

    return ask


NOTHING = {"create": [], "update": [], "delete": []}


def test_from_nothing_everything_is_made_and_the_plan_is_empty_after(project, client, plan):
    assert run("apply") == 0
    keys, found = plan()
    assert keys == NOTHING
    assert len(found["unchanged"]) == 7
    monitors = {read_marker("monitor", body).key: (id_, body) for id_, body in client.everything("monitor")}
    board = client.everything("dashboard")[0][0]
    assert f"/dashboard/{board} (0)" in monitors["m0"][1]["message"]
    assert monitors["both"][1]["query"] == f"{monitors['m0'][0]} && {monitors['m1'][0]}"
    assert client.get("dashboard", board)["widgets"][0]["definition"]["alert_id"] == monitors["m0"][0]
    assert client.everything("slo")[0][1]["monitor_ids"] == [int(monitors["m0"][0])]


def test_a_changed_and_a_removed_file_are_followed(project, client, plan):
    assert run("apply") == 0
    write(project, "monitors", {"m2": monitor(2, name="Renamed", tags=[])})
    (project / "monitors" / "m3.json").unlink()
    keys, found = plan()
    assert keys == {"create": [], "update": ["m2"], "delete": ["m3"]}
    assert {change["path"] for change in found["update"][0]["changes"]} == {"name", "tags"}
    assert run("apply") == 0
    assert plan()[0] == NOTHING
    names = {body["name"] for _, body in client.everything("monitor")}
    assert "Renamed" in names
    assert "Failed 3" not in names


def test_an_option_that_the_file_drops_is_set_back(project, client, plan):
    assert run("apply") == 0
    body = monitor(2)
    del body["options"]["renotify_interval"]
    write(project, "monitors", {"m2": body})
    assert run("apply") == 0
    assert plan()[0] == NOTHING


def test_what_a_third_party_changed_is_shown_as_theirs_and_put_right(project, client, plan):
    assert run("apply") == 0
    id_, body = next(row for row in client.everything("monitor") if row[1]["name"] == "Failed 2")
    client.update("monitor", id_, {**body, "name": "Edited by hand"})
    keys, found = plan()
    assert keys == {"create": [], "update": ["m2"], "delete": []}
    assert found["update"][0]["drift"]
    assert run("plan", "--check") == 1
    assert run("apply") == 0
    assert run("plan", "--check") == 0
    assert client.get("monitor", id_)["name"] == "Failed 2"


def test_nothing_without_the_projects_marker_is_touched(project, client, plan):
    foreign = client.create("monitor", monitor(7, message="ours"))
    (project / "stepscope.toml").write_text('project = "other"')
    assert run("apply") == 0
    (project / "stepscope.toml").write_text('project = "mine"')
    assert len(plan()[0]["create"]) == 7
    assert plan()[0]["delete"] == []
    assert run("destroy", "--yes") == 0
    assert client.get("monitor", foreign)["message"] == "ours"
    assert len(client.everything("monitor")) == 6


def test_destroy_deletes_what_is_owned_composites_first(project, client):
    foreign = client.create("monitor", monitor(7, message="ours"))
    assert run("apply") == 0
    assert run("destroy", "--yes") == 0
    assert [id_ for id_, _ in client.everything("monitor")] == [foreign]
    assert client.everything("dashboard") == []


def test_a_monitor_that_somebody_elses_composite_needs_stays_and_the_rest_goes_on(project, client, capsys):
    assert run("apply") == 0
    ids = {body["name"]: id_ for id_, body in client.everything("monitor")}
    theirs = {
        "type": "composite",
        "name": "Theirs",
        "query": f"{ids['Failed 3']} && {ids['Failed 2']}",
        "message": "",
    }
    composite = client.create("monitor", theirs)
    (project / "monitors" / "m3.json").unlink()
    write(project, "monitors", {"m1": monitor(1, name="Renamed")})
    capsys.readouterr()
    assert run("apply") == 1
    said = capsys.readouterr()
    assert "monitor m3 was not deleted" in said.err
    assert "composite" in said.err
    assert "Renamed" in {body["name"] for _, body in client.everything("monitor")}
    client.delete("monitor", composite)


def test_mass_deletes_name_the_flag_and_the_flag_allows_them(project, client, capsys):
    assert run("apply") == 0
    for key in ("m2", "m3"):
        (project / "monitors" / f"{key}.json").unlink()
    assert run("apply") == 2
    assert "--allow-deletes 2" in capsys.readouterr().err
    assert len(client.everything("monitor")) == 5
    assert run("apply", "--allow-deletes", 2) == 0
    assert len(client.everything("monitor")) == 3


def test_a_saved_plan_is_applied_only_as_it_was_saved(project, client, capsys):
    assert run("plan", "--out", "saved.json") == 0
    write(project, "monitors", {"m2": monitor(2, name="Sneaked in")})
    assert run("apply", "saved.json") == 2
    assert "what would be done now is not what was saved" in capsys.readouterr().err
    assert client.everything("monitor") == []
    write(project, "monitors", {"m2": monitor(2)})
    assert run("apply", "saved.json") == 0
    assert len(client.everything("monitor")) == 5


def test_one_rejected_resource_costs_only_what_needs_it(project, client, capsys):
    write(project, "monitors", {"m1": monitor(1, query="sum(last_5m):nonsense")})
    assert run("apply") == 1
    said = capsys.readouterr().err
    assert "monitor m1 was not created: The value provided for parameter 'query' is invalid" in said
    assert "monitor both was not created: monitor:m1, which it needs, could not be created" in said
    assert {body["name"] for _, body in client.everything("monitor")} == {"Failed 0", "Failed 2", "Failed 3"}


TAGGED = {"monitor_identifier": {"monitor_tags": ["team:a", "b"]}, "scope": "*"}
DOWNTIMES = {
    "recurring": DOWNTIME,
    "from-its-creation-on": {
        **TAGGED,
        "schedule": {"recurrences": [{"duration": "1h", "rrule": "FREQ=WEEKLY"}]},
    },
    "once": {**TAGGED, "schedule": {"start": "2050-01-02T03:04:05Z", "end": "2050-01-02T05:04:05+01:00"}},
    "until": {**TAGGED, "schedule": {"start": None, "end": "2050-01-02T03:04:05Z"}},
    "for-ever": {**TAGGED, "notify_end_states": ["warn", "alert", "no data"], "message": None},
}


def test_downtimes_of_every_kind_are_deployed_followed_and_cancelled(project, client, plan):
    write(project, "downtimes", DOWNTIMES)
    assert run("apply") == 0
    assert plan()[0] == NOTHING
    there = {read_marker("downtime", body).key: (id_, body) for id_, body in client.everything("downtime")}
    assert set(there) == set(DOWNTIMES)
    m1 = next(id_ for id_, body in client.everything("monitor") if body["name"] == "Failed 1")
    assert there["recurring"][1]["monitor_identifier"] == {"monitor_id": int(m1)}
    for key in ("once", "for-ever"):
        (project / "downtimes" / f"{key}.json").unlink()
    short = {"recurrences": [{**NIGHTS, "duration": "10m"}]}
    write(project, "downtimes", {"recurring": {**DOWNTIME, "schedule": short, "message": "Shorter"}})
    keys, found = plan("--env", "")
    assert keys == {"create": [], "update": ["recurring"], "delete": ["for-ever", "once"]}
    paths = {change["path"] for change in found["update"][0]["changes"]}
    assert paths == {"message", "schedule.timezone", "schedule.recurrences[0].duration"}
    assert run("apply", "--allow-deletes", 2) == 0
    assert plan()[0] == NOTHING
    assert len(client.everything("downtime")) == 3
    assert client.get("downtime", there["recurring"][0])["schedule"]["recurrences"] == short["recurrences"]


def test_a_downtime_that_loses_its_schedule_and_its_message_loses_them_in_datadog(project, client, plan):
    write(project, "downtimes", {"one": {**DOWNTIME, "mute_first_recovery_notification": True}})
    assert run("apply") == 0
    write(project, "downtimes", {"one": {key: DOWNTIME[key] for key in ("scope", "monitor_identifier")}})
    assert run("apply") == 0
    assert plan()[0] == NOTHING
    ((_, body),) = client.everything("downtime")
    assert "recurrences" not in body["schedule"]
    assert body["schedule"]["end"] is None
    assert body["mute_first_recovery_notification"] is False


def test_a_change_of_a_downtime_by_a_third_party_is_shown_as_theirs_and_put_right(project, client, plan):
    write(project, "downtimes", {"nights": DOWNTIME})
    assert run("apply") == 0
    ((id_, body),) = client.everything("downtime")
    client.update("downtime", id_, {"scope": "*"})
    keys, found = plan()
    assert keys["update"] == ["nights"]
    assert found["update"][0]["drift"]
    assert run("apply") == 0
    assert client.get("downtime", id_)["scope"] == DOWNTIME["scope"]
    assert client.get("downtime", id_)["message"] == body["message"]


@pytest.mark.parametrize(
    "named", ["{}", "https://app.datadoghq.com/monitors/downtimes?downtimeId={}", "Nights of"]
)
def test_a_downtime_is_pulled_by_id_address_or_message_and_taken_over(project, client, plan, named):
    made = {
        **DOWNTIME,
        "monitor_identifier": {"monitor_tags": ["*"]},
        "scope": "env:dev",
        "message": "nights of dev",
    }
    id_ = client.create("downtime", made)
    assert run("pull", named.format(id_), "--adopt") == 0
    body = json.loads((project / "downtimes" / "env-dev.json").read_text())
    assert body == {**made, "id": id_, "scope": "env:${var:env|dev}"}
    (project / "stepscope.toml").write_text("[env.dev]\nx = 1")
    assert run("apply", "--env", "dev") == 0
    assert plan("--env", "dev")[0] == NOTHING
    assert [row[0] for row in client.everything("downtime")] == [id_]


def test_destroy_takes_a_dashboard_before_the_slo_that_it_shows(project, client):
    shown = {"definition": {"type": "slo", "slo_id": "${slo:succeed}", "view_type": "detail"}}
    write(project, "dashboards", {"all": dashboard(widgets=[shown])})
    write(project, "downtimes", {"nights": DOWNTIME})
    assert run("apply") == 0
    assert run("destroy", "--yes") == 0
    assert [client.everything(kind) for kind in ("dashboard", "slo", "monitor", "downtime")] == [
        [],
        [],
        [],
        [],
    ]


def test_an_slo_that_somebody_elses_dashboard_shows_stays_and_the_reason_is_said(project, client, capsys):
    assert run("apply") == 0
    ((slo, _),) = client.everything("slo")
    theirs = {
        "title": "T",
        "layout_type": "ordered",
        "widgets": [{"definition": {"type": "slo", "slo_id": slo}}],
    }
    board = client.create("dashboard", theirs)
    (project / "slos" / "succeed.json").unlink()
    assert run("apply") == 1
    said = capsys.readouterr().err
    assert "slo succeed was not deleted" in said
    assert board in said
    client.delete("dashboard", board)


def test_a_list_is_read_to_its_end(server, client):
    tags = {"monitor_identifier": {"monitor_tags": ["*"]}, "scope": "env:dev"}
    for number in range(101):
        client.create("downtime", {**tags, "message": str(number)})
        client.create("dashboard", {"title": f"D {number}", "layout_type": "ordered", "widgets": []})
    assert len(client.everything("downtime")) == 101
    assert len(client.everything("dashboard")) == 101


def test_pull_writes_a_tidy_portable_file_and_adopt_takes_the_original_over(project, client, plan):
    query = "sum(last_5m):sum:aws.states.executions_failed{env:prod,team:x}.as_count() > 5"
    id_ = client.create("monitor", monitor(5, name="By hand", query=query, message="m"))
    assert run("pull", "by hand", "--adopt") == 0
    body = json.loads((project / "monitors" / "by-hand.json").read_text())
    assert body["id"] == id_
    assert "env:${var:env|prod},team:x" in body["query"]
    assert set(body) <= {"id", "name", "type", "query", "message", "tags", "options"}
    (project / "stepscope.toml").write_text("[env.prod]\nx = 1")
    assert run("apply", "--env", "prod") == 0
    assert plan("--env", "prod")[0] == NOTHING
    assert sum(body["name"] == "By hand" for _, body in client.everything("monitor")) == 1


def test_pull_makes_a_dashboards_queries_portable(project, client):
    widget = {"definition": {"type": "timeseries", "requests": [{"q": "avg:a{env:prod,host:b}"}]}}
    id_ = client.create("dashboard", dashboard(title="Old one", widgets=[widget, widget]))
    assert run("pull", f"https://app.datadoghq.com/dashboard/{id_}/old-one?from_ts=1") == 0
    body = json.loads((project / "dashboards" / "old-one.json").read_text())
    assert body["template_variables"] == [{"name": "env", "prefix": "env", "defaults": ["prod"]}]
    assert body["widgets"][0]["definition"]["requests"][0]["q"] == "avg:a{$env,host:b}"
    assert "id" not in body


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["pull", "999999999"], "no monitor 999999999"),
        (["pull", "no such title"], "nothing in Datadog is named like"),
        (["apply", "--env", "nowhere"], "no environment 'nowhere'"),
        (["plan", "--dir", "empty"], "there are no dashboards, monitors, SLOs or downtimes"),
        (["plan", "--url", "http://127.0.0.1:9"], "no answer to GET"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_with_status_2(project, client, capsys, argv, said):
    (project / "empty").mkdir()
    (project / "stepscope.toml").write_text("[env.prod]\nx = 1")
    assert run(*argv) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("site", "listed"),
    [
        ("datadoghq.xx", True),
        ("app.datadoghq.eu", True),
        ("datadoghq.eu", False),
        ("us5.datadoghq.com", False),
    ],
)
def test_a_site_that_is_none_of_datadogs_is_answered_with_their_list(
    project, capsys, monkeypatch, site, listed
):
    class Silent:
        def request(self, *_, **__):
            raise urllib3.exceptions.NewConnectionError(None, "no such host")

    monkeypatch.setattr(urllib3, "PoolManager", lambda **_: Silent())
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    for name, value in (("DD_URL", ""), ("DD_SITE", site), ("DD_API_KEY", "a"), ("DD_APP_KEY", "b")):
        monkeypatch.setenv(name, value)
    assert run("plan") == 2
    said = capsys.readouterr().err
    assert (f"no answer to GET https://api.{site}/" in said) is not listed
    assert (f"DD_SITE is not a site of Datadog: '{site}'" in said) is listed
    assert ("Datadog's sites are datadoghq.com, us3." in said) is listed


def test_keys_are_asked_for_by_name_and_never_shown(project, capsys, monkeypatch):
    monkeypatch.setenv("DD_URL", "")
    monkeypatch.delenv("DD_API_KEY", raising=False)
    monkeypatch.delenv("DD_APP_KEY", raising=False)
    assert run("plan") == 2
    assert "DD_API_KEY and DD_APP_KEY must be set" in capsys.readouterr().err


def test_a_429_on_every_third_call_is_waited_for_and_costs_nothing(project, monkeypatch, plan):
    with troubled(refuse_every=3) as (url, app):
        monkeypatch.setenv("DD_URL", url)
        assert run("apply") == 0
        assert plan()[0] == NOTHING
        assert app.refused >= app.calls // 3 - 1 > 3
        assert len(Client(url, "k", "a").everything("monitor")) == 5
