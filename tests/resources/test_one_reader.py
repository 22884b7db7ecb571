"""A file that cannot be used is refused by every command at the same place and with the same words."""

import json

import pytest
from asgi import Client

from monitoring.cli import main
from monitoring.local_datadog import create_app
from monitoring.serve.pages import page_routes
from monitoring.store import Store

QUERY = "sum(last_5m):sum:aws.states.executions_failed{*}.as_count() > 0"
MONITOR = {
    "name": "Failed executions",
    "type": "query alert",
    "query": QUERY,
    "message": "Look at it. @slack-ops",
    "options": {"thresholds": {"critical": 0}},
}
DASHBOARD = {"title": "Pipeline", "layout_type": "ordered", "widgets": []}
BODIES = {"monitor": MONITOR, "dashboard": DASHBOARD}
CASE = {
    "start": "2026-03-02T08:00:00Z",
    "until": "20m",
    "tests": [
        {
            "name": "no failure",
            "series": [{"metric": "aws.states.executions_failed", "type": "count", "values": "0x20"}],
            "expect": [{"never": "Alert"}],
        }
    ],
}


def text_of(body):
    return json.dumps(body, indent=2)


UNUSABLE = {
    "trailing comma": lambda text: text[:-2] + ",\n}",
    "key named twice": lambda text: text[:-2] + ',\n  "layout_type": "free",\n  "layout_type": "ordered"\n}',
    "nested key named twice": lambda text: text[:-2] + ',\n  "x": [{"a": 1, "a": 2}]\n}',
    "comment": lambda text: "// ours\n" + text,
    "NaN": lambda text: text[:-2] + ',\n  "x": NaN\n}',
    "cut off": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "list": lambda text: f"\n [{text}]",
    "string": lambda text: '  "a dashboard"',
    "UTF-16": lambda text: text.encode("utf-16"),
    "not UTF-8": lambda text: b'{"title": "\xff"}',
    "nested too deeply": lambda text: "[" * 100_000,
}

USABLE = {
    "byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "one line": lambda text: json.dumps(json.loads(text)),
    "wrapped": lambda text: (
        f'{{"version": 2, "title": "as assets of integrations are", "definition": {text}}}'
    ),
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("DD_API_KEY", "DD_APP_KEY", "DD_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(
        "DD_URL", "http://127.0.0.1:9"
    )  # nothing answers: files are read before Datadog is asked
    return tmp_path


def write(project, kind, content):
    path = project / f"{kind}s" / "watched.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if kind == "monitor":
        (path.parent / "watched.test.yaml").write_text(json.dumps(CASE))
    return path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    printed = capsys.readouterr()
    return ended.value.code, printed.out + printed.err


def page(project, kind):
    with Store.open() as store:
        client = Client(create_app(store, routes=page_routes(store, project)), base_url="http://127.0.0.1")
        return client.get(f"/{kind}s/watched").text


def commands(kind):
    yield from (("plan",), ("apply", "--yes"), ("export", "terraform"), ("preview", "--format", "svg"))
    if kind == "monitor":
        yield from (("test", "monitors"), ("backtest", "watched", "--data", "series.json"))


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("variant", UNUSABLE)
def test_a_file_that_cannot_be_used_is_refused_alike_everywhere(project, capsys, kind, variant):
    (project / "dashboards").mkdir(exist_ok=True)
    (project / "dashboards" / "good.json").write_text(text_of(DASHBOARD))
    write(project, kind, UNUSABLE[variant](text_of(BODIES[kind])))
    status, printed = run(capsys, "lint", f"{kind}s/watched.json", "--json")
    assert status == 1
    finding = next(each for each in json.loads(printed)["findings"] if each["severity"] == "error")
    place = f"{kind}s/watched.json:{finding['line']}:{finding['column']}: "
    message = finding["message"].split(". ")[0]
    for command in commands(kind):
        status, printed = run(capsys, *command)
        assert (status, place in printed, message in printed) == (2, True, True), (command, printed)
    assert (project / "previews" / "good.svg").is_file()
    shown = page(project, kind)
    assert place in shown and message.replace("'", "&#x27;") in shown


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("variant", USABLE)
def test_how_a_file_is_written_does_not_change_what_it_says(project, capsys, kind, variant):
    write(project, kind, text_of(BODIES[kind]))
    expected = [run(capsys, *command) for command in (("lint", "--json"), ("export", "terraform"))]
    write(project, kind, USABLE[variant](text_of(BODIES[kind])))
    status, printed = run(capsys, "lint", "--json")
    findings = [each["rule"] for each in json.loads(printed)["findings"]]
    assert (status, findings) == (
        expected[0][0],
        [each["rule"] for each in json.loads(expected[0][1])["findings"]],
    )
    assert run(capsys, "export", "terraform") == expected[1]
    if kind == "monitor":
        status, printed = run(capsys, "test", "monitors")
        assert "1 passed" in printed, printed
    assert BODIES[kind].get("title", BODIES[kind].get("name")) in page(project, kind)


def test_a_finding_in_a_wrapped_file_is_placed_in_its_definition(project, capsys):
    wrong = {**MONITOR, "query": QUERY.replace("executions_failed", "executions_flailed")}
    path = write(project, "monitor", text_of({"version": 2, "definition": wrong}))
    _, printed = run(capsys, "lint", "monitors/watched.json", "--json")
    finding = next(each for each in json.loads(printed)["findings"] if each["rule"] == "unknown-metric")
    line = path.read_text().splitlines()[finding["line"] - 1]
    assert line[finding["column"] - 1 :].startswith("aws.states.executions_flailed")
    assert finding["pointer"] == "/definition/query"


@pytest.mark.parametrize(
    ("make", "said"), [("mkdir", "the file cannot be read: Is a directory"), ("link", "No such file")]
)
def test_what_is_not_a_readable_file_is_one_sentence_everywhere(project, capsys, make, said):
    (project / "dashboards").mkdir()
    path = project / "dashboards" / "watched.json"
    path.mkdir() if make == "mkdir" else path.symlink_to("nowhere")
    for command in (("lint",), *commands("dashboard")):
        status, printed = run(capsys, *command)
        assert status in {1, 2} and said in printed and "is cannot" not in printed, (command, printed)
