"""The mutation run: what is edited, what is left alone, which lines count as changed, what the table says."""

import importlib.util
import os
from pathlib import Path

import mutant_operators as operators
import mutant_reach as reach
import mutant_rules
import mutant_run as run
import pytest
from mutant_areas import AREAS, ROOT

pytestmark = pytest.mark.checkout
SPEC = importlib.util.spec_from_file_location("mutants_main", Path(__file__).with_name("__main__.py"))
cli = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(cli)


@pytest.fixture(autouse=True)
def kept():
    """Take back what a run sets for its children: the tests that follow would inherit it too."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def made(source):
    return {(mutant.operator, mutant.applied(source)) for mutant in operators.mutants("m.py", source)}


@pytest.mark.parametrize(
    ("source", "operator", "mutated"),
    [
        ("a < b", "comparison", "(a <= b)"),
        ("a >= b", "comparison", "(a > b)"),
        ("a < b <= c", "comparison", "(a < b < c)"),
        ("x = 60", "constant + 1", "x = (61)"),
        ("x = 60", "constant - 1", "x = (59)"),
        ("def f(x=1): pass", "constant - 1", "def f(x=(0)): pass"),
        ("x = True", "True/False", "x = False"),
        ("a + b", "arithmetic", "(a - b)"),
        ("a += b", "arithmetic", "a -= b"),
        ("a and b", "and/or", "(a or b)"),
        ("a and b", "operand removed", "(b)"),
        ("not a", "not removed", "(a)"),
        ("-a", "sign", "(a)"),
        ("min(a)", "call swapped", "(max(a))"),
        ("np.nansum(a)", "call swapped", "(np.nanmax(a))"),
        ("f(a, b=c)", "keyword removed", "(f(a))"),
        ('g("left")', "word", "g('right')"),
        ('g["no_data"]', "text", "g['no_dataXX']"),
        ("if a: b", "branch never", "if False: b"),
        ("a if b else c", "branch always", "a if True else c"),
        ("def f(): return a", "return value", "def f(): return None"),
        ("def f(): return [a]", "return value", "def f(): return []"),
        ("f()", "statement removed", "pass"),
        ("a.b = c", "statement removed", "pass"),
        ("for a in b: break", "statement removed", "for a in b: pass"),
        ("[a for a in b if a]", "filter removed", "[a for a in b if True]"),
        ("é = 'ü' + (a < b)", "comparison", "é = 'ü' + ((a <= b))"),
    ],
)
def test_each_operator_edits_its_place_and_nothing_else(source, operator, mutated):
    assert (operator, mutated) in made(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "import a.b",
        '__all__ = ["a"]',
        "x: Literal['a']",
        "X = Literal['a', 'b']",
        "def f(x: Literal['a']) -> Literal['b']: ...",
        "if TYPE_CHECKING:\n    x = 1",
        "@cache(1)\ndef f(): ...",
        "raise_(f'{a} is not a number')",
        "class A:\n    def __repr__(self): return 'A' + self.b",
        "assert a < b",
    ],
)
def test_what_a_reader_or_a_type_checker_reads_is_left_alone(source):
    assert {mutated for operator, mutated in made(source) if operator != "statement removed"} == set()


@pytest.mark.parametrize(
    "source",
    [
        "for x in zip(a, b, strict=True): c",
        "open(a, encoding='ascii')",
        "InputError(a, hint='write-one')",
        "Thread(target=a, name='writer')",
        "cast('a.B', a)",
        "TypeVar('T')",
    ],
)
def test_what_changes_no_result_of_a_call_is_left_alone(source):
    changed = {mutated for operator, mutated in made(source) if operator != "statement removed"}
    assert changed == ({"(Thread(name='writer'))"} if "Thread" in source else set())


def test_a_mutant_is_named_by_its_outermost_function_and_equal_edits_are_numbered():
    source = "class A:\n    def f(self):\n        def g():\n            return (a < b) + (a < b)\n"
    keys = [mutant.key for mutant in operators.mutants("m.py", source) if mutant.after == "(a <= b)"]
    assert keys == ["m.py::A.f | a < b -> (a <= b)", "m.py::A.f | a < b -> (a <= b) #2"]


def test_every_mutant_of_the_areas_can_be_read_as_python_and_has_a_key_of_its_own():
    for path in AREAS["judge"].source_files():
        source = (ROOT / path).read_text()
        mutants = operators.mutants(path, source)
        assert len(mutants) > 50
        for mutant in mutants:
            compile(mutant.applied(source), path, "exec")
        keys = [mutant.key for mutant in mutants]
        assert len(set(keys)) == len(keys)


DIFF = """\
--- a/monitoring/a.py
+++ b/monitoring/a.py
@@ -3 +3,2 @@ def f():
+x
+y
@@ -9,2 +10,0 @@
-z
--- a/monitoring/b.py
+++ /dev/null
@@ -1 +0,0 @@
"""


def test_the_lines_of_a_change_are_those_that_were_added():
    assert cli.changed_lines(DIFF) == {"monitoring/a.py": {3, 4}, "/dev/null": set()}


def test_a_function_is_named_alike_by_its_code_and_by_its_text():
    def outer():
        def inner():
            return [x + 1 for x in ()]

        return inner

    code = outer().__code__
    assert reach.function_of(code) == "test_a_function_is_named_alike_by_its_code_and_by_its_text"
    assert reach.function_of(compile("1", "m.py", "exec")) == ""


def a_mutant(function="f", path="monitoring/m.py"):
    return operators.Mutant(path, function, "comparison", "a < b", "(a <= b)", 0, 5, 1, 1)


def a_case(name, seconds, *functions):
    return reach.Test(f"tests/{name}", seconds, frozenset(f"monitoring/{function}" for function in functions))


CASES = [
    a_case("test_a.py::slow", 50.0, "m.py::f"),
    a_case("test_a.py::quick[1]", 0.4, "m.py::f", "m.py::g"),
    a_case("test_a.py::quick[2]", 0.5, "m.py::f"),
    a_case("test_b.py::other", 0.1, "n.py::f"),
    a_case("test_b.py::importing", 0.3, "m.py::"),
    a_case("test_b.py::wide", 0.2, "m.py::h", "n.py::f", "n.py::g"),
]


@pytest.mark.parametrize(
    ("mutant", "cases"),
    [
        (a_mutant(), ["quick[1]", "quick[2]", "slow", "importing", "wide"]),
        (a_mutant("g"), ["quick[1]", "importing", "quick[2]", "slow", "wide"]),
        (a_mutant("nobody calls it"), ["importing", "quick[1]", "quick[2]", "slow", "wide"]),
        (a_mutant(""), ["importing", "quick[1]", "quick[2]", "slow", "wide"]),
        (
            a_mutant(path="monitoring/unknown.py"),
            ["other", "wide", "importing", "quick[1]", "quick[2]"],
        ),
    ],
)
def test_a_mutant_is_judged_by_the_cases_that_call_its_function_the_quickest_first(mutant, cases):
    (job,) = run.jobs_of([mutant], CASES)
    assert [case.id.partition("::")[2] for case in job.cases] == cases
    assert job.seconds == sum(case.seconds for case in job.cases)


def test_at_least_five_cases_judge_and_more_as_long_as_there_is_time():
    (job,) = run.jobs_of([a_mutant()], [a_case(f"test_a.py::t{i}", 9.0, "m.py::f") for i in range(9)])
    assert len(job.cases) == 5
    (job,) = run.jobs_of([a_mutant()], [a_case(f"test_a.py::t{i}", 0.1, "m.py::f") for i in range(99)])
    assert len(job.cases) == 99


def test_a_rule_is_judged_by_its_own_tests_alone():
    (job,) = run.jobs_of([a_mutant("")], CASES, held_by={a_mutant("").key: ["tests/test_b.py"]})
    assert [case.id for case in job.cases] == ["tests/test_b.py::importing", "tests/test_b.py::wide"]


def test_a_fresh_process_runs_no_test_of_which_a_case_fails_without_a_mutant():
    (job,) = run.jobs_of([a_mutant()], CASES, ["tests/test_a.py::quick[3]"])
    assert "tests/test_a.py::slow" in job.fresh
    assert "tests/test_a.py::quick" not in job.fresh


def verdict(killed, mutant=None):
    return run.Verdict(mutant or a_mutant(), killed, "", 1, 0.0)


@pytest.mark.parametrize(
    ("killed", "survived", "reasons", "status", "score"),
    [
        (20, 0, {}, 0, "100.0%"),
        (19, 1, {}, 1, "95.0%"),
        (19, 1, {a_mutant().key: "accepted: a cache"}, 0, "95.0%"),
        (18, 1, {a_mutant().key: "accepted: a cache"}, 1, "94.7%"),
        (18, 1, {a_mutant().key: "equivalent: the values are never equal"}, 0, "100.0%"),
    ],
)
def test_a_survivor_without_a_reason_fails_and_so_does_a_score_under_95(
    killed, survived, reasons, status, score, capsys
):
    table = cli.Table(reasons)
    for killing in [True] * killed + [False] * survived:
        table.add("monitor", verdict(killing))
    assert cli.report(table, killed + survived, "") == status
    printed = capsys.readouterr().out
    assert f"| {score} |" in printed
    assert ("survived without a reason" in printed) == (survived > 0 and not reasons)


def test_of_a_change_only_a_survivor_without_a_reason_fails(capsys):
    for reasons, status in (({a_mutant().key: "accepted: a cache"}, 0), ({}, 1)):
        table = cli.Table(reasons)
        for killing in (True, False):
            table.add("monitor", verdict(killing))
        assert cli.report(table, 2, "", scored=False) == status
    assert "less than" not in capsys.readouterr().out


def test_mutants_that_were_not_judged_are_counted(capsys):
    table = cli.Table({})
    table.add("monitor", verdict(True))
    assert cli.report(table, 3, "") == 0
    assert "2 of 3 mutants were not judged" in capsys.readouterr().out


def test_reasons_are_read_by_the_key_that_the_run_prints(tmp_path):
    path = tmp_path / "survivors.txt"
    path.write_text("# a comment\n\nm.py::f | a | b -> (a or b) | equivalent: no b is true\n")
    assert cli.reasons(path) == {"m.py::f | a | b -> (a or b)": "equivalent: no b is true"}


def test_every_recorded_reason_is_that_of_a_mutant_and_says_why():
    reasons = cli.reasons()
    paths = {key.partition("::")[0] for key in reasons}
    keys = {mutant.key for path in paths for mutant in operators.mutants(path, (ROOT / path).read_text())}
    assert [key for key in reasons if key not in keys] == []
    assert {reason.partition(": ")[0] for reason in reasons.values()} <= {"equivalent", "accepted"}
    assert min(map(len, reasons.values()), default=30) >= 30


def test_the_paths_of_every_area_are_there():
    for area in AREAS.values():
        assert all((ROOT / path).exists() for path in (*area.source_files(), *area.test_files()))
        assert list(area.source_files())
        assert list(area.test_files())


def test_every_rule_names_tests_and_a_mutant_that_are_there():
    found = list(mutant_rules.rules())
    assert len({rule.text for rule in found}) == len(found) >= 29
    for rule in found:
        assert rule.mutant().key == rule.key
        assert all((ROOT / file).exists() for file in rule.tests)
    with pytest.raises(LookupError, match="no mutant is called"):
        mutant_rules.Rule("r", (), "monitoring/monitor/composite.py::combine | a -> b").mutant()
