"""The pages about functions, checked against the code that they describe."""

import re
from pathlib import Path

import pytest

from monitoring import verify
from monitoring.context import TRIGGERS
from monitoring.instrumentation.settings import MASKED, NAMES
from monitoring.instrumentation.step_functions import _FLAT
from monitoring.resources.function_metrics import METRICS

ROOT = Path(__file__).parents[2]


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_table_of_metrics_is_the_catalogue():
    rows = re.findall(
        r"^\| `([a-z_.]+)` \| (\w+) \| (\w+) \| (.*?) \| (.*?) \|$", page("metrics.md"), re.MULTILINE
    )
    assert rows == [
        (m.name, m.type, m.unit, m.meaning, ", ".join(f"`{tag}`" for tag in m.tags) or "–") for m in METRICS
    ]


def test_every_setting_is_documented_and_nothing_else():
    text = page("functions.md")
    named = set(re.findall(r"`((?:DD|MONITORING|AWS)_[A-Z_]+)`", text))
    assert named == {*NAMES, "AWS_LAMBDA_INITIALIZATION_TYPE"}


def test_every_trigger_and_every_masked_word_is_documented():
    text = page("tracing.md")
    assert {name for name in TRIGGERS if f"`{name}`" not in text} == set()
    assert {word for word in MASKED if f"`{word}`" not in text} == set()


def test_the_field_of_a_state_machine_is_documented_with_every_key():
    text = page("tracing.md")
    assert {key for key in _FLAT if f'"{key}.$"' not in text} == set()


@pytest.mark.checkout
def test_every_check_and_every_code_is_documented():
    text = page("claims.md")
    for name in verify.__all__:
        assert f"`{name}" in text or f"monitoring.{name}" in text, name
    source = (ROOT / "monitoring" / "verify.py").read_text(encoding="utf-8")
    codes = set(re.findall(r'Broken\(.*"([a-z_]+)"\)', source))
    assert codes
    assert {code for code in codes if f"`{code}`" not in text} == {"false"} - {
        "false" if "`false`" in text else ""
    }


@pytest.mark.parametrize(
    "name", ["functions.md", "tracing.md", "claims.md", "testing-handlers.md", "log-lines.md"]
)
def test_python_examples_compile(name):
    blocks = re.findall(r"^```python\n(.*?)^```", page(name), re.DOTALL | re.MULTILINE)
    for block in blocks:
        compile(block if "def " in block or "import" in block else block + "def f(): pass\n", name, "exec")
    assert blocks or name in {"tracing.md", "log-lines.md"}


def test_what_the_page_on_lines_shows_is_what_the_command_prints(tmp_path, monkeypatch, capsys):
    from monitoring.cli import main

    shown = re.search(
        r"^```\n\$ stepscope lines function.log\n(.*?)^```", page("log-lines.md"), re.DOTALL | re.MULTILINE
    )
    monkeypatch.chdir(tmp_path)
    Path("function.log").write_text("fine\nMONITORING|1700000000|12ms|count|a|#\n")
    with pytest.raises(SystemExit):
        main(["lines", "function.log"])
    assert capsys.readouterr().out == shown.group(1)
