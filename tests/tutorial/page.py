"""Read a page of the documentation as steps that can be carried out."""

import re
from typing import NamedTuple

FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="([^"]*)"')
OTHER_TERMINAL = "second terminal"


class File(NamedTuple):
    """A file that the reader writes: a block with a language and a title."""

    path: str
    text: str


class Command(NamedTuple):
    """A command of a `console` block, and what it prints; `…` stands for whatever is there.

    Attributes:
        line: what follows `$ `; `^C` for Ctrl-C in the second terminal; "" for what is printed there meanwhile.
        shown: the lines below it, joined.
        elsewhere: typed in the second terminal, where it goes on running.
    """

    line: str
    shown: str
    elsewhere: bool


def steps_of(page: str) -> list[File | Command]:
    """Return the files and commands of a page, in order. Blocks without a title that are not `console` are no steps."""
    steps: list[File | Command] = []
    for block in FENCE.finditer(page):
        title = TITLE.search(block["info"])
        if block["info"].startswith("console"):
            steps += commands_of(block["text"], elsewhere=bool(title and title[1] == OTHER_TERMINAL))
        elif title:
            steps.append(File(title[1], block["text"]))
    return steps


def commands_of(text: str, *, elsewhere: bool) -> list[Command]:
    """Return the commands of a `console` block, each with the lines below it."""
    rows = [(line.removeprefix("$ "), line.startswith("$ ") or line == "^C") for line in text.splitlines()]
    assert rows[0][1] or elsewhere, f"the block begins without a command: {text}"
    commands = [] if rows[0][1] else [Command("", "", elsewhere)]
    for line, typed in rows:
        if typed:
            commands.append(Command(line, "", elsewhere))
        else:
            commands[-1] = commands[-1]._replace(shown=f"{commands[-1].shown}{line}\n")
    return commands


def pattern_of(shown: str) -> re.Pattern[str]:
    """Return what the output has to be: `…` in a line is any text, `…` alone any number of lines.

    Runs of spaces are equal to one another: columns are as wide as their values.
    """
    parts = []
    for line in shown.splitlines():
        if line.strip() == "…":
            parts.append(r"(?:[^\n]*\n)*")
        else:
            words = (re.escape(word).replace("…", "[^\n]*") for word in line.rstrip().split(" ") if word)
            parts.append(" *" + " +".join(words) + " *\n")
    return re.compile("".join(parts))
