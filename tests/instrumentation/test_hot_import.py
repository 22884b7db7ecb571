"""What importing costs: only modules of ours, few of them; and the layer that a function carries."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHOW = "import json, sys; print(json.dumps(sorted(set(sys.modules) - before)))"


def python(code, **environ):
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, **environ},
        cwd=ROOT,
    )
    return done.stdout


def new_modules(imports):
    code = f"import awslambdaric.bootstrap, sys, json\nbefore = set(sys.modules)\n{imports}\n{SHOW}"
    return json.loads(python(code).splitlines()[-1])


def test_the_import_loads_modules_of_ours_only():
    loaded = new_modules("from monitoring import monitored, count, gauge, histogram, span")
    assert all(name.split(".")[0] == "monitoring" for name in loaded), loaded
    assert len(loaded) <= 8


@pytest.mark.parametrize(
    "imports",
    [
        "import monitoring.instrumentation.output, monitoring.context, monitoring.instrumentation.decorator, monitoring.instrumentation.spans, monitoring.instrumentation.verification"
    ],
)
def test_every_module_of_the_hot_path_loads_modules_of_ours_and_the_builtin_one_of_context_variables(imports):
    others = {name for name in new_modules(imports) if name.split(".")[0] != "monitoring"}
    assert others <= {"_contextvars"}, others


def test_decorating_loads_modules_of_ours_and_the_builtin_one_of_context_variables():
    loaded = new_modules("from monitoring import monitored\nmonitored(lambda event, context: None)")
    others = {name for name in loaded if name.split(".")[0] != "monitoring"}
    assert others <= {"_contextvars"}, others


def test_a_plain_call_finds_everything_loaded_when_it_was_decorated():
    decorated = (
        "from monitoring import count, monitored\n"
        "handler = monitored(lambda event, context: count('a', tags=['b:c']))\n"
    )
    called = decorated + "handler({'photo': 'a.jpg'}, None)"
    assert new_modules(called) == new_modules(decorated)


def layer():
    spec = importlib.util.spec_from_file_location("layer", ROOT / "deploy" / "layer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.checkout
def test_the_layer_is_small_and_works_alone(tmp_path):
    target = tmp_path / "layer.zip"
    size = layer().build(target)
    assert size < 100_000
    again = tmp_path / "again.zip"
    layer().build(again)
    assert target.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(target) as archive:
        archive.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from monitoring import monitored, count, span, timer, inject_headers, ClaimBroken\n"
        "from monitoring.verify import object_exists\n"
        "from monitoring.lines import Point, format_point\n"
        "assert format_point(Point('a', 1, timestamp=2)) == 'MONITORING|2|1|count|a|'\n"
        "import monitoring; assert monitoring.__file__.startswith(sys.argv[1])\n"
        "def handler(event, context):\n"
        "    with span('s'), timer('t'): count('a', tags={'b': 'c'}); inject_headers()\n"
        "event = {'_datadog': {'Execution': {'Id': 'e'}, 'StateMachine': {'Name': 'm'}, 'State': {'Name': 's'}}}\n"
        "for one in ({}, event, {'headers': {}}): monitored(verify=lambda e, r: True)(handler)(one, None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(tmp_path / "python")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.stdout.count("|claims.verified|") == 3
