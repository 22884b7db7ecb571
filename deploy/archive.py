"""Write zip archives for Lambda: the same files give the same bytes, whenever and wherever they were written.

`python deploy/archive.py FOLDER TARGET` archives a folder; deploy/forwarder/build.py calls `write`.
"""

import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

NOTES = re.compile(
    r"(^|/)__pycache__/|\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|uv_\w+\.json)$"
)
"""Match what says where and by whom a package was installed, which no function reads."""


def files(folder: Path, left_out: re.Pattern[str] = NOTES) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files of a folder, but for names that match `left_out`."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not left_out.search(name):
            yield name, path.read_bytes()


def write(target: Path, entries: Mapping[str, bytes]) -> None:
    """Write an archive of name -> content: sorted, with one time and one owner; libraries can be executed."""
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = (0o755 if name.endswith(".so") else 0o644) << 16
            archive.writestr(entry, entries[name], compresslevel=9)


if __name__ == "__main__":
    write(Path(sys.argv[2]), dict(files(Path(sys.argv[1]))))
