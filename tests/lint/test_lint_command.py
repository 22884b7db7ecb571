"""stepscope lint: exit statuses, outputs, and a bad file that never costs the good one beside it."""

import json

import pytest

from monitoring.cli import main

GOOD = {
    "name": "Load",
    "type": "query alert",
    "query": "avg(last_5m):avg:system.load.1{*} > 5",
    "message": "High. @slack-ops",
}
BAD = {**GOOD, "name": "Bad", "options": {"thresholds": {"critical": 6}}}
WARNED = {**GOOD, "name": "Warned", "message": "Nobody is told."}


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "monitors").mkdir()
    monkeypatch.chdir(tmp_path)

    def put(**files):
        for name, body in files.items():
            text = body if isinstance(body, str | bytes) else json.dumps(body, indent=2) + "\n"
            data = text if isinstance(text, bytes) else text.encode()
            (tmp_path / "monitors" / f"{name}.json").write_bytes(data)
        return tmp_path / "monitors"

    return put


def run(capsys, *argv):
    with pytest.raises(SystemExit) as stopped:
        main(["lint", *argv])
    shown = capsys.readouterr()
    return int(stopped.value.code or 0), shown.out, shown.err


@pytest.mark.parametrize(
    ("files", "argv", "status"),
    [
        ({"good": GOOD}, (), 0),
        ({"warned": WARNED}, (), 0),
        ({"warned": WARNED}, ("--strict",), 1),
        ({"bad": BAD}, (), 1),
        ({"bad": BAD}, ("--ignore", "threshold-mismatch"), 0),
        ({"bad": BAD}, ("--select", "missing-handle"), 0),
        ({"broken": "{"}, (), 1),
        ({"latin": b'{"name": "\xe4"}'}, (), 1),
        ({"good": GOOD}, ("nowhere",), 2),
        ({"good": GOOD}, ("--select", "treshold-mismatch"), 2),
        ({"good": GOOD}, ("--coverage",), 1),
    ],
)
def test_the_exit_status_says_what_was_found(project, capsys, files, argv, status):
    project(**files)
    assert run(capsys, *argv)[0] == status


def test_a_file_that_cannot_be_read_never_costs_the_others(project, capsys):
    project(a="[1,", b=BAD, c=b"\xff\xfe", d="null", e='{"name": ' + "[" * 5000)
    status, out, err = run(capsys, "--json")
    assert status == 1
    assert not err
    found = {row["path"].rpartition("/")[2]: row["rule"] for row in json.loads(out)["findings"]}
    assert found == {
        "a.json": "json-syntax",
        "b.json": "threshold-mismatch",
        "c.json": "json-syntax",
        "d.json": "unknown-kind",
        "e.json": "json-syntax",
    }


def test_a_path_that_does_not_exist_is_named_and_the_rest_is_checked(project, capsys):
    project(bad=BAD)
    status, out, err = run(capsys, "monitors", "monitor")
    assert status == 2
    assert "threshold-mismatch" in out
    assert "monitor: there is no such file or folder" in err


def test_without_folders_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys)
    assert status == 2
    assert "neither dashboards/ nor monitors/" in err


def test_json_has_findings_of_rule_severity_path_line_column_message(project, capsys):
    project(bad=BAD)
    _, out, _ = run(capsys, "--json")
    (row,) = json.loads(out)["findings"]
    assert {key: row[key] for key in ("rule", "severity", "path", "line", "column")} == {
        "rule": "threshold-mismatch",
        "severity": "error",
        "path": "monitors/bad.json",
        "line": 8,
        "column": 19,
    }
    assert row["message"] == "critical is 6, but the query compares with 5. Make them the same"
    assert row["pointer"] == "/options/thresholds/critical"


def test_sarif_has_the_rules_and_the_regions(project, capsys):
    project(bad=BAD)
    _, out, _ = run(capsys, "--format", "sarif")
    log = json.loads(out)
    (one,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in one["tool"]["driver"]["rules"]] == ["threshold-mismatch"]
    (result,) = one["results"]
    assert result["level"] == "error"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "monitors/bad.json"
    assert place["region"] == {"startLine": 8, "startColumn": 19, "endLine": 8, "endColumn": 20}


@pytest.mark.parametrize("absolute", [False, True])
def test_a_path_in_sarif_is_a_uri_reference_below_the_working_folder(project, capsys, absolute):
    folder = project(bad=BAD)
    (folder / "bad.json").rename(folder / "ä b.json")
    argument = str(folder) if absolute else "monitors"
    (result,) = json.loads(run(capsys, "--format", "sarif", argument)[1])["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "monitors/%C3%A4%20b.json"


def test_github_annotations_are_escaped(project, capsys):
    project(bad={**BAD, "name": "100 %"}, twin={**GOOD, "name": "100 %"})
    _, out, _ = run(capsys, "--format", "github")
    lines = out.splitlines()
    assert lines[0] == (
        "::error file=monitors/bad.json,line=8,endLine=8,col=19,endColumn=20,title=threshold-mismatch"
        "::critical is 6, but the query compares with 5. Make them the same"
    )
    assert "'100 %25'" in lines[1]


def test_fix_mends_what_is_safe_and_the_rest_is_reported(project, capsys):
    folder = project(bad={**BAD, "id": 1, "message": "Nobody."})
    status, out, err = run(capsys, "--fix", "--json")
    assert status == 0
    assert "fixed 2 places in 1 file" in err
    assert [row["rule"] for row in json.loads(out)["findings"]] == ["missing-handle"]
    assert json.loads((folder / "bad.json").read_text("utf-8"))["options"]["thresholds"]["critical"] == 5


def test_more_processes_find_the_same(project, capsys):
    project(**{f"m{number}": BAD if number % 3 else WARNED for number in range(90)})
    assert run(capsys, "--json", "--jobs", "1") == run(capsys, "--json", "--jobs", "3")


def test_the_coverage_is_printed_and_as_data(project, capsys):
    project(good=GOOD)
    assert "Coverage of the metrics of Lambda and Step Functions" in run(capsys)[1]
    rows = json.loads(run(capsys, "--coverage", "--json")[1])["metrics"]
    assert len(rows) == 191
    assert rows[0]["gap"] == "on no dashboard"


def test_the_rules_are_listed(project, capsys):
    project(good=GOOD)
    status, out, _ = run(capsys, "--rules", "--json")
    assert status == 0
    assert {"rule", "severity", "summary"} == set(json.loads(out)["rules"][0])
