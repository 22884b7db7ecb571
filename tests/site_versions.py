"""Build the documentation of one version of the package beside that of others, with a selector between them.

python tests/site_versions.py 0.3.0                        the documentation of the last commit, as version 0.3.0
python tests/site_versions.py 0.2.0 --revision a2841cc     that of a commit or tag

Writes versions/VERSION/, versions/versions.json, which the selector of the pages reads, and versions/index.html, which leads to the
newest. The versions that are there stay: upload the folder, or bring the uploaded one here before. `make docs VERSION=` calls it.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "versions"
VERSION = re.compile(r"\d+\.\d+\.\d+")
SELECTOR = '\n[project.extra.version]\nprovider = "mike"  # the form of versions.json\n'
REDIRECT = """<!doctype html>
<meta charset="utf-8">
<title>stepscope</title>
<meta http-equiv="refresh" content="0; url={version}/">
<a href="{version}/">stepscope {version}</a>
"""


def build(version: str, revision: str, out: Path = OUT) -> None:
    """Build a revision's documentation into a folder of the version's name, and list it."""
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder)
        archive = subprocess.run(["git", "archive", revision], check=True, cwd=ROOT, capture_output=True)
        subprocess.run(["tar", "-x"], check=True, cwd=checkout, input=archive.stdout)
        strict = configure(checkout)
        command = [str(Path(sys.executable).with_name("zensical")), "build", *strict]
        subprocess.run(command, check=True, cwd=checkout)
        target = out / version
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(checkout / "site", target)
    list_versions(out)


def configure(checkout: Path) -> list[str]:
    """Add the selector to the checkout's configuration, and return the options of the build.

    A revision from before the site has no configuration: it takes today's, with the README as its first page. Its links into folders
    beside docs/ lead nowhere on a site, so the build is not strict then.
    """
    path = checkout / "zensical.toml"
    options = ["--strict"]
    if not path.exists():
        today = (ROOT / "zensical.toml").read_text(encoding="utf-8").replace('  "navigation.tabs",\n', "")
        today = re.sub(r"^nav = \[\n.*?^\]\n", "", today, flags=re.MULTILINE | re.DOTALL)
        path.write_text(today, encoding="utf-8")
        readme = (checkout / "README.md").read_text(encoding="utf-8")
        (checkout / "docs" / "index.md").write_text(readme.replace("(docs/", "("), encoding="utf-8")
        options = []
    text = path.read_text(encoding="utf-8")
    if "version" not in tomllib.loads(text)["project"].get("extra", {}):
        path.write_text(text + SELECTOR, encoding="utf-8")
    return options


def list_versions(out: Path) -> None:
    """Write versions.json, newest first and the newest called `latest`, and the page that leads to the newest."""
    names = sorted(
        (path.name for path in out.iterdir() if VERSION.fullmatch(path.name)),
        key=lambda name: [int(part) for part in name.split(".")],
        reverse=True,
    )
    entries = [
        {"version": name, "title": name, "aliases": ["latest"] if name == names[0] else []} for name in names
    ]
    (out / "versions.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    (out / "index.html").write_text(REDIRECT.format(version=names[0]), encoding="utf-8")


def main() -> int:
    """Build the version that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", help="such as 0.3.0")
    parser.add_argument("--revision", default="HEAD", help="a commit or tag  [HEAD]")
    options = parser.parse_args()
    if not VERSION.fullmatch(options.version):
        parser.error(f"{options.version!r} is not a version: write it as 0.3.0")
    build(options.version, options.revision)
    return 0


if __name__ == "__main__":
    sys.exit(main())
