"""The short way to read a plain query gives what the parser gives, places included."""

import json
from dataclasses import fields, is_dataclass

from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared_data

from monitoring.query import QueryError, parse
from monitoring.resources.parsed import _plain


def spelled(node):
    """A node with its places, which equality leaves out."""
    if is_dataclass(node):
        return (
            type(node).__name__,
            *((each.name, spelled(getattr(node, each.name))) for each in fields(node)),
        )
    return [spelled(each) for each in node] if isinstance(node, tuple) else node


def agrees(text):
    short = _plain(text)
    if short is None:
        return False
    assert spelled(short) == spelled(parse(text)), text
    return True


def test_it_agrees_with_the_parser_on_the_queries_of_real_dashboards():
    with shared_data("dashboard_queries.jsonl").open(encoding="utf-8") as lines:
        texts = {row["text"] for row in map(json.loads, lines) if row["kind"] == "query"}
    short = sum(agrees(text) for text in texts)
    assert short > len(texts) / 3


WORDS = st.sampled_from(
    [
        "avg",
        "sum:",
        "a.b",
        "aws.lambda.errors",
        "{",
        "}",
        "*",
        "$env",
        "$env.value",
        "key:value",
        "!a:b",
        "!*",
        ",",
        " by ",
        "by",
        "{a,b}",
        ".as_count()",
        ".as_rate()",
        ".rollup(sum)",
        " ",
        "a:b*c",
        "1",
        "Key:V",
        "a:b:c",
        "..",
        "é:ü",
    ]
)


@given(
    st.lists(WORDS, max_size=9).map("".join)
    | st.builds("avg:{}{{{}}}".format, st.text(max_size=8), st.text(max_size=12))
)
def test_it_agrees_with_the_parser_on_any_text(text):
    short = _plain(text)
    if short is None:
        return
    try:
        whole = parse(text)
    except QueryError as error:
        raise AssertionError(f"{text!r} is refused: {error}") from error
    assert spelled(short) == spelled(whole)
