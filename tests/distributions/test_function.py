"""stepscope-function: what it holds, how much that is, and that it and stepscope do each other no harm."""

import subprocess
import sys
import zipfile

import pytest
from venvs import PIP, Venv

pytestmark = pytest.mark.packaging

USE = """
from monitoring import monitored, count, gauge, histogram, span, timer, inject_headers, inject_payload, ClaimBroken
from monitoring.verify import object_exists
from monitoring.context import current_trace
def handler(event, context):
    with span('s'), timer('t'):
        count('a', tags={'b': 'c'}); gauge('g', 1); histogram('h', 2); inject_headers()
state = {'Execution': {'Id': 'e'}, 'StateMachine': {'Name': 'm'}, 'State': {'Name': 's'}}
for event in ({}, {'_datadog': state}, {'headers': {}}):
    monitored(verify=lambda event, result: True)(handler)(event, None)
"""

LINES = "from monitoring.cli import main; main(['lines', 'app.log'])"


@pytest.fixture(scope="module")
def bundle(wheels, tmp_path_factory):
    """A folder that pip has put the function's distribution into, compiled files included."""
    folder = tmp_path_factory.mktemp("bundle")
    subprocess.run(
        [*PIP, "install", "--no-deps", "--no-index", "--target", folder, wheels["function"]], check=True
    )
    return folder


def test_a_bundle_grows_by_less_than_150_kb(bundle):
    sizes = {path.relative_to(bundle): path.stat().st_size for path in bundle.rglob("*") if path.is_file()}
    assert sum(sizes.values()) < 150_000, sizes


def test_the_wheel_of_stepscope_stays_small(wheels):
    """Its code, the example, what `init` writes and the demo's recorded day: no test of ours, no picture."""
    assert wheels["stepscope"].stat().st_size < 1_800_000, "see what is in it"


def run_in(bundle, code, *options):
    command = [
        sys.executable,
        "-I",
        "-S",
        "-B",
        *options,
        "-c",
        f"import sys; sys.path.insert(0, {str(bundle)!r})\n{code}",
    ]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_all_that_functions_use_works_from_it_alone(bundle):
    done = run_in(bundle, USE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("|claims.verified|") == 3
    assert done.stdout.count('{"traces"') == 3


def test_its_modules_are_compiled_already(bundle):
    done = run_in(
        bundle, "import monitoring.instrumentation.triggers as t; print(t.__cached__ or t.__file__)"
    )
    assert done.stdout.strip().endswith("function.zip/instrumentation/triggers.pyc"), done.stderr


def test_another_python_reads_the_sources_beside_them(bundle, tmp_path):
    """An archive whose compiled modules are for another version: what a function of another runtime sees."""
    package = tmp_path / "monitoring"
    package.mkdir()
    (package / "__init__.py").write_bytes((bundle / "monitoring" / "__init__.py").read_bytes())
    with (
        zipfile.ZipFile(bundle / "monitoring" / "function.zip") as source,
        zipfile.ZipFile(package / "function.zip", "w") as target,
    ):
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, b"\0\0\r\n" + data[4:] if name.endswith(".pyc") else data)
    done = run_in(tmp_path, USE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('{"traces"') == 3


def test_a_traceback_shows_the_lines_of_the_archive(bundle):
    done = run_in(bundle, "from monitoring import span\nwith span('s', resource=1, colour=2): pass")
    assert "TypeError" in done.stderr


@pytest.mark.parametrize("order", [("stepscope", "function"), ("function", "stepscope")])
def test_beside_stepscope_both_work_in_any_order(wheels, tmp_path, order):
    both = Venv(tmp_path / "venv", *(wheels[name] for name in order))
    status, said = both.run(
        "-c", USE + "import monitoring; print(monitoring.instrumentation.__file__)", cwd=tmp_path
    )
    assert status == 0, said
    assert said.splitlines()[-1] == str(both.site / "monitoring" / "instrumentation" / "__init__.py")
    (tmp_path / "app.log").write_text("MONITORING|1772323200|1|count|shop.orders|#a:b\n")
    assert both.run("-c", LINES, cwd=tmp_path)[0] == 0


def test_uninstalled_beside_stepscope_it_leaves_a_sentence_and_a_way_back(wheels, tmp_path):
    both = Venv(tmp_path / "venv", wheels["stepscope"], wheels["function"])
    both.pip("uninstall", "--yes", "stepscope-function")
    (tmp_path / "app.log").write_text("MONITORING|1772323200|1|count|shop.orders|#a:b\n")
    status, said = both.run("-c", LINES, cwd=tmp_path)
    assert "Traceback" not in said
    assert (status, "pip install --force-reinstall" in said) in {(0, False), (2, True)}
    both.install(wheels["stepscope"])
    assert both.run("-c", LINES, cwd=tmp_path)[0] == 0
    assert both.run("-c", USE, cwd=tmp_path)[0] == 0
