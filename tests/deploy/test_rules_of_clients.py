"""What is asked of Datadog's API, and what its answers mean.

Sources: https://docs.datadoghq.com/api/latest/{monitors,dashboards,service-level-objectives,downtimes,metrics}/,
which state routes, wrapping and pages.
"""

import json

import pytest

from monitoring.deploy.actual import owned
from monitoring.deploy.api import ApiResponse, Client, RejectedError
from monitoring.deploy.marker import Owner, with_marker
from monitoring.deploy.session import connect, open_session
from monitoring.errors import InputError
from monitoring.resources.resource import Resource

URL = "http://datadog.test"


class Replies:
    """A transport that answers with what a function of (method, path, parameters) returns, and notes the requests."""

    def __init__(self, answer):
        self.answer, self.asked, self.bodies, self.headers = answer, [], [], []

    def request(self, method, url, headers, params, data, **_):
        path = url.removeprefix(f"{URL}/api/")
        self.asked.append((method, path, dict(params or {})))
        self.bodies.append(json.loads(data) if data else None)
        self.headers.append(headers)
        status, content = self.answer(method, path, params or {})
        return ApiResponse(
            status, content if isinstance(content, bytes) else json.dumps(content).encode(), {}
        )


def client(answer):
    replies = Replies(answer if callable(answer) else lambda *_: answer)
    return Client(f"{URL}/", "the-api-key", "the-app-key", replies), replies


def test_the_keys_are_sent_in_headers_and_in_no_address():
    datadog, replies = client((200, []))
    datadog.everything("monitor")
    assert replies.headers[0]["DD-API-KEY"] == "the-api-key"
    assert replies.headers[0]["DD-APPLICATION-KEY"] == "the-app-key"
    assert replies.asked == [("GET", "v1/monitor", {})]


PAGES = {
    "slo": ("v1/slo", "data", "limit", "offset", 1000),
    "dashboard": ("v1/dashboard", "dashboards", "count", "start", 100),
    "downtime": ("v2/downtime", "data", "page[limit]", "page[offset]", 100),
}


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("rest", [-1, 0, 1])
def test_a_list_is_asked_for_page_by_page_until_one_is_not_full(kind, rest):
    path, rows, size, start, most = PAGES[kind]
    there = [{"id": number, "attributes": {"n": number}, "n": number} for number in range(most + rest)]

    def answer(method, _, params):
        return 200, {rows: there[params[start] : params[start] + params[size]]}

    datadog, replies = client(answer)
    listed = datadog.everything(kind)
    assert [(id_, body["n"]) for id_, body in listed] == [(str(row["id"]), row["n"]) for row in there]
    starts = [0] if rest < 0 else [0, most]
    assert replies.asked == [("GET", path, {size: most, start: at}) for at in starts]


@pytest.mark.parametrize("kind", PAGES)
def test_a_server_that_knows_no_pages_is_not_asked_for_ever(kind):
    _, rows, _, _, most = PAGES[kind]
    datadog, replies = client((200, {rows: [{"id": number, "attributes": {}} for number in range(most)]}))
    assert len(datadog.everything(kind)) == most
    assert len(replies.asked) == 2


def test_a_list_without_pages_is_asked_for_once():
    datadog, replies = client((200, [{"id": 1}, {"id": 2}]))
    assert [id_ for id_, _ in datadog.everything("monitor")] == ["1", "2"]
    assert len(replies.asked) == 1


def test_a_cancelled_downtime_is_not_there():
    rows = [
        {"id": "a", "attributes": {"canceled": None}},
        {"id": "b", "attributes": {"canceled": "2026-01-01"}},
    ]
    assert client((200, {"data": rows}))[0].everything("downtime") == [("a", {"canceled": None})]


def test_a_list_that_is_refused_names_the_kind_and_the_reason():
    with pytest.raises(InputError, match="Datadog does not list its slos: no such scope"):
        client((400, {"errors": ["no such scope"]}))[0].everything("slo")


SINGLE = [
    ("monitor", "v1/monitor", lambda body: {"id": 7, **body}, "PUT"),
    ("slo", "v1/slo", lambda body: {"data": {"id": "7", **body}}, "PUT"),
    ("slo", "v1/slo", lambda body: {"data": [{"id": "7", **body}], "errors": []}, "PUT"),
    ("dashboard", "v1/dashboard", lambda body: {"id": "7", **body}, "PUT"),
    ("downtime", "v2/downtime", lambda body: {"data": {"id": "7", "attributes": body}}, "PATCH"),
]


