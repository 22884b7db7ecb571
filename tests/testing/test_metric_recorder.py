"""`pytest --record-metrics`: what tests make handlers emit is in the catalogue, however they run."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from monitoring.resources.own_metrics import FILE, read_own_metrics

FILES = {
    "shop.py": """
from monitoring import count, gauge, monitored

@monitored
def handler(event, context):
    count("shop.orders", tags=[f"region:{event['region']}"])
""",
    "test_shop.py": """
import logging
import pytest
from monitoring import count, gauge
from monitoring.capture import capture
from shop import handler

@pytest.fixture(scope="module")
def stock():
    gauge("shop.stock", 7)

@pytest.mark.parametrize("region", ["eu", "us", "ap"])
def test_order(lambda_context, emitted, region, stock):
    handler({"region": region}, lambda_context)
    emitted.assert_count("shop.orders", 1)
    assert emitted.metrics().count("shop.stock") == 0

def test_plain(lambda_context, capsys):
    handler({"region": "eu"}, lambda_context)
    assert "shop.orders" in capsys.readouterr().out

def test_block():
    with capture() as emitted:
        count("shop.block")
    emitted.assert_count("shop.block")

@pytest.mark.xfail
def test_that_fails():
    count("shop.late")
    raise ValueError
""",
}
NAMES = ("shop.block", "shop.late", "shop.orders", "shop.stock")


def run(folder: Path, *options: str, files: dict[str, str] = FILES) -> subprocess.CompletedProcess[str]:
    for name, text in files.items():
        (folder / name).write_text(text)
    plugin = [] if "stepscope" in entry_points(group="pytest11").names else ["-p", "stepscope_pytest"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize(
    "options", [(), ("-s",), ("--capture=sys",), ("-n", "2"), ("-n", "2", "--dist=each")]
)
def test_every_metric_is_recorded_with_its_tags_and_tests(tmp_path: Path, options: tuple[str, ...]):
    done = run(tmp_path, "--record-metrics", *options)
    assert done.returncode == 0, done.stdout
    assert f"stepscope: 4 metrics recorded, {FILE} written" in done.stdout
    metrics = read_own_metrics(tmp_path / FILE).metrics
    assert tuple(sorted(metrics)) == NAMES
    assert dict(metrics["shop.orders"].tags) == {"region": 3}
    assert metrics["shop.orders"].tests == ("test_shop.py::test_order", "test_shop.py::test_plain")
    assert {name: metric.type for name, metric in metrics.items()} == {
        **dict.fromkeys(NAMES, "count"),
        "shop.stock": "gauge",
    }
    text = (tmp_path / FILE).read_text()
    again = run(tmp_path, "--record-metrics")
    assert f"{FILE} unchanged" in again.stdout
    assert (tmp_path / FILE).read_text() == text


def test_without_the_option_nothing_is_written(tmp_path: Path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert not (tmp_path / FILE).exists()
    assert "recorded" not in done.stdout


def test_the_setting_records_in_every_run_beside_stepscope_toml(tmp_path: Path):
    (tmp_path / "stepscope.toml").touch()
    service = tmp_path / "service"
    service.mkdir()
    done = run(service, files={**FILES, "pytest.ini": "[pytest]\nstepscope_record_metrics = true\n"})
    assert done.returncode == 0, done.stdout
    assert tuple(read_own_metrics(tmp_path / FILE).metrics) == NAMES
    assert not (service / FILE).exists()


@pytest.mark.parametrize("options", [(), ("-n", "1")])
def test_a_broken_catalogue_ends_pytest_before_the_tests(tmp_path: Path, options: tuple[str, ...]):
    (tmp_path / FILE).write_text("<<<<<<< HEAD\n")
    done = run(tmp_path, "--record-metrics", *options)
    assert done.returncode == 2
    assert f"{FILE}:1:1: not valid TOML" in done.stdout + done.stderr
    assert "Resolve the merge conflict" in done.stdout + done.stderr
    assert "passed" not in done.stdout
    assert (tmp_path / FILE).read_text() == "<<<<<<< HEAD\n"


@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_a_metric_of_two_types_ends_pytest_with_a_sentence(tmp_path: Path, options: tuple[str, ...]):
    other = "from monitoring import gauge\ndef test_other():\n    gauge('shop.orders', 3)\n"
    done = run(tmp_path, "--record-metrics", *options, files={**FILES, "test_other.py": other})
    assert done.returncode == 2
    assert (
        "shop.orders is a count (test_shop.py::test_order) and a gauge (test_other.py::test_other)"
        in done.stdout
    )
    assert not (tmp_path / FILE).exists()


def test_functions_on_the_embedded_aws_are_recorded_with_their_names(tmp_path: Path):
    test = """
from pathlib import Path
from monitoring.local_aws import LocalAws

def test_pay(tmp_path):
    with LocalAws(tmp_path) as aws:
        aws.deploy_function("shop-pay", handler="shop.handler", code=Path.cwd())
        aws.client("lambda").invoke(FunctionName="shop-pay", Payload=b'{"region": "eu"}')
        aws.drain()
"""
    done = run(tmp_path, "--record-metrics", files={"shop.py": FILES["shop.py"], "test_aws.py": test})
    assert done.returncode == 0, done.stdout
    metric = read_own_metrics(tmp_path / FILE).metrics["shop.orders"]
    assert (metric.functions, metric.tests) == (("shop-pay",), ("test_aws.py::test_pay",))
