"""JSONPath and intrinsic functions, as Step Functions reads them."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.local_aws.states.intrinsics import (
    FUNCTIONS,
    IntrinsicError,
    IntrinsicSyntaxError,
    evaluate_intrinsic,
    parse_intrinsic,
    references,
)
from monitoring.local_aws.states.jsonpath import PathNotFoundError, PathSyntaxError, compile_path, equal

ORDER = {
    "id": "o-1",
    "lines": [
        {"sku": "tea", "n": 2, "tags": ["hot", "leaf"]},
        {"sku": "cup", "n": 1, "tags": []},
        {"sku": "pot", "n": 4, "tags": ["hot"], "gift": None},
    ],
    "ship-to": {"zip.code": "0815", "city": "Bonn"},
    "empty": [],
    "nothing": None,
}
FOUND = [
    ("$", ORDER),
    ("$.id", "o-1"),
    ("$['id']", "o-1"),
    ('$["ship-to"].city', "Bonn"),
    ("$.ship-to.city", "Bonn"),
    ("$.ship-to['zip.code']", "0815"),
    ("$.lines[0].sku", "tea"),
    ("$.lines[2]", ORDER["lines"][2]),
    ("$.lines[-1].sku", "pot"),
    ("$.lines.[1].sku", "cup"),
    ("$.lines[0].tags[1]", "leaf"),
    ("$.lines[2].gift", None),
    ("$.nothing", None),
    ("$.lines[9]", None),
    ("$.lines[*].sku", ["tea", "cup", "pot"]),
    ("$.lines[0:1].sku", ["tea"]),
    ("$.lines[1:].sku", ["cup", "pot"]),
    ("$.lines[:-1].sku", ["tea", "cup"]),
    ("$.lines[-2:].n", [1, 4]),
    ("$.lines[0,2].sku", ["tea", "pot"]),
    ("$.lines[*].tags[0]", ["hot", None, "hot"]),
    ("$..city", ["Bonn"]),
    ("$..n", [2, 1, 4]),
    ("$..tags[0]", ["hot", None, "hot"]),
    ("$.lines[?(@.n > 1)].sku", ["tea", "pot"]),
    ("$.lines[?(@.n >= 1 && @.sku == 'cup')].n", [1]),
    ("$.lines[?(@.sku == tea)].n", [2]),
    ("$.lines[?(@.gift)].sku", ["pot"]),
    ("$.lines[?(!(@.gift))].sku", ["tea", "cup"]),
    ("$.lines[?(@.sku in ['tea', 'pot'])].n", [2, 4]),
    ("$.lines[?(@.tags contains 'leaf')].sku", ["tea"]),
    ("$.lines[?(@.sku =~ /P.*/i)].sku", ["pot"]),
    ("$.lines[?(@.n == $.lines[2].n)].sku", ["pot"]),
    ("$.lines[?(@.n > 9)]", []),
    ("$.lines[*]['sku','n']", [{"sku": line["sku"], "n": line["n"]} for line in ORDER["lines"]]),
    ("$.empty[*]", []),
    ("$.missing[*].sku", []),
    ("$.missing[0:2]", []),
    ("$.ship-to.*", ["0815", "Bonn"]),
    ("$.lines.length()", 3),
    ("$.lines[*].n.sum()", 7),
]
MISSING = [
    ("$.missing", r"No results for path: \$\['missing'\]"),
    ("$.missing.more", r"Missing property in path \$\['missing'\]"),
    ("$.lines[0].missing", r"No results for path: \$\['lines'\]\[0\]\['missing'\]"),
    ("$.id.more", r"Expected to find an object with property \['more'\] in path \$\['id'\]"),
    ("$.id[0]", r"Filter: \[0\] can only be applied to arrays. Current context is: \"o-1\""),
    ("$.nothing[0]", r"The path \$\['nothing'\] is null"),
    ("$.lines[9].sku", r"Expected to find an object with property \['sku'\] in path \$\['lines'\]\[9\]"),
    ("$[0:1]", r"can only be applied to arrays"),
]
INVALID = ["", "id", "$.", "$..", "$[", "$['a", "$.a[b]", "$.a[?(@.b ==)]", "$.a[?@.b", "$.a b", "$.a[1:2:3]"]


@pytest.mark.parametrize(("path", "value"), FOUND)
def test_a_path_names_what_aws_gives(path: str, value: Any) -> None:
    assert compile_path(path).find(ORDER) == value


@pytest.mark.parametrize(("path", "message"), MISSING)
def test_a_definite_path_that_names_nothing_says_where_it_ends(path: str, message: str) -> None:
    with pytest.raises(PathNotFoundError, match=message):
        compile_path(path).find(ORDER)


def test_an_index_beyond_an_array_is_null_and_nothing_where_a_value_is_needed() -> None:
    assert compile_path("$.lines[7]").find(ORDER) is None
    with pytest.raises(PathNotFoundError):
        compile_path("$.lines[7]").find(ORDER, strict=True)


@pytest.mark.parametrize("path", INVALID)
def test_a_text_that_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(PathSyntaxError):
        compile_path(path)


keys = st.text("abc-é", min_size=1, max_size=3)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("xy", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


def places(value: Any, path: str = "$") -> list[tuple[str, Any]]:
    """Every path of names and indexes, written in both ways, with its value."""
    found = [(path, value)]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, f"{path}['{key}']") + places(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += places(inner, f"{path}[{number}]") + places(inner, f"{path}[{number - len(value)}]")
    return found


@given(documents)
def test_a_path_of_names_and_indexes_gives_the_value_and_its_wildcard_a_list(document: Any) -> None:
    for path, value in places(document)[:200]:
        assert equal(compile_path(path).find(document), value)
        inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        assert compile_path(f"{path}[*]").find(document) == inner
        if isinstance(value, list):
            assert compile_path(f"{path}[1:]").find(document) == value[1:]
        assert compile_path(f"{path}..zz").find(document) == []


# -- intrinsic functions

DATA = {
    "name": "Ada",
    "list": [1, 2, 3, 4, 5],
    "object": {"a": 1, "b": [True, None]},
    "text": "1,2;3",
    "half": 2.5,
}
CALLS = [
    ("States.Format('Hello {}, {} of {}', $.name, 1, null)", "Hello Ada, 1 of null"),
    (r"States.Format('\{{}\} \'{}\'', $.half, $.object)", "{2.5} '{a=1, b=[true, null]}'"),
    ("States.Format($.name)", "Ada"),
    ("States.Format('{}', $.list[1])", "2"),
    ("States.Format('{}', $.object['b'])", "[true, null]"),
    ("States.StringToJson('{\"a\": [1, 2.0]}')", {"a": [1, 2.0]}),
    ("States.StringToJson('  ')", None),
    ("States.JsonToString($.object)", '{"a":1,"b":[true,null]}'),
    ("States.Array($.name, 'b', 3, true, States.Array())", ["Ada", "b", 3, True, []]),
    ("States.ArrayPartition($.list, 2)", [[1, 2], [3, 4], [5]]),
    ("States.ArrayPartition($.list, 2.4)", [[1, 2], [3, 4], [5]]),
    ("States.ArrayContains($.list, 3)", True),
    ("States.ArrayContains($.list, '3')", False),
    ("States.ArrayContains(States.Array(1), true)", False),
    ("States.ArrayRange(1, 9, 4)", [1, 5, 9]),
    ("States.ArrayRange(5, 1, -2)", [5, 3, 1]),
    ("States.ArrayGetItem($.list, 4)", 5),
    ("States.ArrayLength($.list)", 5),
    ("States.ArrayLength($.list[*])", 5),
    ("States.ArrayUnique(States.Array(1, 1, true, 'a', 'a'))", [1, True, "a"]),
    ("States.Base64Encode('Grüße')", "R3LDvMOfZQ=="),
    ("States.Base64Decode('R3LDvMOfZQ==')", "Grüße"),
    ("States.Hash('x', 'SHA-512')", hashlib.sha512(b"x").hexdigest()),
    ("States.Hash($.object, 'MD5')", hashlib.md5(b'{"a":1,"b":[true,null]}').hexdigest()),
    ("States.JsonMerge($.object, States.StringToJson('{\"b\": 2}'), false)", {"a": 1, "b": 2}),
    ("States.MathAdd(2, -5)", -3),
    ("States.MathAdd($.half, -2.5)", 1),
    ("States.StringSplit($.text, ',;')", ["1", "2", "3"]),
    ("States.StringSplit('a.*b', '.*')", ["a", "b"]),
    ("States.ArrayLength(States.StringSplit(States.Format('{}-{}', $.name, $.name), '-'))", 2),
]
FAILING = [
    "States.StringToJson('{')",
    "States.StringToJson($.list)",
    "States.ArrayPartition($.list, 0)",
    "States.ArrayPartition($.name, 1)",
    "States.ArrayRange(1, 2, 0)",
    "States.ArrayRange(1, 5000, 1)",
    "States.ArrayGetItem($.list, 5)",
    "States.ArrayGetItem($.list, -1)",
    "States.ArrayGetItem($.list, 1.5)",
    "States.ArrayLength($.name)",
    "States.Base64Decode('not base64!')",
    "States.Base64Encode(5)",
    "States.Hash('x', 'SHA256')",
    "States.JsonMerge($.object, $.object, true)",
    "States.JsonMerge($.object, $.list, false)",
    "States.MathAdd(1, true)",
    "States.MathRandom(5, 5)",
    "States.StringSplit('a', '')",
    "States.Format('{} {}', 1)",
    "States.Format('{}', 1, 2)",
]
NO_CALL = [
    "States.Nope()",
    "States.UUID(1)",
    "States.Format()",
    "States.Array(1",
    "States.Array(1,)",
    "UUID()",
    "$.a",
]


def lookup(path: str) -> Any:
    return compile_path(path).find(DATA)


@pytest.mark.parametrize(("call", "value"), CALLS)
def test_an_intrinsic_function_gives_what_aws_gives(call: str, value: Any) -> None:
    result = evaluate_intrinsic(parse_intrinsic(call), lookup)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize("call", FAILING)
def test_an_intrinsic_function_refuses_arguments_without_pythons_words(call: str) -> None:
    with pytest.raises(IntrinsicError) as failed:
        evaluate_intrinsic(parse_intrinsic(call), lookup)
    assert not any(word in str(failed.value) for word in ("<class", "Error(", "NoneType", "None", "True"))


@pytest.mark.parametrize("call", NO_CALL)
def test_a_text_that_is_no_call_is_refused(call: str) -> None:
    with pytest.raises(IntrinsicSyntaxError):
        parse_intrinsic(call)


def test_every_function_is_in_the_tables() -> None:
    named = {name for name in FUNCTIONS if any(name in call for call, _ in CALLS)}
    assert set(FUNCTIONS) - named == {"States.MathRandom", "States.UUID"}


def test_random_numbers_are_within_their_bounds_and_repeat_with_a_seed() -> None:
    drawn = [evaluate_intrinsic(parse_intrinsic("States.MathRandom(3, 6)"), lookup) for _ in range(200)]
    assert set(drawn) == {3, 4, 5}
    seeded = {
        evaluate_intrinsic(parse_intrinsic("States.MathRandom(0, 999999, 7)"), lookup) for _ in range(3)
    }
    assert len(seeded) == 1
    assert len({evaluate_intrinsic(parse_intrinsic("States.UUID()"), lookup) for _ in range(9)}) == 9


def test_the_paths_among_arguments_are_known() -> None:
    call = parse_intrinsic("States.Format('{$.no}', $.a['b,c'], States.Array($$.Execution.Id, $v[0]))")
    assert references(call) == ["$.a['b,c']", "$$.Execution.Id", "$v[0]"]


@given(st.lists(st.text("a{}'\\ ", max_size=6), min_size=1, max_size=3))
def test_any_text_can_be_written_as_a_literal(texts: list[str]) -> None:
    literals = ", ".join("'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'" for text in texts)
    assert evaluate_intrinsic(parse_intrinsic(f"States.Array({literals})"), lookup) == texts
    placeholders = ",".join("{}" for _ in texts)
    assert evaluate_intrinsic(
        parse_intrinsic(f"States.Format('{placeholders}', {literals})"), lookup
    ) == ",".join(texts)


def test_json_is_written_as_aws_writes_it() -> None:
    text = evaluate_intrinsic(parse_intrinsic("States.JsonToString($)"), lambda _: {"é": [1, 1.5, "x"]})
    assert text == '{"é":[1,1.5,"x"]}'
    assert json.loads(text)
