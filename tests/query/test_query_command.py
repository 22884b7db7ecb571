"""`stepscope query` answers from files of every form, and says what it could not use."""

import json

import duckdb
import numpy as np
import pytest
from query_cases import START

from monitoring.cli import main
from monitoring.errors import InputError
from monitoring.local_datadog import LocalDatadog
from monitoring.query import datafile
from monitoring.query.datafile import load
from monitoring.query.series import Series
from monitoring.query.times import moment

V1 = {
    "series": [
        {
            "metric": "slides",
            "type": "count",
            "interval": 60,
            "tags": ["Talk:A"],
            "host": "h",
            "points": [[START, 1], [START + 60.4, 4]],
        },
        {"metric": "slides", "type": "count", "tags": ["talk:b"], "points": [[START, 3]]},
    ]
}
V2 = {
    "series": [
        {
            "metric": "m",
            "type": 3,
            "resources": [{"type": "host", "name": "h"}],
            "points": [{"timestamp": START, "value": 2}],
        }
    ]
}
ANSWER = {
    "status": "ok",
    "series": [
        {"metric": "m", "tag_set": ["a:b"], "interval": 60, "pointlist": [[START * 1000.0, 5.0], [0, None]]}
    ],
}
DISTRIBUTION = {"series": [{"metric": "d", "points": [[START, [1, 1, 2]]]}]}
ROWS = (
    'metric,timestamp,value,type,tags,host\nm,{0},1.5,gauge,"env:prod,az:a",h1\nm,{1},3,gauge,env:prod,h1\n'
)


def run(capsys, *argv):
    with pytest.raises(SystemExit) as ended:
        main(["query", *argv])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "points.json"
    file.write_text(json.dumps(V1))
    return str(file)


def test_the_answer_is_a_table_for_people(capsys, data):
    status, out, err = run(capsys, "sum:slides{*} by {talk}.as_count()", "--data", data, "--interval", "60")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "time (UTC)           talk:a  talk:b",
        "2023-11-14 22:20:00       1       3",
        "2023-11-14 22:21:00       4       -",
    ]


def test_the_answer_is_that_of_the_api_for_scripts(capsys, data):
    status, out, _ = run(
        capsys,
        "sum:slides{talk:a}",
        "--data",
        data,
        "--from",
        str(START),
        "--to",
        str(START + 3600),
        "--json",
    )
    answer = json.loads(out)
    assert status == 0
    assert (answer["status"], answer["from_date"], answer["group_by"]) == ("ok", START * 1000, [])
    assert answer["series"][0]["pointlist"] == [[START * 1000, 1], [(START + 60) * 1000, 4]]
    assert answer["series"][0]["interval"] == 20


def test_a_plot_is_drawn_when_it_is_asked_for(capsys, data):
    _, out, _ = run(capsys, "sum:slides{*}", "--data", data, "--plot")
    assert "└───" in out
    _, out, _ = run(capsys, "sum:slides{*}", "--data", data)
    assert "└───" not in out


def test_a_formula_names_its_queries_and_variables(capsys, data):
    argv = ["a / b", "--let", "a=sum:slides{$talk}.as_count()", "--let", "b=sum:slides{*}.as_count()"]
    status, out, _ = run(capsys, *argv, "--var", "talk=talk:a", "--data", data, "--interval", "60")
    assert status == 0
    assert out.splitlines()[1].split()[-1] == "0.25"


def test_an_open_point_can_be_decided(capsys, data):
    argv = ["avg:slides{talk:a}", "--data", data, "--interval", "300"]
    assert run(capsys, *argv)[1].split()[-1] == "2.5"
    assert run(capsys, *argv, "--switch", "count_rollup=sum")[1].split()[-1] == "5"


REFUSED = [
    (["avg:slides{*"], "the scope ends too early"),
    (["anomalies(sum:slides{*}, 'basic', 2)"], "anomalies cannot be evaluated offline"),
    (["sum:slides{*}", "--from", "yesterday"], "'yesterday' is not a valid time"),
    (["sum:slides{*}", "--from", "20", "--to", "10"], "the window ends before it starts"),
    (["sum:slides{*}", "--switch", "joins=equal"], "Did you mean join?"),
    (["sum:slides{*}", "--switch", "join=any"], "is not a value of the switch join: write equal or shared"),
    (["sum:slides{*}", "--let", "a"], "'a' is not of the form NAME=VALUE"),
    (["sum:slides{$env}"], "--var env=*"),
    (["a"], "no query is named 'a'"),
]


