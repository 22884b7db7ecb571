"""The page on the embedded AWS: its example runs, and its numbers and names are those of the code."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

from monitoring.local_aws import LocalAws
from monitoring.local_aws.builds import PROVISIONING_SECONDS
from monitoring.local_aws.deliveries import RETRY_SECONDS
from monitoring.local_aws.moto_patches.services import INVALIDATION_SECONDS
from monitoring.local_aws.output import EVENT_BYTES
from monitoring.local_aws.sandbox import LOOK_SECONDS
from monitoring.local_aws.vended import PAYLOAD_BYTES

PAGE = (Path(__file__).parents[2] / "docs" / "local-aws.md").read_text()


def test_the_example_prints_what_the_page_says(tmp_path: Path) -> None:
    code, said = re.findall(r"```(?:python)?\n(.*?)```", PAGE, re.DOTALL)[:2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=True,
    )
    assert done.stdout == said


def test_every_public_name_of_the_class_is_on_the_page() -> None:
    public = {name for name in vars(LocalAws) if not name.startswith("_")}
    helpers = {"close", "functions", "builds", "function_arn", "state_machine_arn", "state_machine_log_group"}
    called = set(re.findall(r"`aws\.(\w+)", PAGE)) | set(re.findall(r"`aws\.(\w+)\(", PAGE))
    assert public - helpers - {"create_log_group"} <= called | {"endpoint_url"}
    assert called <= public


def test_every_argument_of_the_deploying_calls_is_on_the_page() -> None:
    for call in (LocalAws.deploy_function, LocalAws.deploy_state_machine):
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `aws.{call.__name__}("))
        for name in list(inspect.signature(call).parameters)[1:]:
            assert name in row


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert (PROVISIONING_SECONDS, INVALIDATION_SECONDS, LOOK_SECONDS) == (3.0, 10.0, 0.02)
    assert RETRY_SECONDS == (1.0, 2.0)
    assert (EVENT_BYTES + 26, PAYLOAD_BYTES) == (256 * 1024, 248 * 1024)
    assert inspect.signature(LocalAws).parameters["max_workers"].default == 8
    for words in (
        "three seconds of state machine time in PROVISIONING",
        "InProgress for ten seconds",
        "every 20 ms",
        "after one and two seconds",
        "over 256 KB",
        "over 248 KB",
        "`max_workers` (8)",
    ):
        assert words in " ".join(PAGE.split())
