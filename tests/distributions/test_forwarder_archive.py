"""The forwarder's archive for Lambda: what it holds, that it is the same every time, and that it runs alone."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("forwarder_build", ROOT / "deploy" / "forwarder" / "build.py")
build = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(build)

pytestmark = pytest.mark.checkout

EVENTS = """
import gzip, base64, json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

class Intake(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *_): pass

server = HTTPServer(("127.0.0.1", 0), Intake)
Thread(target=server.serve_forever, daemon=True).start()
os.environ |= {"DD_URL": f"http://127.0.0.1:{server.server_address[1]}", "DD_API_KEY": "k", "AWS_REGION": "eu-west-1"}
from monitoring.forwarder import handler
import monitoring.forwarder.subscriber
events = [{"id": "1", "timestamp": 1795428000000, "message": "MONITORING|1795428000|1|count|shop.orders|#zone:a"}]
payload = {"messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/aws/lambda/orders", "logStream": "s",
           "subscriptionFilters": ["f"], "logEvents": events}
data = base64.b64encode(gzip.compress(json.dumps(payload).encode())).decode()
answer = handler({"awslogs": {"data": data}}, None)
assert answer["conservation"]["points"] == {"read": 1, "accounted": 1, "sent": 1}, answer
from backports import zstd; import isal, msgspec
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
print("modules:", *sorted({name.partition(".")[0] for name in sys.modules}))
print("ours:", *sorted(name for name in sys.modules if name.startswith("monitoring.")))
"""


def run(python, *paths, cwd):
    environ = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "AWS_", "DD_"))
    }
    environ["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    done = subprocess.run(
        [python, "-B", "-c", EVENTS],
        env=environ,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_forwarder_runs_with_the_rooms_of_the_archive_alone(tmp_path):
    for name, content in build._own_files():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    site = tmp_path / "site"
    site.mkdir()
    packages = Path(sysconfig.get_path("purelib"))
    for name in ("aws_lambda_powertools", "backports", "isal", "jmespath", "msgspec", "typing_extensions.py",
                 "boto3", "botocore", "s3transfer", "dateutil", "six.py", "urllib3"):  # fmt: skip
        (site / name).symlink_to(packages / name)
    python = str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
    run(python if Path(python).exists() else sys.executable, tmp_path, site, cwd=tmp_path)


def test_its_packages_are_those_of_the_lock_with_hashes():
    text = build.requirements()
    names = re.findall(r"^(\S+)==\S+", text, re.MULTILINE)
    assert names == list(build.PACKAGES)
    assert all("--hash=sha256:" in block for block in re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:])


def test_a_lock_without_one_of_them_is_refused():
    with pytest.raises(SystemExit, match="missing: run `make lock`"):
        build.requirements(("msgspec", "missing"))


@pytest.mark.parametrize("order", [1, -1])
def test_entries_are_sorted_and_have_one_time_whatever_order_they_came_in(tmp_path, order):
    entries = dict([("b.py", b"2"), ("a.py", b"1"), ("c/native.so", b"\x7fELF")][::order])
    build.archive.write(tmp_path / "one.zip", entries)
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        found = [(each.filename, each.date_time, each.external_attr >> 16) for each in archive.infolist()]
    start = (1980, 1, 1, 0, 0, 0)
    assert found == [("a.py", start, 0o644), ("b.py", start, 0o644), ("c/native.so", start, 0o755)]


def test_what_is_made_on_this_machine_stays_out(tmp_path):
    for name in (
        "a/__pycache__/x.pyc",
        "a-1.dist-info/RECORD",
        "bin/tool",
        "a/b.pyi",
        "a/b.py",
        "a-1.dist-info/METADATA",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert sorted(name for name, _ in build.archive.files(tmp_path, build._LEFT_OUT)) == [
        "a-1.dist-info/METADATA",
        "a/b.py",
    ]


@pytest.mark.packaging
@pytest.mark.parametrize("architecture", build.ARCHITECTURES)
@pytest.mark.parametrize("python", build.PYTHONS)
def test_two_builds_are_equal_and_have_compiled_parts_for_their_python(tmp_path, python, architecture):
    for name in ("one.zip", "two.zip"):
        build.build(tmp_path / name, python, architecture)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        declared = json.loads(archive.read(build.DECLARATION))
        compiled = [name for name in archive.namelist() if name.endswith(".so")]
    assert (declared["runtime"], declared["architecture"]) == (f"python{python}", architecture)
    machine = {"arm64": "aarch64"}.get(architecture, architecture)
    tag = f"cpython-{python.replace('.', '')}-{machine}-linux-gnu.so"
    assert len(compiled) >= 4
    assert all(name.endswith(tag) for name in compiled)


@pytest.mark.packaging
@pytest.mark.parametrize("python", build.PYTHONS)
def test_the_archive_runs_under_the_python_that_it_declares(tmp_path, python):
    """boto3, which Lambda's runtime has, comes from the environment of the tests."""
    command = shutil.which(f"python{python}")
    if command is None or subprocess.run([command, "-V"], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no python{python} on the PATH")
    build.build(tmp_path / "code.zip", python, os.uname().machine.replace("aarch64", "arm64"))
    code, runtime = tmp_path / "code", tmp_path / "runtime"
    runtime.mkdir()
    with zipfile.ZipFile(tmp_path / "code.zip") as archive:
        archive.extractall(code)
    for name in ("boto3", "botocore", "s3transfer", "dateutil", "six.py", "urllib3"):
        (runtime / name).symlink_to(Path(sysconfig.get_path("purelib")) / name)
    assert "monitoring.forwarder.subscriber" in run(command, code, runtime, cwd=tmp_path)
