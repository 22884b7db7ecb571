"""The short notation of values in a monitor test: `0x10 1+0x3 _x5`.

Promtool's notation where it is good: `a+bxn` starts at a and then makes n further steps of b, `axn` is a and
n further a, `_` is a missing point and `_xn` n of them.
"""

import re
from collections.abc import Callable

from monitoring.errors import InputError

Slot = tuple[float, ...] | None
"""The values of one point in time: several for a distribution, None where nothing was submitted."""

MOST_POINTS = 1_000_000
"""A longer list is a slip of the keyboard (`x1000000000`), not a test."""

_UNSIGNED = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBER = rf"[+-]?{_UNSIGNED}"
_TOKEN = re.compile(
    rf"(?P<open>\()|(?P<close>\)(?:x(?P<group>\d+))?)"
    rf"|(?P<gap>_|stale)(?:x(?P<gaps>\d+))?(?=[\s()]|$)"
    rf"|(?P<value>{_NUMBER}(?:,{_NUMBER})*)(?:(?P<step>[+-]{_UNSIGNED})?x(?P<times>\d+))?(?=[\s()]|$)"
)


class NotationError(InputError):
    """Values that cannot be read; `start` and `end` are offsets in the text."""

    def __init__(self, message: str, start: int, end: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.start = start
        self.end = end


def parse_values(text: str) -> list[Slot]:
    """Parse `text` into slots, one for each interval.

    values = { number | number step "x" n | number "x" n | "_" | "_x" n | "stale" | "(" values ")" ["x" n] }

    Raises:
        NotationError: with the place in the text and what could stand there.
    """
    levels: list[list[Slot]] = [[]]
    opened: list[int] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        token = _TOKEN.match(text, at)
        if token is None:
            raise _unreadable(text, at)
        _take(token, levels, opened)
        at = token.end()
    if opened:
        raise NotationError("this bracket is never closed", opened[-1], opened[-1] + 1, "add ) or )x3")
    return levels[0]


def _take(token: re.Match[str], levels: list[list[Slot]], opened: list[int]) -> None:
    if token["open"]:
        levels.append([])
        opened.append(token.start())
        return
    if token["close"]:
        if not opened:
            raise NotationError("this bracket closes nothing", *token.span(), hint="remove it")
        opened.pop()
        slots = levels.pop()
        further = int(token["group"] or 0)
        _check(token, len(slots) * (further + 1))
        slots = slots * (further + 1)
    elif token["gap"]:
        _check(token, int(token["gaps"] or 1))
        slots = [None] * int(token["gaps"] or 1)
    else:
        slots = _values(token)
    _check(token, len(levels[-1]) + len(slots))
    levels[-1].extend(slots)


def _values(token: re.Match[str]) -> list[Slot]:
    first = tuple(float(part) for part in token["value"].split(","))
    further = int(token["times"] or 0)
    _check(token, further)
    step = float(token["step"] or 0)
    if not step:
        return [first] * (further + 1)
    return [tuple(value + step * k for value in first) for k in range(further + 1)]


def _check(token: re.Match[str], count: int) -> None:
    if count > MOST_POINTS:
        raise NotationError(
            f"{count:,} points are more than {MOST_POINTS:,}", *token.span(), hint="shorten it"
        )


def _unreadable(text: str, at: int) -> NotationError:
    word = text[at:].split(None, 1)[0]
    hint = next((text for wrong, text in _HINTS if wrong(word)), "")
    usual = "write numbers, 0x10 (0 and ten further 0), 0+1x10 (0, 1 … 10), _ (missing) or _x5"
    return NotationError(f"{word!r} is not a valid value", at, at + len(word), hint=f"{hint}{usual}")


_HINTS: list[tuple[Callable[[str], bool], str]] = [
    (lambda word: "*" in word or "X" in word, "repeat with a small x: 0x10; "),
    (lambda word: word.lower() in {"null", "none", "nan", "-"}, "a missing point is _; "),
    (lambda word: word.endswith(","), "separate values by spaces; "),
]
