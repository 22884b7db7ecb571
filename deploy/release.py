"""Build a release in dist/, with what is in it and a checksum of each file. `make release` calls it.

Wheels and sdist, the layer, the zips of the forwarder and of the replay for each runtime and architecture;
`sbom.cdx.json`, the bill of materials in CycloneDX 1.6; `licences.md`, the licence of each package;
`notes.md`, the version's section of the changelog; and `SHA256SUMS`. The same sources give the same bytes.
"""

import argparse
import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
_CLASSIFIER = "License :: OSI Approved :: "
_PIN = re.compile(r"^(\S+?)==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Package(NamedTuple):
    """A package of requirements.lock: what `stepscope[tools]` installs at most."""

    name: str
    version: str
    hashes: tuple[str, ...]
    licence: str


def packages(lock: str) -> list[Package]:
    """Return the packages of the text of a requirements.lock, with the licences that their metadata state.

    What is not installed here, as a package of another platform, has the licence "".
    """
    rows: list[Package] = []
    for block in re.split(r"\n(?=\S)", lock):
        pin = _PIN.match(block)
        if pin:
            rows.append(Package(pin[1], pin[2], tuple(sorted(_HASH.findall(block))), licence(pin[1])))
    return sorted(rows)


def licence(name: str) -> str:
    """Return the licence that an installed package states as an expression, classifiers or a short text."""
    try:
        about = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    if expression := about.get("License-Expression"):
        return str(expression)
    classified = [
        row.removeprefix(_CLASSIFIER)
        for row in about.get_all("Classifier", ())
        if row.startswith(_CLASSIFIER)
    ]
    text = str(about.get("License") or "").strip()
    return " and ".join(classified) or ("" if "\n" in text or len(text) > 60 else text)


def bill_of_materials(own: Mapping[str, Any], parts: Sequence[Package]) -> dict[str, Any]:
    """Return the bill of materials of the project (its table `project`) and its packages: CycloneDX 1.6.

    It has no time and a serial number of its content, so that it is the same for the same packages.
    """
    root = f"pkg:pypi/{own['name']}@{own['version']}"
    component = {
        "type": "application",
        "name": own["name"],
        "version": own["version"],
        "bom-ref": root,
        "purl": root,
    }
    component["licenses"] = [{"license": {"name": own["license"]}}]
    components = [_component(part) for part in parts]
    digest = hashlib.sha256(json.dumps([component, components], sort_keys=True).encode()).hexdigest()
    serial = f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": component},
        "components": components,
        "dependencies": [{"ref": root, "dependsOn": [entry["bom-ref"] for entry in components]}],
    }


def _component(part: Package) -> dict[str, Any]:
    address = f"pkg:pypi/{part.name.lower().replace('_', '-')}@{part.version}"
    entry: dict[str, Any] = {
        "type": "library",
        "name": part.name,
        "version": part.version,
        "bom-ref": address,
        "purl": address,
    }
    if part.licence:
        entry["licenses"] = [{"license": {"name": part.licence}}]
    if part.hashes:  # of each file that an index has of the version: one of them is installed
        files = [{"alg": "SHA-256", "content": digest} for digest in part.hashes]
        entry["externalReferences"] = [
            {
                "type": "distribution",
                "url": f"https://pypi.org/project/{part.name}/{part.version}/",
                "hashes": files,
            }
        ]
    return entry


def licence_report(own: Mapping[str, Any], parts: Sequence[Package]) -> str:
    """Return the licences as a page of Markdown."""
    rows = "".join(
        f"| {part.name} | {part.version} | {part.licence or 'not stated, or not installed here'} |\n"
        for part in parts
    )
    head = f"# Licences of {own['name']} {own['version']}\n\n{own['name']} itself: {own['license']}.\n\n"
    about = "What `stepscope[tools]` installs at most; the bare package and the layer need none of it.\n\n"
    return f"{head}{about}| package | version | licence |\n| --- | --- | --- |\n{rows}"


def distributions(source: Path, folder: Path) -> None:
    """Build wheels and sdists of both projects of a checkout into a folder.

    Raises:
        CalledProcessError: hatchling cannot build one of them.
    """
    for project in (source, source / "deploy" / "function"):
        build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
        kinds = ["--wheel", "--sdist"] if project == source else ["--wheel"]
        subprocess.run([*build, *kinds, str(project)], check=True, capture_output=True)  # noqa: S603 - our own interpreter


def archives(source: Path, folder: Path) -> Iterator[list[str]]:
    """Yield the commands that build the layer and the functions' zips of a checkout into a folder."""
    yield [str(source / "deploy" / "layer.py"), "--out", str(folder / "stepscope-layer.zip")]
    for part in ("forwarder", "replay"):
        for runtime in ("3.12", "3.13"):
            for architecture in ("arm64", "x86_64"):
                name = f"stepscope-{part}-python{runtime}-{architecture}.zip"
                options = ["--python", runtime, "--architecture", architecture, "--out", str(folder / name)]
                kind = ["--replay"] if part == "replay" else []
                yield [str(source / "deploy" / "forwarder" / "build.py"), *options, *kind]


def notes(changelog: str, version: str) -> str:
    """Return the section of a version.

    Raises:
        SystemExit: there is none.
    """
    found = re.search(
        rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    if found is None:
        sys.exit(f"CHANGELOG.md has no section `## {version} - DATE`: give the unreleased one that heading")
    return found[1].strip() + "\n"


def sums(folder: Path) -> str:
    """Return what `sha256sum -c` takes, for each file of a folder but the list itself."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "SHA256SUMS")
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def main() -> None:
    """Build everything; `--papers` the bill of materials and the licences alone."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--papers", action="store_true", help="the bill of materials and the licences alone")
    parser.add_argument("--out", type=Path, default=DIST)
    options = parser.parse_args()
    folder: Path = options.out
    folder.mkdir(parents=True, exist_ok=True)
    own = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    parts = packages((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    bill = json.dumps(bill_of_materials(own, parts), indent=2) + "\n"
    (folder / "sbom.cdx.json").write_text(bill, encoding="utf-8")
    (folder / "licences.md").write_text(licence_report(own, parts), encoding="utf-8")
    if not options.papers:
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        (folder / "notes.md").write_text(notes(changelog, own["version"]), encoding="utf-8")
        distributions(ROOT, folder)
        for command in archives(ROOT, folder):
            subprocess.run([sys.executable, *command], check=True)  # noqa: S603 - our own interpreter
    (folder / "SHA256SUMS").write_text(sums(folder), encoding="utf-8")
    print((folder / "SHA256SUMS").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    main()
