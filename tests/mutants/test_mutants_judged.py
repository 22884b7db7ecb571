"""Mutants of a small module, judged by its tests: what is exchanged, what takes a fresh process, and what survives."""

import gc
import math
import os
from types import FunctionType

import mutant_exchange
import mutant_operators as operators
import mutant_run as run
import pytest

pytestmark = pytest.mark.checkout
SOURCE = """\
import functools

LIMIT = 3


def least(a, b=0):
    return min(a, b)


@functools.lru_cache
def doubled(a):
    return a * 2


def below(a):
    return a < LIMIT


def unheld(a):
    return a > 1


def until(a):
    while a < 5:
        a = a + 1
    return a


def deferred(a):
    def inner():
        return a + 1

    return inner


made = deferred(1)


class Box:
    size = 4

    def half(self):
        return self.size / 2
"""
TESTS = """\
import pytest
import sample_of_mutants as sample

EARLY = sample.until(4)
doubled = sample.doubled(3)


def test_least():
    assert sample.least(1, 2) == 1
    assert sample.least(1) == 0


@pytest.mark.parametrize(("number", "less"), [(2, True), (3, False)])
def test_below(number, less):
    assert sample.below(number) is less


def test_doubled():
    assert sample.doubled(3) == 6


def test_unheld():
    assert sample.unheld(2)


def test_until():
    assert sample.until(0) == EARLY == 5


def test_deferred():
    assert sample.deferred(1)() == sample.made() == 2


def test_half():
    assert sample.Box().half() == 2


def test_that_fails():
    assert sample.unheld(1)
"""
SURVIVE = {"unheld": {"(a >= 1)", "(0)"}}


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "project"
    (folder / "tests").mkdir(parents=True)
    (folder / "sample_of_mutants.py").write_text(SOURCE)
    (folder / "tests" / "test_sample.py").write_text(TESTS)
    return folder


def test_what_the_tests_hold_is_killed_and_what_they_do_not_hold_survives(tree, capsys):
    mutants = operators.mutants("sample_of_mutants.py", SOURCE)
    before = dict(os.environ)
    with run.copies(3, tree) as trees:
        verdicts = list(run.verdicts(mutants, ["tests/test_sample.py"], trees, math.inf))
        assert [(copy / "sample_of_mutants.py").read_text() for copy in trees] == [SOURCE] * 3
    assert len(verdicts) == len(mutants) == len({verdict.mutant.key for verdict in verdicts})
    assert {
        (verdict.mutant.function, verdict.mutant.after) for verdict in verdicts if not verdict.killed
    } == {(function, after) for function, edits in SURVIVE.items() for after in edits}
    assert all("test_that_fails" not in verdict.by for verdict in verdicts)
    assert "test_sample.py::test_that_fails" in capsys.readouterr().out
    assert dict(os.environ) == before


def test_the_copies_stay_when_a_forked_process_leaves_and_go_in_the_end(tree):
    copies = run.copies(1, tree)
    (copy,) = copies.__enter__()
    process = os.fork()
    if process == 0:
        try:
            copies.__exit__(None, None, None)
        finally:
            os._exit(0)
    os.waitpid(process, 0)
    assert copy.exists()
    copies.__exit__(None, None, None)
    assert not copy.parent.parent.exists()


def test_tests_that_cannot_be_collected_judge_nothing(tree):
    (tree / "tests" / "test_sample.py").write_text("import a_module_that_is_not_there")
    with run.copies(2, tree) as trees, pytest.raises(SystemExit, match="a_module_that_is_not_there"):
        list(run.verdicts(operators.mutants("sample_of_mutants.py", SOURCE), ["tests"], trees, math.inf))


@pytest.mark.parametrize(
    ("before", "after", "exchanged"),
    [
        ("min(a, b)", "max(a, b)", True),
        ("a * 2", "a / 2", True),
        ("a + 1\n\n    return inner", "a - 1\n\n    return inner", True),
        ("self.size / 2", "self.size / 3", True),
        ("LIMIT = 3", "LIMIT = 4", False),
        ("b=0", "b=1", False),
        ("size = 4", "size = 5", False),
        ("return a + 1", "return None", False),  # no variable of the function around it any more
        ("a < LIMIT", "a < < LIMIT", False),
        ("", "", False),
    ],
)
def test_only_the_code_of_functions_is_exchanged(before, after, exchanged, tmp_path):
    module: dict[str, object] = {}
    filename = str(tmp_path / "m.py")
    exec(compile(SOURCE, filename, "exec"), module)
    assert mutant_exchange.exchange(filename, SOURCE, SOURCE.replace(before, after)) is exchanged
    mutated: dict[str, object] = {}
    if exchanged:
        exec(compile(SOURCE.replace(before, after), "m.py", "exec"), mutated)
        for name in ("least", "below", "unheld"):
            own, other = module[name], mutated[name]
            assert isinstance(own, FunctionType) and own(1) == other(1)  # type: ignore[operator]
        assert module["doubled"](4) == mutated["doubled"](4)  # type: ignore[operator]
        assert module["deferred"](4)() == mutated["deferred"](4)()  # type: ignore[operator]
        assert module["Box"]().half() == mutated["Box"]().half()  # type: ignore[operator]
    gc.collect()
