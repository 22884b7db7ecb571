"""An archive for Lambda has the same bytes whenever, wherever and in whichever order its files were written."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.checkout
PROGRAM = Path(__file__).parents[2] / "deploy" / "archive.py"
FILES = {
    "handlers/take.py": b"def handler(event, context): ...\n",
    "numpy/core.so": bytes(range(256)) * 64,
    "a.dist-info/METADATA": b"Name: a\n",
    "empty": b"",
    "deep/er/and/deeper.txt": "\u00e9".encode(),
}
NOTES = {
    "a.dist-info/direct_url.json": b'{"url": "file://%s"}',
    "a.dist-info/RECORD": b"sizes of %s",
    "handlers/__pycache__/take.cpython-311.pyc": b"compiled at %s",
}


def archived(folder, name, files, moment):
    """Archive files that were written one by one into a folder, at a time of their own."""
    for path, content in files:
        (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / path).write_bytes(content.replace(b"%s", name.encode()))
        os.utime(folder / name / path, (moment, moment))
        (folder / name / path).chmod(0o600 if name == "one" else 0o755)
    target = folder / f"{name}.zip"
    subprocess.run([sys.executable, PROGRAM, folder / name, target], check=True)
    return target


@pytest.mark.parametrize("count", range(len(FILES) + 1))
def test_the_same_files_give_the_same_bytes(count, tmp_path):
    files = [*list(FILES.items())[:count], *NOTES.items()]
    one = archived(tmp_path, "one", files, 1_000_000_000)
    two = archived(tmp_path, "two", reversed(files), 1_700_000_000)
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == dict(files[:count])


def test_another_byte_or_name_gives_another_archive(tmp_path):
    one = archived(tmp_path, "one", [("a.py", b"1")], 0x5F000000)
    for name, file in (("two", ("a.py", b"2")), ("three", ("b.py", b"1"))):
        assert archived(tmp_path, name, [file], 0x5F000000).read_bytes() != one.read_bytes()
