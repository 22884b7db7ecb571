"""Build the code of Lambda functions: dist/stepscope-forwarder.zip, or dist/stepscope-replay.zip.

`make forwarder` and `make replay` call it. An archive holds the rooms of `monitoring` that its function
imports, and the packages that they need at the versions and hashes of requirements.lock, with compiled parts
for the declared Python and architecture.
boto3 is left out: Lambda's runtime has it. The same sources give the same bytes: entries are sorted, times
are fixed and nothing compiled here is added.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import archive

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "dist" / "stepscope-forwarder.zip"
ROOMS = (
    "__init__.py",
    "context.py",
    "errors.py",
    "lines.py",
    "verify.py",
    "instrumentation",
    "log_events",
    "forwarder",
)
"""The parts of the package that `monitoring.forwarder` imports."""
PACKAGES = ("aws-lambda-powertools", "backports-zstd", "isal", "jmespath", "msgspec", "typing-extensions")
"""The packages of the extra [forwarder] with what they need, without boto3 and the command's click."""
REPLAY = "replay"
"""The room, and the package beside the forwarder's, that the function of deploy/replay.yaml has besides."""
REPLAY_PACKAGES = ("duckdb",)
PYTHONS, ARCHITECTURES = ("3.12", "3.13"), ("arm64", "x86_64")
DECLARATION = "stepscope-forwarder.json"
"""The file in the archive that says which runtime and architecture it is for."""
_PLATFORMS = (
    "manylinux2014",
    "manylinux_2_17",
    "manylinux_2_28",
)  # Lambda's Amazon Linux 2023 has glibc 2.34
_LEFT_OUT = re.compile(rf"(^|/)(bin|tests?)/|\.pyi$|{archive.NOTES.pattern}")


def build(target: Path, python: str = "3.13", architecture: str = "arm64", *, replay: bool = False) -> int:
    """Write the archive and return its size in bytes.

    Args:
        target: the file to write.
        python: the version of Lambda's Python, as `3.13`.
        architecture: `arm64` or `x86_64`.
        replay: whether it is for the function of deploy/replay.yaml.

    Raises:
        SystemExit: a package cannot be had; pip has said why.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        packages, rooms = PACKAGES, ROOMS
        if replay:
            packages, rooms = (*PACKAGES, *REPLAY_PACKAGES), (*ROOMS, REPLAY)
        _install(Path(folder), python, architecture, requirements(packages))
        entries = {**dict(archive.files(Path(folder), _LEFT_OUT)), **dict(_own_files(rooms))}
        entries[DECLARATION] = declaration(python, architecture)
        archive.write(target, entries)
    return target.stat().st_size


def declaration(python: str, architecture: str) -> bytes:
    """Return what the archive says of itself."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    about = {"version": version, "runtime": f"python{python}", "architecture": architecture}
    return (json.dumps(about, indent=2) + "\n").encode()


def requirements(packages: Sequence[str] = PACKAGES) -> str:
    """Return the entries of requirements.lock for an archive's packages, with their hashes.

    Raises:
        SystemExit: requirements.lock does not have one of them.
    """
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    blocks = re.findall(r"^(\S+?)==.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    whole = dict(
        zip(blocks, re.findall(r"^\S+?==.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL), strict=True)
    )
    missing = [name for name in packages if name not in whole]
    if missing:
        sys.exit(f"requirements.lock has no {', '.join(missing)}: run `make lock`")
    return "".join(whole[name] for name in packages)


def _install(folder: Path, python: str, architecture: str, requirements: str) -> None:
    machine = {"arm64": "aarch64"}.get(architecture, architecture)
    platforms = [part for name in _PLATFORMS for part in ("--platform", f"{name}_{machine}")]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as lock:
        lock.write(requirements)
        lock.flush()
        options = ["--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps", "--require-hashes"]
        options += ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, *platforms]
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), "-r", lock.name]
        done = subprocess.run(command, check=False)  # noqa: S603 - our own interpreter
    if done.returncode:
        sys.exit(f"the packages for python{python} on {architecture} cannot be installed")


def _own_files(rooms: Sequence[str] = ROOMS) -> Iterator[tuple[str, bytes]]:
    package = ROOT / "monitoring"
    for room in rooms:
        place = package / room
        for path in place.rglob("*.py") if place.is_dir() else [place]:
            yield path.relative_to(ROOT).as_posix(), path.read_bytes()


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the archive that the options ask for, and say what it is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", default="3.13", choices=PYTHONS)
    parser.add_argument("--architecture", default="arm64", choices=ARCHITECTURES)
    parser.add_argument("--replay", action="store_true", help="the function of deploy/replay.yaml instead")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    out = options.out or (TARGET.with_name("stepscope-replay.zip") if options.replay else TARGET)
    size = build(out, options.python, options.architecture, replay=options.replay)
    print(f"{out}: {size:,} bytes, for python{options.python} on {options.architecture}")


if __name__ == "__main__":
    main()