@pytest.mark.parametrize(("argv", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_cannot_be_answered_ends_with_status_2_and_says_why(capsys, data, argv, message):
    status, out, err = run(capsys, *argv, "--data", data)
    assert (status, out) == (2, "")
    assert message in err


def test_a_metric_that_the_data_lacks_is_named_with_its_nearest(capsys, data):
    status, out, err = run(capsys, "avg:slide{*}", "--data", data)
    assert (status, out) == (0, "no points between 2023-11-14 22:20:00 and 2023-11-14 22:21:00\n")
    assert "the data has no metric slide: did you mean slides?" in err


def test_a_bad_line_costs_no_good_one_and_status_1(capsys, tmp_path):
    file = tmp_path / "points.jsonl"
    good = json.dumps({"metric": "m", "timestamp": START, "value": 2, "tags": "a:b"})
    file.write_text(f"{good}\nnot json\n\n{json.dumps({'metric': 'm', 'timestamp': 'x', 'value': 1})}\n")
    status, out, err = run(capsys, "avg:m{a:b}", "--data", str(file))
    assert status == 1
    assert out.splitlines()[1].split()[-1] == "2"
    assert f"{file}:2:1: the line is not valid JSON" in err
    assert f"{file}:4: 'x' is not a valid time" in err


def write(folder, name, text):
    file = folder / name
    if name.endswith(".parquet"):
        duckdb.sql(
            f"COPY (SELECT 'm' AS metric, epoch_ms({START}000::BIGINT) AS time, 1.5 AS value,"
            " ['Env:prod'] AS tags)"
            f" TO '{file}' (FORMAT parquet)"
        )
    else:
        file.write_text(text)
    return file


FILES = [
    (
        "v1.json",
        json.dumps(V1),
        [("slides", ("talk:a",), "count", "h", 60, [1, 4]), ("slides", ("talk:b",), "count", "", None, [3])],
    ),
    ("v2.json", json.dumps(V2), [("m", (), "gauge", "h", None, [2])]),
    ("answer.json", json.dumps(ANSWER), [("m", ("a:b",), "gauge", "", 60, [5])]),
    ("d.json", json.dumps(DISTRIBUTION), [("d", (), "distribution", "", None, [1, 1, 2])]),
    ("list.json", json.dumps(V1["series"][1:]), [("slides", ("talk:b",), "count", "", None, [3])]),
    (
        "bodies.jsonl",
        json.dumps(V2) + "\n" + json.dumps(DISTRIBUTION),
        [("d", (), "distribution", "", None, [1, 1, 2]), ("m", (), "gauge", "h", None, [2])],
    ),
    (
        "rows.csv",
        ROWS.format(START, "2023-11-14T22:21:00Z"),
        [
            ("m", ("az:a", "env:prod"), "gauge", "h1", None, [1.5]),
            ("m", ("env:prod",), "gauge", "h1", None, [3]),
        ],
    ),
    (
        "ms.csv",
        f"metric,time,value\nm,{START}000,1\nm,{START}900,2\n",
        [("m", (), "gauge", "", None, [1, 2])],
    ),
    ("rows.parquet", "", [("m", ("env:prod",), "gauge", "", None, [1.5])]),
]


@pytest.mark.parametrize(("name", "text", "wanted"), FILES, ids=[name for name, _, _ in FILES])
def test_series_are_read_from_every_form_of_file(tmp_path, name, text, wanted):
    loaded = load(write(tmp_path, name, text))
    found = [
        (each.metric, each.tags, each.type, each.host, each.interval, each.values.tolist())
        for each in loaded.series
    ]
    assert found == wanted
    assert loaded.problems == []
    assert int(loaded.series[0].times[0]) == START


def test_a_later_point_of_one_second_replaces_the_earlier(tmp_path):
    file = tmp_path / "m.csv"
    file.write_text(f"metric,time,value\nm,{START},1\nm,{START + 60},5\nm,{START},2\n")
    assert load(file).series[0].values.tolist() == [2, 5]


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet"])
def test_a_file_of_more_rows_than_memory_holds_is_refused_before_they_are_read(tmp_path, monkeypatch, form):
    import duckdb

    monkeypatch.setattr(datafile, "MOST_ROWS", 100_000)
    monkeypatch.setattr(datafile, "seconds", lambda time: pytest.fail("a row beyond the limit is read"))
    rows = "SELECT 'm' AS metric, range AS time, 1 AS value FROM range(100001)"
    file = tmp_path / f"m.{form}"
    how = {"parquet": "FORMAT parquet", "csv": "HEADER", "tsv": "HEADER, DELIMITER '\t'"}[form]
    duckdb.connect().execute(f"COPY ({rows}) TO '{file}' ({how})")
    if form != "parquet":  # which does not say how many rows it has
        monkeypatch.setattr(datafile, "seconds", lambda time: None)
    with pytest.raises(InputError) as refused:
        load(file)
    assert refused.value.message == "the file has more than 100,000 rows, the most that are read into memory"
    assert refused.value.where == str(file)
    assert f"COPY (FROM 'm.{form}'" in refused.value.hint


def test_as_many_rows_as_memory_holds_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(datafile, "MOST_ROWS", 2)
    file = tmp_path / "m.csv"
    file.write_text(f"metric,time,value\nm,{START},1\nm,{START + 60},5\n")
    assert load(file).series[0].values.tolist() == [1, 5]


def test_json_of_more_bytes_than_memory_holds_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "m.json"
    file.write_text(f'{{"metric": "m", "points": [[{START}, 2]]}}')
    monkeypatch.setattr(datafile, "MOST_BYTES", file.stat().st_size)
    assert len(load(file).series) == 1
    monkeypatch.setattr(datafile, "MOST_BYTES", file.stat().st_size - 1)
    with pytest.raises(InputError, match="bytes of JSON, the most"):
        load(file)


def test_problems_are_listed_up_to_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(datafile, "MOST_PROBLEMS", 3)
    file = tmp_path / "m.csv"
    file.write_text(f"metric,time,value\nm,{START},1\n" + "m,never,1\n" * 9)
    problems = [each.message for each in load(file).problems]
    assert problems == ["'never' is not a valid time: seconds since the epoch, or ISO 8601"] * 3 + [
        "further invalid points are not listed"
    ]


ASKED = (
    "sum:slides{*}.as_count()",
    "avg:slides{*} by {talk}",
    "sum:slides{talk:a}.as_count() * 2",
    "avg:nothing{*}",
)


@pytest.fixture(scope="module")
def server():
    with LocalDatadog() as datadog:
        datadog.store.add_points(
            [
                Series(
                    "slides",
                    (f"talk:{talk}",),
                    np.array([START, START + 60]),
                    np.array([value, 4.0]),
                    "count",
                    60,
                )
                for talk, value in (("a", 1.0), ("b", 3.0))
            ]
        )
        yield datadog.url


@pytest.mark.parametrize("query", ASKED)
def test_a_running_server_gives_the_answer_of_its_database(server, tmp_path, capsys, query):
    points = [[START, 1.0], [START + 60, 4.0]], [[START, 3.0], [START + 60, 4.0]]
    series = [
        {"metric": "slides", "type": "count", "interval": 60, "tags": [f"talk:{talk}"], "points": rows}
        for talk, rows in zip("ab", points, strict=True)
    ]
    (tmp_path / "same.json").write_text(json.dumps({"series": series}))
    span = ("--from", str(START - 60), "--to", str(START + 120))
    of_file = run(capsys, query, "--data", str(tmp_path / "same.json"), "--json", *span)
    of_server = run(capsys, query, "--url", server, "--json", *span)
    assert of_server[0] == of_file[0] == 0
    assert json.loads(of_server[1]) == json.loads(of_file[1])
    assert (
        run(capsys, query, "--url", server, *span)[1]
        == run(capsys, query, "--data", str(tmp_path / "same.json"), *span)[1]
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "one of --data and --url is needed"),
        (("--data", "x.json", "--url", "http://127.0.0.1:9"), "one of --data and --url is needed"),
        (("--url", "http://127.0.0.1:9", "--interval", "60"), "need --data"),
        (("--url", "http://127.0.0.1:9", "--let", "a=avg:b{*}"), "need --data"),
        (("--url", "http://127.0.0.1:9"), "no answer to GET http://127.0.0.1:9/api/v1/query"),
    ],
)
def test_what_cannot_be_asked_is_said(capsys, arguments, said):
    status, _, told = run(capsys, "avg:m{*}", *arguments)
    assert status == 2
    assert said in told


