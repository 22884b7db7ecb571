"""Starting a project: what is shipped, or dashboards and monitors for what a template describes."""

from collections.abc import Iterator
from pathlib import Path

import monitoring
from monitoring.discovery import Found
from monitoring.discovery.tailored import files_for
from monitoring.errors import InputError

SETTINGS = """# What differs between environments: stepscope plan --env prod
project = "{project}"

[defaults]
notify = "@slack-pipelines"
page = "@oncall-pipelines"

[env.prod]
"""


def shipped(name: str) -> Path:
    """Return the folder `dashboards`, `monitors`, `handlers` and so on, of the wheel or of the checkout."""
    package = Path(str(monitoring.__file__)).parent
    found = [path for path in (package / "shipped" / name, package.parent / name) if path.is_dir()]
    if not found:
        raise InputError(
            f"this installation has no {name}", hint="Install it again: pip install stepscope[tools]"
        )
    return found[0]


def whole(project: str, *, downtimes: bool = False) -> dict[str, str]:
    """Path -> text: everything that is shipped; what silences monitors only where it is asked for."""
    folders = ("dashboards", "monitors", "slos", "handlers", *_silence(downtimes))
    made = {path: text for folder in folders for path, text in _texts(folder)}
    return {"stepscope.toml": SETTINGS.format(project=project), **made}


def for_found(found: Found, project: str, *, downtimes: bool = False) -> dict[str, str]:
    """Path -> text: what fits exactly what was found, and the forwarder's handler."""
    code = {path: text for folder in ("handlers", *_silence(downtimes)) for path, text in _texts(folder)}
    return {"stepscope.toml": SETTINGS.format(project=project), **files_for(found), **code}


def _silence(asked: bool) -> tuple[str, ...]:
    return ("downtimes",) if asked else ()


def _texts(name: str) -> Iterator[tuple[str, str]]:
    for path in sorted(shipped(name).glob("*.*")):
        if path.suffix in {".json", ".yaml", ".py"}:
            yield f"{name}/{path.name}", path.read_text(encoding="utf-8")


def write(files: dict[str, str], root: Path, *, force: bool) -> list[str]:
    """Write them all, or none.

    Raises:
        InputError: files of these names are there already, or the folder cannot be written to.
    """
    there = [name for name in files if (root / name).exists()]
    if there and not force:
        raise InputError(
            f"{len(there)} files are there already: {', '.join(there[:3])}{', …' if len(there) > 3 else ''}",
            where=str(root),
            hint="Choose another folder, or overwrite them: stepscope init --force",
        )
    try:
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(error.filename or root)) from None
    return list(files)
