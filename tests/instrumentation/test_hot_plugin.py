"""What users test their handlers with: the pytest plugin, the context manager, and the command for files."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from monitoring import count, gauge, histogram, monitored, span
from monitoring.capture import Emitted, LambdaContext, MalformedLine, capture
from monitoring.cli.lines import command

pytest_plugins = ["pytester"]
HANDLER = """
from monitoring import count, monitored, span
@monitored
def handler(event, context):
    count("slides.identified", tags=["talk:baltimore", f"page:{event['page']}"])
    with span("dynamodb.get_item", resource="slides"):
        return context.function_name
"""


def run(pytester, body, *options):
    pytester.makepyfile(handlers=HANDLER, test_it="import pytest\nfrom handlers import handler\n" + body)
    path = os.pathsep.join(sys.path)
    pytester.syspathinsert()
    command_line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    if "stepscope" not in _entry_points():
        command_line += ["-p", "stepscope_pytest"]
    environ = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        command_line, check=False, capture_output=True, text=True, cwd=pytester.path, env=environ, timeout=60
    )


def _entry_points():
    from importlib.metadata import entry_points

    return entry_points(group="pytest11").names


GOOD = """
def test_it(lambda_context, emitted):
    assert handler({"page": 7}, lambda_context) == "test-function"
    assert emitted.points("slides.identified")[0].value == 1
    emitted.assert_count("slides.identified", 1, tags={"talk": "baltimore", "page": 7})
    assert [span["name"] for span in emitted.trace()] == ["aws.lambda", "dynamodb.get_item"]

def test_overridden(lambda_context, emitted, capsys):
    assert handler({"page": 7}, lambda_context(function_name="identify")) == "identify"
    assert "slides.identified" in capsys.readouterr().out
    emitted.assert_count("slides.identified", 1)

@pytest.mark.lambda_context(function_name="marked", timeout_ms=1000)
def test_marked(lambda_context, emitted):
    assert handler({"page": 7}, lambda_context) == "marked"
    assert lambda_context.get_remaining_time_in_millis() <= 1000
    assert not emitted.points("stepscope.cold_starts")

@pytest.mark.cold_start
def test_cold(lambda_context, emitted):
    emitted.run(handler, {"page": 7})
    emitted.assert_count("stepscope.cold_starts", 1)
