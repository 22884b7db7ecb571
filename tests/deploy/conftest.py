"""What the CDK app of the example makes, by the CDK itself."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CDK = Path(__file__).parents[2] / "deploy" / "cdk"


@pytest.fixture(scope="session")
def cdk_out(tmp_path_factory):
    """The folder that `cdk synth` writes; .ci/deploy-tools installs the tool and the Python that has its library."""
    tools = [shutil.which(name) for name in ("cdk", "cdk-python")]
    if None in tools:
        pytest.skip("cdk and cdk-python are not on the PATH: .ci/deploy-tools")
    folder = tmp_path_factory.mktemp("cdk") / "cdk.out"
    command = [tools[0], "synth", "--quiet", "--output", str(folder), "--app", f"{tools[1]} app.py"]
    done = subprocess.run(
        command,
        cwd=CDK,
        env={**os.environ, "CI": "true"},
        timeout=600,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder
