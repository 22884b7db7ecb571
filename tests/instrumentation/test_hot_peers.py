"""Each clause of what the decorator promises, on this package and on its peers: docs/peers.md is the table.

A row in which a peer breaks the promise fails on that peer today; when a newer one mends it, the test says so and
the page has to change. The peers patch the process that imports them, so each library runs all scenarios in one
process of its own. They run where they are installed: `pip install 'stepscope[bench]'`, then pytest with
`-p no:ddtrace`.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
KEPT, NONE = "kept", "–"
PEERS = ("datadog_lambda", "powertools_metrics", "powertools_tracer")
MODULES = {"datadog_lambda": "datadog_lambda", "stepscope": "aws_xray_sdk"}
FOR_TYPE_CHECKERS = "the signature for type checkers"

PAGE = (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")
ROWS = {
    row[0]: dict(zip(PEERS, row[1:], strict=True))
    for row in re.findall(r"^\| ([^|`]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    if row[0] != "situation" and not row[0].startswith("---")
}
BROKEN = [key for key, said in ROWS.items() if set(said.values()) - {KEPT, NONE}]
KEPT_BY_ALL = [key for key in ROWS if key not in BROKEN]


def skip_without(library):
    needed = MODULES.get(library, "aws_xray_sdk")
    for module in (needed, "mangum", "awslambdaric"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install 'stepscope[bench]'")


@cache
def outcomes(library):
    """What the library does in each scenario: all of them, in one process."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("DD_", "MONITORING_"))}
    done = subprocess.run(
        [sys.executable, HERE / "peer_scenarios.py", library],
        capture_output=True,
        text=True,
        check=False,
        env={**environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answered: dict[str, str] = json.loads(done.stdout)
    return answered


TYPED = """
from monitoring import monitored
from aws_lambda_powertools import Tracer
from aws_lambda_powertools.metrics.provider.datadog import DatadogMetrics
from datadog_lambda.wrapper import datadog_lambda_wrapper

def handler(event: dict[str, int], context: object) -> str:
    return ""

reveal_type(monitored(handler))
reveal_type(datadog_lambda_wrapper(handler))
reveal_type(DatadogMetrics().log_metrics(handler))
reveal_type(Tracer().capture_lambda_handler(handler))
"""


@cache
def types():
    """What mypy sees of a decorated handler, by library."""
    from mypy import api

    command = ["--no-incremental", "--follow-imports=silent", "--ignore-missing-imports", "--config-file="]
    shown, *_ = api.run([*command, "-c", TYPED])
    revealed = [text.replace("builtins.", "") for text in re.findall(r'Revealed type is "(.*)"', shown)]
    own = "def (event: dict[str, int], context: object) -> str"
    said = [KEPT if text == own else f"it becomes {text.removeprefix('def ')}" for text in revealed]
    return dict(zip(("stepscope", *PEERS), said, strict=True))


def outcome(library, situation):
    skip_without(library)
    if situation == FOR_TYPE_CHECKERS:
        skip_without("datadog_lambda")
        return types()[library]
    return outcomes(library).get(situation, NONE)


@pytest.mark.parametrize("situation", ROWS)
def test_the_promise_is_kept_in_every_situation(situation):
    assert outcome("stepscope", situation) == KEPT


def compare(peer, situation):
    said, found = ROWS[situation][peer], outcome(peer, situation)
    mended = f"{peer} has mended “{situation}”: say so in docs/peers.md" if found == KEPT else "docs/peers.md"
    assert found == said, mended


@pytest.mark.parametrize(
    ("peer", "situation"),
    [(peer, key) for key in BROKEN for peer in PEERS if ROWS[key][peer] not in {KEPT, NONE}],
    ids=lambda value: value,
)
def test_what_is_kept_here_fails_on(peer, situation):
    compare(peer, situation)


@pytest.mark.parametrize("peer", PEERS)
def test_where_a_peer_keeps_the_promise_the_page_says_so(peer):
    for situation in ROWS:
        if ROWS[situation][peer] in {KEPT, NONE}:
            compare(peer, situation)


def test_the_page_has_every_situation_and_no_other():
    skip_without("stepscope")
    assert set(ROWS) == {*outcomes("stepscope"), FOR_TYPE_CHECKERS}
    assert f"{len(BROKEN)} of {len(ROWS)} situations" in PAGE.replace("\n", " ")


def test_the_page_names_the_versions_that_are_measured():
    pinned = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
        if "==" in line
    )
    assert f"datadog_lambda {pinned['datadog_lambda']}" in PAGE
    assert f"Powertools {pinned['aws_lambda_powertools']}" in PAGE
