"""Sample outputs on the pages are recorded: the commands of a page are run, and print what the page shows.

A fenced block that begins with `$ stepscope` holds a command and what it prints. A line that is nothing but a
file's name in backticks says what the block after it is called; files and commands come in the page's order.
"""

import random
import re
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitoring.cli import main

pytestmark = pytest.mark.checkout
ROOT = Path(__file__).parents[1]
COMMANDS = ("test", "backtest", "query", "lint")
BLOCK = re.compile(r"(?:^`([\w./-]+)`\n\n)?^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIES = (
    (re.compile(r"in \d+\.\d\d s$", re.MULTILINE), "in … s"),
    (re.compile(r"^\d+ files:", re.MULTILINE), "… files:"),  # of what is shipped there is more every month
)


def points(folder):
    """A month of three state machines: now and then a burst of failures."""
    dice = random.Random(5)
    start = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
    rows = ["metric,timestamp,value,type,interval,tags"]
    for name, bursts in (("slides", 4), ("orders", 2), ("reports", 1)):
        failed = {0: 0, 30 * 1440: 0}
        for _ in range(bursts):
            first = dice.randrange(30 * 1440)
            failed |= {
                first + at: dice.randint(1, 4) for at in range(0, dice.randint(1, 30), dice.randint(1, 9))
            }
        rows += [
            f"aws.states.executions_failed,{start + minute * 60},{count},count,60,env:prod statemachinearn:{name}"
            for minute, count in sorted(failed.items())
        ]
    (folder / "points.csv").write_text("\n".join(rows) + "\n")


SLOW = """\
{
  "name": "Slow {{functionname.name}}",
  "type": "query alert",
  "query": "avg(last_5m):avg:aws.lambda.duraton{functionname:*} by {functionname} > 5",
  "message": "It is slow. @slack-oncall",
  "tags": [],
  "options": {"thresholds": {"critical": 50}, "on_missing_data": "default"}
}
"""


def shipped(folder):
    """What `stepscope init` puts down, and a monitor with two mistakes."""
    for name in ("dashboards", "monitors", "slos"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "monitors" / "slow.json").write_text(SLOW)


PAGES = {
    "README.md": shipped,
    "docs/lint.md": None,
    "docs/monitor-tests.md": points,
    "docs/query.md": None,
}


def is_recorded(text):
    return re.match(rf"\$ stepscope ({'|'.join(COMMANDS)})\s", text) is not None


def normal(text):
    for pattern, same in VARIES:
        text = pattern.sub(same, text)
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def transcripts(text):
    """(command, what it prints) of a block that may hold several."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def run(command, capsys):
    with pytest.raises(SystemExit):
        main(shlex.split(command, comments=True)[1:])
    shown = capsys.readouterr()
    return shown.out + shown.err


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_print_what_it_shows(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if PAGES[page]:
        PAGES[page](tmp_path)
    seen = 0
    for name, text in BLOCK.findall((ROOT / page).read_text()):
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        if is_recorded(text):
            for command, shown in transcripts(text):
                printed, wanted = normal(run(command, capsys)), normal(shown)
                if wanted[-1:] == ["…"]:  # the page leaves out the rest
                    printed[len(wanted) - 1 :] = wanted[-1:]
                assert printed == wanted, command
                seen += 1
    assert seen


def test_no_page_shows_an_output_that_is_not_recorded():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    showing = {
        str(page.relative_to(ROOT))
        for page in pages
        if any(is_recorded(text) for _, text in BLOCK.findall(page.read_text()))
    }
    executed = {page for page in showing if page.startswith(("docs/guides/", "docs/tutorial.md"))}
    assert showing - executed == set(PAGES)  # tests/tutorial executes the others