UNREADABLE = [
    ("m.json", '{"series": [', "not valid JSON"),
    ("m.json", "", "not valid JSON"),
    ("m.json", "{}", "the metric has no name"),
    ("m.json", "[" * 100_000, "nested too deeply"),
    ("m.jsonl", '{"a":' * 100_000, "nested too deeply"),
    ("m.jsonl", "{}\n" + "[" * 100_000, "the metric has no name"),
    ("m.csv", "a,b\n1,2\n", "there is no column for metric and time and value (found: a, b)"),
    ("m.parquet", "not parquet", "the file cannot be read"),
    ("m.json", '{"metric": "m", "type": "guage", "points": [[1, 2]]}', "'guage' is not a type of a metric"),
]


@pytest.mark.parametrize(
    ("name", "text", "message"), UNREADABLE, ids=[f"{name}-{text[:9]}" for name, text, _ in UNREADABLE]
)
def test_a_file_without_any_point_is_refused(tmp_path, name, text, message):
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(InputError) as refused:
        load(file)
    assert message in str(refused.value)


TIMES = [
    ("1700000400", START),
    ("1700000400000", START),
    ("2023-11-14T22:20:00Z", START),
    ("2023-11-14T22:20:00", START),
    ("2023-11-14T23:20:00+01:00", START),
    ("now", 5000),
    ("-1h", 1400),
    ("-1.5m", 4910),
]


