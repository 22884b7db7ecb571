"""`stepscope drill` as a user meets it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from drill_cases import MONITORS

from monitoring.cli.drill import command
from monitoring.drill.faults import ALL, FAULTS
from monitoring.testing.project import Folder

START = "from monitoring.cli import main; main()"


def run(*arguments: str, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START, "drill", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
        **more,
    )


def test_the_list_names_every_fault_and_what_has_to_notice_it():
    shown = CliRunner().invoke(command, ["--list"])
    assert shown.exit_code == 0
    words = " ".join(shown.output.split())
    for fault in ALL:
        assert fault.name in shown.output
        assert fault.what in words
    assert "claims-broken (5 min)" in shown.output


def test_every_fault_has_a_name_of_its_own_and_monitors_that_exist():
    assert len({fault.name for fault in ALL}) == len(ALL)
    keys = set(Folder(MONITORS).keys())
    for fault in FAULTS:
        assert fault.must
        assert {*fault.must, *fault.quiet} <= keys
        assert bool(fault.run) != bool(fault.added)


def test_every_shipped_monitor_that_tells_somebody_is_there_for_some_fault():
    named = {key for fault in FAULTS for key in fault.must}
    also = {"task-attempts-failed"}  # the same attempts as others count, retries included
    shipped = Folder(MONITORS).keys()
    assert {key for key in shipped if not key.startswith("part-")} == named | also


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["claim-brokn"], "did you mean claim-broken?"),
        (["--monitors", "nowhere"], "there is no monitor in nowhere"),
        (["--out", "drill.pdf"], "the format of drill.pdf is not known"),
        (["--out", "no/such/folder/drill.svg"], "the folder does not exist"),
        (["--tag", "team"], "is not of the form KEY:VALUE"),
    ],
)
def test_wrong_input_is_said_at_once(arguments: list[str], said: str, tmp_path: Path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_one_fault_is_drilled_and_drawn(tmp_path: Path):
    done = run(
        "claim-broken",
        "--monitors",
        str(MONITORS),
        "--out",
        str(tmp_path / "drill.svg"),
        "--keep",
        str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "claims-broken" in done.stdout
    assert "1 of 1 faults noticed as they should be" in done.stdout
    picture = (tmp_path / "drill.svg").read_text()
    assert picture.startswith("<svg")
    assert "claim-broken" in picture
    assert (tmp_path / "datadog.duckdb").stat().st_size > 0


def test_a_sabotaged_monitor_ends_it_with_status_1(tmp_path: Path):
    folder = Path(shutil.copytree(MONITORS, tmp_path / "monitors"))
    (folder / "claims-broken.json").unlink()
    done = run("claim-broken", "--monitors", str(folder), "--json")
    assert done.returncode == 1, done.stderr
    data = json.loads(done.stdout)
    assert data["wrong"] == ["claim-broken: there is no monitor claims-broken, which has to notice"]
    assert data["fine"] is False


def test_an_interrupted_drill_leaves_no_process_and_no_file_behind(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", START, "drill", "--monitors", str(MONITORS)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while (
        sum(
            "--store" in _environment(child) for child in psutil.Process(process.pid).children(recursive=True)
        )
        < 3
    ):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip() == "stepscope: interrupted"
    assert [one for one in children if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
    assert list(tmp_path.iterdir()) == []


def _environment(child: psutil.Process) -> str:
    try:
        return child.environ().get("AWS_LAMBDA_FUNCTION_NAME", "")
    except psutil.Error:
        return ""


@pytest.mark.slow
def test_the_whole_drill_finds_every_fault_noticed_and_no_alarm_in_vain(tmp_path: Path):
    done = run("--monitors", str(MONITORS), "--json", "--out", str(tmp_path / "drill.md"))
    data = json.loads(done.stdout)
    assert (data["wrong"], done.returncode) == ([], 0)
    assert {each["fault"] for each in data["outcomes"]} == {fault.name for fault in ALL}
    assert data["never_set_off"] == []
    table = (tmp_path / "drill.md").read_text()
    assert all(f"| {fault.name} |" in table for fault in ALL)


@pytest.mark.checkout
def test_the_recorded_table_has_every_fault():
    page = (Path(__file__).parents[2] / "docs" / "drill.md").read_text()
    rows = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.count(" | ") == 4]
    assert [row for row in rows if row not in {"fault", "---"}] == [fault.name for fault in ALL]
