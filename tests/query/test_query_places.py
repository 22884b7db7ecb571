"""Every node of a query knows where it stands: what is written there alone means the same node (nodes.Placed)."""

from dataclasses import fields, is_dataclass

import pytest

from monitoring.query import parse, parse_monitor
from monitoring.query.monitor_nodes import Algorithm, Change, Combined, Member, Opposite, Window
from monitoring.query.nodes import (
    And,
    Binary,
    Call,
    Everything,
    Groups,
    In,
    Keyword,
    Metric,
    Modifier,
    Negative,
    Not,
    Number,
    Or,
    Placed,
    Reference,
    Several,
    String,
    Tag,
    Threshold,
    Variable,
)

SCOPE = And | Or | Not | In | Tag | Variable | Everything

QUERIES = [
    "  avg:m{*} ",
    "m { a:b , ! c:d } by { host , az } .rollup( sum , 60 ) .as_count( ) ",
    " p99:m{a:b AND (c:d OR NOT e:f) } . fill ( zero ) ",
    "sum:m{ $env , host:$host.value , foo }",
    "sum:m{az  NOT  IN ( a , b ) }",
    "sum:m{az IN (a) OR b:c }",
    " count ( v : v >= 0.5 ) : d { a:b } by {c}  ",
    " a  +  b * - c  -  ( d / 2 )  ",
    " a , - ( b ) , 1.5 ",
    " - 2 + + a ",
    " top ( m{*} , 10 , mean , 'desc' ) ",
    " sum ( a , { host , az } ) + sum(a, { * } ) ",
    " anomalies( a , 'basic' , 2 , direction = 'above' , interval = 60 ) ",
    " abs( abs ( a ) ) ",
]
MONITORS = [
    "  avg( last_5m ) : avg:m{a:b} by {host} * 2 > 5  ",
    " pct_change( avg( last_5m ) , last_1h ) : avg:m{*} <= -5 ",
    "change(max(last_5m), 1d_ago ) : avg:m{*} > threshold  ",
    "avg(last_4h):anomalies( avg:m{*} , 'basic', 2, direction='above' ) >= 1 ",
    ' logs( "a" ) .index("main") .rollup( "count" , "@b" ) .by("c") .last( "5m" ) > 2  ',
    ' rum("a").rollup("count").current( "1d" ) > 2 ',
    ' formula( " query1 / query2 " ).rollup("sum").last( "5m" ) .anomaly( direction="above" ) > 1 ',
    ' "ntp.in_sync" .over("a:b") .by("host") .last( 2 ) .count_by_status( ) ',
    " processes( 'java' ).over('a').rollup('count').last( '1h' ) > 5 ",
    ' burn_rate( "abc" ) .over( "7d" ) .long_window( "1h" ) .short_window("5m" ) > 14.4 ',
    " 1 && ! 2 || ( 3 && 4 ) ",
    " no_query ",
]


def placed(value):
    """Yield every node with the nodes around it, the outermost first."""
    if isinstance(value, Placed):
        yield value
    if is_dataclass(value):
        # The formula of a monitor is a text of its own: its nodes have their places in there.
        value = [getattr(value, field.name) for field in fields(value) if field.name != "formula"]
    if isinstance(value, list | tuple):
        for item in value:
            yield from placed(item)


def window(text):
    quoted = text.strip("\"'")
    if quoted.endswith("_ago"):
        return Window("last", *_length(quoted.removesuffix("_ago")))
    tense, _, length = quoted.rpartition("_")
    return Window(tense or None, *_length(length))


def _length(text):
    digits = text.rstrip("mhdwo")
    return int(digits), text[len(digits) :]


MEANT = {
    SCOPE: lambda text: parse(f"m{{{text}}}").scope,
    Modifier: lambda text: parse(f"m{{*}}{text}").modifiers[0],
    Keyword: lambda text: parse(f"anomalies(a, 'basic', 2, {text})").keywords[0],
    String: lambda text: String(text.strip("'")),
    Groups: lambda text: parse(f"sum(a, {text})").arguments[1],
    Threshold: lambda text: parse(f"{text}:m{{*}}").threshold,
    Change: lambda text: parse_monitor(f"{text}:avg:m{{*}} > 1").change,
    Algorithm: lambda text: parse_monitor(f"avg(last_5m):{text} > 1").algorithm,
    Member | Opposite | Combined: lambda text: parse_monitor(text).expression,
    Number | Reference | Metric | Call | Negative | Binary | Several: parse,
    Placed: parse_monitor,
}
"""What a text alone means, where such a node can stand."""


def meant(node, text):
    if isinstance(node, Window):
        found = window(text)
        return Window(found.tense or node.tense, found.count, found.unit)
    return next(read for kind, read in MEANT.items() if isinstance(node, kind))(text)


@pytest.mark.parametrize(
    ("read", "text"), [(parse, text) for text in QUERIES] + [(parse_monitor, text) for text in MONITORS]
)
def test_what_stands_at_a_nodes_place_means_that_node(read, text):
    nodes = list(placed(read(text)))
    assert nodes
    for node in nodes:
        assert 0 <= node.start < node.end <= len(text), node
        part = text[node.start : node.end]
        assert part == part.strip(), node
        assert meant(node, part) == node, part