"""


@pytest.mark.parametrize("options", [[], ["-s"], ["--capture=sys"]])
def test_the_fixtures_run_a_handler_and_give_its_points_and_spans(pytester, options):
    done = run(pytester, GOOD, *options)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_a_failure_shows_the_near_misses(pytester):
    done = run(
        pytester,
        "def test_it(lambda_context, emitted):\n"
        "    handler({'page': 7}, lambda_context)\n"
        "    emitted.assert_count('slides.identified', 1, tags={'talk': 'chicago'})\n",
    )
    assert done.returncode == 1
    assert "slides.identified with talk:chicago: 0 counted, expected 1" in done.stdout
    assert "count slides.identified 1 talk:baltimore,page:7" in done.stdout


def test_a_malformed_line_fails_the_test_even_if_nobody_asked(pytester):
    done = run(pytester, "def test_it(emitted):\n    print('MONITORING|1700000000|12ms|count|a.b|#')\n")
    assert done.returncode == 1
    assert "printed line 1: the value is not a number" in done.stdout
    assert "^^^^" in done.stdout


def test_the_context_manager_needs_no_plugin_and_prints_all_the_same(capsys):
    with capture() as emitted:
        assert emitted.run(monitored(lambda event, context: count("a")), {}) is None
        emitted.assert_count("a")
        emitted.clear()
        emitted.assert_not_emitted("a")
    assert "|count|a|" in capsys.readouterr().out


def test_questions_about_what_was_printed():
    async def handler(event, context):
        gauge("disk", 5, {"drive": "C"})
        gauge("disk", 7, {"drive": "C"})
        histogram("took", 1.5)
        count("seen", 2)
        count("seen", 3)
        print("a line for people")
        with span("s"):
            return "done"

    with capture() as emitted:
        assert emitted.run(monitored(handler), {}) == "done"
    emitted.assert_count("seen", 5)
    emitted.assert_value("disk", 7, tags=["drive:c"])
    emitted.assert_not_emitted("disk", tags=["drive:d"])
    assert emitted.lines == ["a line for people"]
    assert emitted.metrics()[:3] == ["disk", "seen", "stepscope.duration"]
    assert [made["name"] for made in emitted.spans("s")] == ["s"]


FAILURES = [
    (lambda e: e.assert_count("sean", 1), "sean: 0 counted, expected 1\nnear misses:\n  count seen 2 a:b"),
    (lambda e: e.assert_count("zzz", 1), "zzz: 0 counted, expected 1\nprinted: seen"),
    (
        lambda e: e.assert_value("seen", 3),
        "seen: the last value is 2, expected 3\nnear misses:\n  count seen 2 a:b",
    ),
    (lambda e: e.assert_value("zzz", 3), "zzz: not printed, expected 3\nprinted: seen"),
    (lambda e: e.assert_not_emitted("seen"), "seen: printed 1 times, expected none\n  count seen 2 a:b"),
    (lambda e: e.trace(), "0 invocations have printed a trace, expected 1"),
]


@pytest.mark.parametrize(("ask", "message"), FAILURES, ids=[case[1].partition("\n")[0] for case in FAILURES])
def test_each_failure_says_what_was_there_instead(ask, message):
    emitted = Emitted(lambda: "MONITORING|1700000000|2|count|seen|#a:b\n")
    with pytest.raises(AssertionError) as raised:
        ask(emitted)
    assert str(raised.value) == message


def test_a_malformed_line_in_the_block_fails_at_its_end():
    with pytest.raises(MalformedLine, match="the type is not one of Datadog's"), capture():
        print("MONITORING|1|1|measure|a|#")
    with capture(strict=False) as emitted:
        print("MONITORING|1|1|measure|a|#")
    assert len(emitted.refused()) == 1


def test_the_context_looks_like_lambdas_own():
    from awslambdaric.lambda_context import LambdaContext as Real

    real = Real("id", None, None, 0, "arn")
    ours = LambdaContext(function_version="7")
    wanted = {name for name in vars(real) if not name.startswith("_")}
    assert wanted <= set(vars(ours)), wanted - set(vars(ours))
    assert ours.invoked_function_arn.endswith(":test-function:7")
    assert 0 < ours.get_remaining_time_in_millis() <= 300_000


GOOD_LINES = """START RequestId: 1
MONITORING|1700000000|1|count|slides.identified|#talk:baltimore
{"traces":[[{"trace_id":"%s","span_id":"%s","parent_id":"%s","name":"aws.lambda","error":0,"start":1,"duration":1,"meta":{}}]]}
""" % (("1" * 16,) * 3)


def test_the_command_passes_good_lines():
    done = CliRunner().invoke(command, [], input=GOOD_LINES, standalone_mode=False)
    assert done.return_value == 0
    assert "3 lines: 1 point, 1 span, 0 wrong" in done.output


def test_the_command_says_line_column_reason_and_what_to_write(tmp_path):
    file = tmp_path / "log.txt"
    file.write_text("fine\nMONITORING|1700000000|12ms|count|a|#\n")
    done = CliRunner().invoke(command, [str(file)], standalone_mode=False)
    assert done.return_value == 1
    assert done.output.splitlines()[:4] == [
        f"{file}:2:23: the value is not a number",
        "  MONITORING|1700000000|12ms|count|a|#",
        "  " + " " * 22 + "^^^^",
        "  Write a plain decimal, without a unit: 12 or 0.5",
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"traces":', "the trace line is not JSON"),
        ('{"traces":[{}]}', "`traces` is not a list of lists"),
        ('{"traces":[[5]]}', "a span is not an object"),
        ('{"traces":[[{"trace_id":5}]]}', "trace_id is 5"),
        ('{"traces":[[{"error":true}]]}', "error is True"),
        ('{"traces":[[{"start":1.5}]]}', "start is 1.5"),
        ('{"traces":[[{"start":NaN}]]}', "NaN is not valid in JSON"),
        ('{"traces":[[{"meta":{"a":1}}]]}', "meta a is 1"),
        ('{"traces":[[{"meta":5}]]}', "meta meta is 5"),
        ('{"traces":[[]],"x":"' + "x" * 300_000 + '"}', "over 256 KB"),
    ],
)
def test_the_command_knows_what_datadogs_reader_refuses_of_a_trace_line(line, reason):
    done = CliRunner().invoke(command, ["--json", "-"], input=line + "\n", standalone_mode=False)
    assert done.return_value == 1
    findings = json.loads(done.output)["findings"]
    assert any(reason in finding["reason"] for finding in findings), findings


def test_the_command_names_the_canonical_form_when_asked():
    text = "MONITORING|1700000000000|1|count|a|#b:c|\n"
    assert CliRunner().invoke(command, [], input=text, standalone_mode=False).return_value == 0
    done = CliRunner().invoke(command, ["--canonical"], input=text, standalone_mode=False)
    assert done.return_value == 1
    assert "Write MONITORING|1700000000|1|count|a|#b:c" in done.output


def test_a_file_that_is_not_there_is_wrong_input():
    from monitoring.errors import InputError

    with pytest.raises(InputError, match="cannot be read: No such file"):
        CliRunner().invoke(command, ["/no/such/file"], standalone_mode=False, catch_exceptions=False)
