"""dead-link: a link in a message, note or menu that leads nowhere."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from monitoring.lint.model import Problem, Rule, Subject
from monitoring.resources.document import Pointer
from monitoring.resources.resource import strings

RULE = Rule("dead-link", "warning", "A link that leads nowhere.")

_MARKDOWN = re.compile(r"\[[^\]\n]*\]\((?P<target>[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)")
_BARE = re.compile(r"(?<![\w(\[\"'])https?://[^\s)>\]\"'|]*")
_TEXTS = frozenset({"message", "escalation_message", "description", "content", "link", "url"})
_BOARD = re.compile(r"(?:https?://[^/]+)?/dashboard/(?P<id>[^/?#]+)")
_ID = re.compile(r"[a-z0-9]{3}-[a-z0-9]{3}-[a-z0-9]{3}\Z")
_NOBODY = re.compile(r"(?:^|\.)(?:example\.(?:com|org|net)|localhost)\Z")


def check(subject: Subject) -> Iterator[Problem]:
    """Find links without a target, with a placeholder for a host, or with an invalid id of a dashboard."""
    if not any(mark in subject.document.text for mark in ("](", "http", '"link"', '"url"')):
        return
    for pointer, text in strings(subject.body):
        if not pointer or pointer[-1] not in _TEXTS:
            continue
        for target, start, end in links(pointer, text):
            yield from _check(subject, pointer, target, start, end)


def links(pointer: Pointer, text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the link targets in a text with their offsets; a `link` or `url` is one as a whole."""
    if pointer[-1] in {"link", "url"}:
        yield text, 0, len(text)
        return
    inside = []
    for match in _MARKDOWN.finditer(text):
        inside.append(match.span())
        yield match.group("target"), *match.span("target")
    for bare in _BARE.finditer(text):
        if not any(start <= bare.start() < end for start, end in inside):
            yield bare.group().rstrip(".,;:"), *bare.span()


def _check(subject: Subject, pointer: Pointer, target: str, start: int, end: int) -> Iterator[Problem]:
    if not target:
        yield Problem(
            pointer, "a link without a target. Write [words](https://…)", start, max(end, start + 1)
        )
        return
    if "{{" in target.partition("?")[0]:
        return
    board = _BOARD.match(target)
    if board and "$" not in board.group("id") and not _ID.match(board.group("id")):
        identity = board.group("id")
        text = f"{identity} is not a dashboard id (abc-def-ghi). Write ${{dashboard:KEY}} for one of yours"
        yield Problem(pointer, text, start, end)
    if "${" in target:
        return
    if target.startswith("/"):
        if subject.resource.kind == "monitor":
            text = "a link in a notification needs a host. Write https://… in full"
            yield Problem(pointer, text, start, end)
        return
    host = _host(target)
    if target.startswith("http") and not host:
        yield Problem(pointer, f"{target} names no host. Write the address in full", start, end)
    elif _NOBODY.search(host):
        text = f"{host} is a placeholder. Put in the address that people need"
        yield Problem(pointer, text, start, end)


def _host(target: str) -> str:
    try:
        return urlsplit(target).hostname or ""
    except ValueError:
        return ""
