"""What a release holds: the same bytes wherever and whenever it is built, a bill of materials and the licences."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("release", ROOT / "deploy" / "release.py")
release = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(release)
OWN = {"name": "shop", "version": "1.2.3", "license": "MIT"}
LOCK = f"""\
click==8.1.8 \\
    --hash=sha256:{"b" * 64} \\
    --hash=sha256:{"a" * 64}
    # via shop
not-there-anywhere==1.0 ; sys_platform == 'win32' \\
    --hash=sha256:{"c" * 64}
"""

pytestmark = pytest.mark.checkout


def copied(target, age, mask):
    """The files of the checkout, elsewhere, with other times and permissions."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in names.splitlines():
        if name.startswith("tests/") or not (ROOT / name).is_file():
            continue
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, path)
        path.chmod(mask)
        os.utime(path, (age, age))
    return target


@pytest.mark.packaging
def test_wheels_sdist_and_layer_are_the_same_wherever_and_whenever_they_are_built(tmp_path, monkeypatch):
    """The zips of the functions: test_forwarder_archive.py."""
    built = []
    for place, age, mask in (("one", 1_500_000_000, 0o644), ("two/deeper", 1_700_000_000, 0o600)):
        source, out = copied(tmp_path / place, age, mask), tmp_path / f"out-{age}"
        out.mkdir()
        release.distributions(source, out)
        (layer, *_) = release.archives(source, out)
        subprocess.run([sys.executable, *layer], check=True, capture_output=True, timeout=300)
        built.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir()})
    assert len(built[0]) == 4
    assert built[0] == built[1]


def test_the_bill_of_materials_names_each_package_of_the_lock_with_its_hashes():
    bill = release.bill_of_materials(OWN, release.packages(LOCK))
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert bill["metadata"]["component"]["purl"] == "pkg:pypi/shop@1.2.3"
    click, absent = bill["components"]
    assert (click["purl"], absent["purl"]) == ("pkg:pypi/click@8.1.8", "pkg:pypi/not-there-anywhere@1.0")
    hashes = click["externalReferences"][0]["hashes"]
    assert [row["content"] for row in hashes] == ["a" * 64, "b" * 64]
    assert click["licenses"] == [{"license": {"name": release.licence("click")}}]
    assert "licenses" not in absent
    assert bill["dependencies"][0]["dependsOn"] == [click["bom-ref"], absent["bom-ref"]]


def test_the_bill_of_materials_is_the_same_for_the_same_packages_alone():
    first, again = (release.bill_of_materials(OWN, release.packages(LOCK)) for _ in range(2))
    other = release.bill_of_materials(OWN, release.packages(LOCK.replace("8.1.8", "8.1.7")))
    assert first == again
    assert first["serialNumber"] != other["serialNumber"]
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}", first["serialNumber"]
    )


def test_every_package_of_the_lock_is_in_both_papers():
    parts = release.packages((ROOT / "requirements.lock").read_text("utf-8"))
    pinned = re.findall(r"^(\S+?)==", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    assert sorted(part.name for part in parts) == sorted(pinned)
    assert all(part.hashes for part in parts)
    report = release.licence_report(OWN, parts)
    assert all(f"| {part.name} | {part.version} |" in report for part in parts)


def test_what_is_installed_states_a_licence_that_is_known_to_be_permissive_or_weak():
    """A licence that would bind what uses the package is to be noticed when the package comes."""
    parts = release.packages((ROOT / "requirements.lock").read_text("utf-8"))
    strong = [part for part in parts if re.search(r"\b(A?GPL|SSPL|BUSL)\b|Affero|GNU General", part.licence)]
    assert strong == []


def test_checksums_are_what_sha256sum_takes(tmp_path):
    (tmp_path / "b.zip").write_bytes(b"2")
    (tmp_path / "a.whl").write_bytes(b"1")
    (tmp_path / "SHA256SUMS").write_text("old")
    assert release.sums(tmp_path) == (
        f"{hashlib.sha256(b'1').hexdigest()}  a.whl\n{hashlib.sha256(b'2').hexdigest()}  b.zip\n"
    )


def test_the_notes_are_the_section_of_the_version():
    text = "# Changelog\n\n## 1.3.0 - 2027-01-01\n\nmore\n\n## 1.2.3 - 2026-12-01\n\n### Added\n\n- it\n\n## 1.2.2 - 2026-11-01\n\nold\n"
    assert release.notes(text, "1.2.3") == "### Added\n\n- it\n"
    assert release.notes(text, "1.2.2") == "old\n"


@pytest.mark.parametrize("version", ["1.2", "1.2.4", "Unreleased", "1x3y0"])
def test_a_version_without_a_section_is_no_release(version):
    with pytest.raises(SystemExit, match="has no section"):
        release.notes("## Unreleased\n\n## 1.3.0 - 2027-01-01\n", version)


def test_every_place_that_names_the_version_names_the_same():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    function = tomllib.loads((ROOT / "deploy" / "function" / "pyproject.toml").read_text("utf-8"))["project"]
    assert (
        json.loads((ROOT / "deploy" / "serverless" / "package.json").read_text("utf-8"))["version"] == version
    )
    assert function.get("version", version) == version
    for page in ("ci.md", "lint.md"):
        assert f"rev: v{version}\n" in (ROOT / "docs" / page).read_text("utf-8")