@pytest.mark.parametrize(("kind", "path", "wrap", "method"), SINGLE)
def test_each_kind_is_read_and_written_at_its_route(kind, path, wrap, method):
    body = {"message": "m"}
    datadog, replies = client((200, wrap(body)))
    assert datadog.get(kind, "7")["message"] == "m"
    assert datadog.create(kind, body) == "7"
    datadog.update(kind, "7", body)
    datadog.delete(kind, "7")
    assert [(verb, route) for verb, route, _ in replies.asked] == [
        ("GET", f"{path}/7"),
        ("POST", path),
        (method, f"{path}/7"),
        ("DELETE", f"{path}/7"),
    ]
    plain = kind != "downtime"
    created = body if plain else {"data": {"type": "downtime", "attributes": body}}
    updated = body if plain else {"data": {"type": "downtime", "id": "7", "attributes": body}}
    assert replies.bodies == [None, created, updated, None]


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (400, {"errors": ["The value is invalid"]}, (400, "The value is invalid")),
        (400, {"errors": ["a", "b"]}, (400, "a; b")),
        (404, {"errors": ["Monitor not found"]}, (404, "Monitor not found")),
        (404, {"errors": [{"title": "x", "detail": "Downtime Not Found"}]}, (404, "Downtime Not Found")),
        (400, {"errors": [{"title": "x"}]}, (400, "{'title': 'x'}")),
        (409, {"errors": {"7": "used by 9"}}, (409, "used by 9")),
        (409, {"errors": {"7": ["used by 9", "and 8"]}}, (409, "used by 9; and 8")),
        (400, {"errors": []}, (400, "HTTP 400")),
        (400, {"errors": None}, (400, "HTTP 400")),
    ],
)
def test_an_answer_with_errors_is_a_refusal_with_its_reasons(status, answer, expected):
    with pytest.raises(RejectedError) as caught:
        client((status, answer))[0].get("monitor", "7")
    assert (caught.value.status, str(caught.value)) == expected


@pytest.mark.parametrize("answer", [{"errors": ["Forbidden"]}, {"code": 403, "errors": ["no"]}])
def test_refused_keys_are_the_users_to_correct(answer):
    with pytest.raises(InputError, match=r"refuses the keys \(403\)"):
        client((403, answer))[0].get("monitor", "7")


def test_an_answer_that_is_not_json_names_the_address_without_its_password_and_is_cut():
    replies = Replies(lambda *_: (200, b"<html>" + b"x" * 500))
    replies.request, request = (
        lambda method, url, *rest, **more: request(method, URL, *rest, **more),
        replies.request,
    )
    with pytest.raises(InputError) as caught:
        Client("http://u:hunter2@host", "k", "a", replies).get("monitor", "7")
    assert caught.value.message.startswith("http://***@host does not answer like Datadog: Invalid JSON")
    assert len(caught.value.message) == len("http://***@host does not answer like Datadog: ") + 120


def test_what_is_gone_already_need_not_be_deleted():
    client((404, {"errors": ["Monitor not found"]}))[0].delete("monitor", "7")
    with pytest.raises(RejectedError):
        client((400, {"errors": ["in use"]}))[0].delete("monitor", "7")


def test_datadog_is_asked_which_monitors_may_be_deleted():
    datadog, replies = client((200, {"data": {"ok": [1, 2]}, "errors": None}))
    assert datadog.undeletable([]) == {}
    assert replies.asked == []
    assert datadog.undeletable(["1", "2"]) == {}
    assert replies.asked == [("GET", "v1/monitor/can_delete", {"monitor_ids": "1,2"})]
    used = client((409, {"errors": {"1": ["[1] is used by 9"]}}))[0]
    assert used.undeletable(["1"]) == {"1": "[1] is used by 9"}
    gone = client((404, {"errors": ["Monitor not found"]}))[0]
    assert gone.undeletable(["1"]) == {}
    with pytest.raises(RejectedError):
        client((400, {"errors": ["wrong"]}))[0].undeletable(["1"])


def test_points_are_the_series_of_a_query_between_two_times():
    datadog, replies = client((200, {"series": [{"pointlist": [[1, 2]]}]}))
    assert datadog.points("avg:a{*}", 10, 20) == [{"pointlist": [[1, 2]]}]
    assert replies.asked == [("GET", "v1/query", {"query": "avg:a{*}", "from": 10, "to": 20})]
    assert client((200, {}))[0].points("avg:a{*}", 10, 20) == []


@pytest.mark.parametrize(
    ("kind", "rows", "name"), [("monitor", None, "name"), ("dashboard", "dashboards", "title"),
                               ("slo", "data", "name")],
)  # fmt: skip
def test_a_search_looks_at_names_and_titles_in_any_case(kind, rows, name):
    bodies = [{"id": 1, name: "Load IS high"}, {"id": 2, name: "other"}, {"id": 3, name: None}, {"id": 4}]
    datadog, _ = client((200, {rows: bodies} if rows else bodies))
    assert [id_ for id_, _ in datadog.search(kind, "is HIGH")] == ["1"]


def test_a_search_for_a_downtime_looks_at_its_message():
    rows = [{"id": "a", "attributes": {"message": "Night"}}, {"id": "b", "attributes": {"name": "Night"}}]
    assert [id_ for id_, _ in client((200, {"data": rows}))[0].search("downtime", "nigh")] == ["a"]


# --- what belongs to a project


def account(*rows):
    """Answers of an account that holds (kind, id, body)."""

    def answer(method, path, params):
        version, kind, *rest = path.split("/")
        if rest:
            for other, id_, body in rows:
                if (other, id_) == (kind, rest[0]):
                    return 200, {"id": id_, **body}
            return 404, {"errors": [f"{kind} not found"]}
        there = [
            {"id": id_, "attributes": body} if version == "v2" else {"id": id_, **body}
            for other, id_, body in rows
            if other == kind
        ]
        return 200, {
            "slo": {"data": there},
            "downtime": {"data": there},
            "dashboard": {"dashboards": there},
        }.get(kind, there)

    return answer