@pytest.mark.parametrize(("text", "seconds"), TIMES, ids=[text for text, _ in TIMES])
def test_a_time_is_written_in_several_ways(text, seconds):
    assert moment(text, 5000) == seconds


GAP = [(0, 11), (60, 13), (540, 19)]


def gap(tmp_path, *more, kind="gauge"):
    rows = [(START + at, value) for at, value in GAP]
    body = {"series": [{"metric": "m", "type": kind, "interval": 60, "points": rows, "tags": ["a:b"]}, *more]}
    path = tmp_path / "gap.json"
    path.write_text(json.dumps(body))
    return str(path), "--from", str(START), "--to", str(START + 599), "--interval", "60"


OTHER = {
    "metric": "m",
    "type": "gauge",
    "tags": ["a:c"],
    "points": [[START + 60 * at, 10] for at in range(10)],
}


@pytest.mark.parametrize(
    ("query", "more", "options", "switches"),
    [
        ("sum:m{*}", [OTHER], (), ["long_gaps: empty"]),
        ("sum:m{*}", [OTHER], ("--switch", "long_gaps=limit"), []),
        ("sum:m{*}", [], (), []),
        ("monotonic_diff(sum:m{a:b})", [], (), []),
        (
            "per_minute(sum:m{a:c})",
            [{**OTHER, "points": [[START, 9], [START + 60, 1]]}],
            (),
            ["negative_deltas: keep"],
        ),
        ("sum:m{a:*c*}", [OTHER], (), ["wildcards: anywhere"]),
    ],
)
def test_the_switch_that_decided_an_answer_is_named(query, more, options, switches, tmp_path, capsys):
    status, out, err = run(capsys, query, "--data", *gap(tmp_path, *more), *options)
    assert status == 0
    assert "switch" not in out
    named = [line for line in err.splitlines() if "decided by the switch" in line]
    assert [any(name in line for line in named) for name in switches] == [True] * len(switches)
    assert len(named) == len(switches)
