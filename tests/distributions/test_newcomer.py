"""The built wheel as somebody meets it who has never seen the project: a bare install, a project that exists already, own packages."""

import json
import subprocess

import pytest
from venvs import PIP, Venv

pytestmark = pytest.mark.packaging

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Take:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: shop-take, Handler: handlers.take.handler, Runtime: python3.12, CodeUri: ., Timeout: 10}
"""
MORE = """\
  Send:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: shop-send, Handler: handlers.take.handler, Runtime: python3.12, CodeUri: ., Timeout: 7}
"""
HANDLER = """\
from monitoring import count, monitored

@monitored
def handler(event, context):
    print("a text")
    count("shop.orders")
    return event
"""
OWN_TEST = """\
from handlers.take import handler

def test_it(lambda_context, emitted):
    assert handler({"a": 1}, lambda_context) == {"a": 1}
    emitted.assert_count("shop.orders", 1)
    assert emitted.lines == ["a text"]
"""
LINE = "MONITORING|1795837118|1|count|shop.orders|#zone:a\n"
COMMAND = "from monitoring.cli import main; main()"
PYTEST = "[tool.pytest.ini_options]\npythonpath = ['.']\n"
FILES = {
    "template.yaml": TEMPLATE,
    "handlers/__init__.py": "MINE = 1\n",
    "handlers/take.py": HANDLER,
    "test_take.py": OWN_TEST,
    "function.log": LINE,
    "pyproject.toml": PYTEST,
}


@pytest.fixture
def project(tmp_path):
    """A project with its own package `handlers` and a template."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture(scope="module")
def bare(wheels, tmp_path_factory):
    """A venv with stepscope, pytest, and nothing that stepscope needs."""
    environment = Venv(tmp_path_factory.mktemp("bare"), wheels["stepscope"])
    (environment.site / "dependencies.pth").unlink()
    subprocess.run([*PIP, "--python", environment.python, "install", "pytest"], check=True, timeout=120)
    return environment


def stepscope(environment, project, *arguments):
    return environment.run("-c", COMMAND, *arguments, cwd=project)


def test_init_adds_what_is_new_and_leaves_what_was_edited(installed, project):
    assert stepscope(installed, project, "init", "--from", "template.yaml")[0] == 0
    monitor = project / "monitors" / "functions-fail.json"
    edited = monitor.read_text().replace('"message": "', '"message": "Look here. ')
    monitor.write_text(edited)
    (project / "template.yaml").write_text(TEMPLATE + MORE)
    status, said = stepscope(installed, project, "init", "--from", "template.yaml")
    assert status == 0, said
    assert monitor.read_text() == edited
    assert "monitors/functions-fail.json" in said
    assert "[defaults.functions.shop-send]" in (project / "application.toml").read_text()
    assert (project / "handlers" / "__init__.py").read_text() == FILES["handlers/__init__.py"]
    assert json.loads(monitor.read_text())["name"]


def test_own_handlers_are_tested_with_the_fixtures(installed, project):
    status, said = installed.run("-m", "pytest", "-q", cwd=project)
    assert status == 0, said
    assert "1 passed" in said


def test_a_monitor_test_in_a_bare_install_is_skipped_and_the_others_run(installed, bare, project):
    assert stepscope(installed, project, "init", "--from", "template.yaml")[0] == 0
    status, said = bare.run("-m", "pytest", "-q", cwd=project)
    assert status == 0, said
    assert "1 passed" in said
    assert 'pip install "stepscope[lint]"' in said


@pytest.mark.parametrize(
    ("arguments", "extra"), [((), "tools"), (("forward", "function.log"), "forwarder"), (("lint",), "lint")]
)
def test_a_command_in_a_bare_install_says_what_to_install(bare, project, arguments, extra):
    status, said = stepscope(bare, project, *arguments)
    assert status == 2
    assert f'pip install "stepscope[{extra}]"' in said
    assert "Traceback" not in said


def test_a_command_in_a_bare_install_says_it_as_json_too(bare, project):
    status, said = stepscope(bare, project, "lint", "--json")
    assert status == 2
    assert json.loads(said.splitlines()[0])["error"]["hint"] == 'Install it: pip install "stepscope[lint]"'


@pytest.mark.parametrize(
    "arguments",
    [
        ("test", "--junit", "no/x.xml"),
        ("export", "terraform", "--out", "no/x.tf"),
        ("preview", "--out", "function.log/x"),
    ],
)
def test_a_file_that_cannot_be_written_is_a_sentence(installed, project, arguments):
    assert stepscope(installed, project, "init", "--from", "template.yaml")[0] == 0
    status, said = stepscope(installed, project, *arguments)
    assert status == 2, said
    assert "cannot be written" in said
    assert "Traceback" not in said


def test_what_is_forwarded_can_be_looked_at(installed, project):
    status, said = stepscope(installed, project, "forward", "--json", "function.log")
    assert status == 0, said
    assert json.loads(said)["point"]["tags"] == ["zone:a"]