def marked(kind, key, project="p", env="prod"):
    return with_marker(kind, {"name": key, "title": key}, Owner(project, env, key, "0" * 12))


ROWS = (
    ("monitor", "1", marked("monitor", "own")),
    ("monitor", "2", marked("monitor", "other-env", env="dev")),
    ("monitor", "3", marked("monitor", "other-project", project="q")),
    ("monitor", "4", {"name": "nobody's", "message": ""}),
    ("dashboard", "abc", marked("dashboard", "board")),
    ("slo", "s", marked("slo", "goal")),
    ("downtime", "d", marked("downtime", "night")),
)


def test_a_project_owns_what_carries_its_marker_and_takes_over_what_its_files_name():
    """docs/deploy.md: whatever has no such line, or another project's, is never touched."""
    datadog, replies = client(account(*ROWS))
    files = [Resource("monitor", "taken", {"name": "x"}, "4"), Resource("monitor", "own", {}, "1")]
    resources, others = owned(datadog, "p", "prod", files)
    assert [(item.kind, item.key, item.id) for item in resources] == [
        ("monitor", "own", "1"),
        ("slo", "goal", "s"),
        ("dashboard", "board", "abc"),
        ("downtime", "night", "d"),
        ("monitor", "taken", "4"),
    ]
    assert resources[-1].body["name"] == "nobody's"
    assert [(item.kind, item.owner.env, item.body["name"]) for item in others] == [
        ("monitor", "dev", "other-env")
    ]
    # A list of dashboards only sums them up.
    assert [path for _, path, _ in replies.asked if path.count("/") == 2] == [
        "v1/dashboard/abc",
        "v1/monitor/4",
    ]


def test_an_id_in_a_file_that_names_nothing_is_said_with_the_file():
    with pytest.raises(InputError) as caught:
        owned(client(account())[0], "p", "prod", [Resource("monitor", "m", {}, "9")])
    assert str(caught.value).startswith(
        "monitors/m.json: there is no monitor 9 to take over: monitor not found\n"
    )


# --- keys and addresses


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"])
def test_an_embedded_datadog_needs_no_keys(url):
    assert connect({"DD_URL": url}).url == url
    assert connect({"DD_URL": url, "DD_SITE": "datadoghq.eu"}).url == url


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, "DD_API_KEY and DD_APP_KEY must be set"),
        ({"DD_API_KEY": "k"}, "DD_APP_KEY must be set"),
        ({"DD_APP_KEY": "k", "DD_API_KEY": ""}, "DD_API_KEY must be set"),
        ({"DD_URL": "https://example.com"}, "DD_API_KEY and DD_APP_KEY must be set"),
    ],
)
def test_elsewhere_both_keys_are_asked_for_by_name(environ, missing):
    with pytest.raises(InputError) as caught:
        connect(environ)
    assert caught.value.message.startswith(missing)


def test_a_session_without_keys_sends_what_an_embedded_datadog_takes():
    import datadog

    connect({"DD_URL": "http://127.0.0.1:1"})
    assert (datadog.api._api_key, datadog.api._application_key) == ("local", "local")
    connect({"DD_API_KEY": "k", "DD_APP_KEY": "a"})
    assert (datadog.api._api_key, datadog.api._application_key) == ("k", "a")
    # The name is given, so the library does not look for the machine's own.
    assert datadog.api._host_name == "stepscope"


def test_a_folder_without_files_is_refused_before_anything_is_asked(tmp_path):
    with pytest.raises(InputError, match="there are no dashboards, monitors, SLOs or downtimes in"):
        open_session(tmp_path, "", {"DD_URL": "http://127.0.0.1:1"})


def test_a_reference_to_nothing_is_refused_before_the_keys_are_looked_at(tmp_path):
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors/m.json").write_text(
        json.dumps({"type": "query alert", "name": "M", "query": "a", "message": "${dashboard:none}"})
    )
    with pytest.raises(InputError, match="names no dashboard of this project"):
        open_session(tmp_path, "", {})


@pytest.mark.parametrize("asked", [("prod", {}), ("", {"DD_ENV": "prod"}), ("prod", {"DD_ENV": "dev"})])
def test_the_environment_is_the_options_or_that_of_dd_env(tmp_path, asked, monkeypatch):
    env, environ = asked
    opened = []
    monkeypatch.setattr("monitoring.deploy.session.connect", lambda environ: client(account(*ROWS))[0])
    (tmp_path / "stepscope.toml").write_text('project = "p"\n')
    opened = open_session(tmp_path, env, environ, destroy=True)
    assert (opened.project.name, opened.project.env, opened.desired) == ("p", "prod", [])
    assert [step.key for step in opened.plan.delete] == ["own", "goal", "board", "night"]
    assert opened.plan.steps == opened.plan.delete
    assert opened.twins == []
