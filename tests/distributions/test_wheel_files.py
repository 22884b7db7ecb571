"""The built wheel has every file of the package, with the checkout's bytes, and what the metadata promise works."""

import json
import subprocess
import tomllib
import zipfile

import pytest
from venvs import ROOT

pytestmark = pytest.mark.packaging

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
WHEEL = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
PLACES = {name: name for name in WHEEL["packages"]} | WHEEL["force-include"]
"""A file or folder of the checkout -> where the wheel has it."""
IMPORT_ALL = """
import importlib, json, pkgutil, sys
import monitoring
names = [m.name for m in pkgutil.walk_packages(monitoring.__path__, "monitoring.")]
refused = {}
for name in names:
    try:
        importlib.import_module(name)
    except Exception as error:
        refused[name] = repr(error)
print(json.dumps([len(names), refused, monitoring.__file__]))
"""


def checkout():
    """Return where the wheel has each file that is, or could be, under version control -> its bytes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *PLACES],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    wanted = {}
    for path in filter(None, listed.split("\0")):
        source = next(name for name in PLACES if path == name or path.startswith(f"{name}/"))
        wanted[PLACES[source] + path.removeprefix(source)] = (ROOT / path).read_bytes()
    return wanted


def test_every_file_is_there_with_the_bytes_of_the_checkout_and_no_other(wheels):
    with zipfile.ZipFile(wheels["stepscope"]) as archive:
        packed = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    wanted = checkout()
    assert len(wanted) > 300
    assert packed.keys() == wanted.keys()
    assert [name for name, content in packed.items() if content != wanted[name]] == []


def test_every_module_can_be_imported_where_the_checkout_cannot_be_seen(installed, tmp_path):
    status, said = installed.run("-c", IMPORT_ALL, cwd=tmp_path)
    assert status == 0, said
    modules, refused, place = json.loads(said.splitlines()[-1])
    assert place.startswith(str(installed.site))
    assert refused == {}
    assert modules > 200


def test_the_entry_points_are_those_of_the_project(wheels):
    with zipfile.ZipFile(wheels["stepscope"]) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        lines = archive.read(name).decode().split()
    project = PROJECT["project"]
    promised = {"console_scripts": project["scripts"], **project["entry-points"]}
    assert lines == [
        word
        for group, names in promised.items()
        for word in (f"[{group}]", *" = ".join(*names.items()).split())
    ]
