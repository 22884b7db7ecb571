"""Classes of values: what the standard library's dataclasses do, whatever their fields."""

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.query import parse
from monitoring.values import dataclass

NAMES = ("alpha", "beta", "gamma", "delta")
DEFAULTS = st.sampled_from(
    [{}, {"default": 7}, {"default": None}, {"default_factory": list}, {"default_factory": dict}]
)
FIELDS = st.fixed_dictionaries(
    {"default": DEFAULTS, "compare": st.booleans(), "repr": st.booleans(), "kw_only": st.booleans()}
)
OPTIONS = st.fixed_dictionaries(
    {"frozen": st.booleans(), "slots": st.booleans(), "eq": st.booleans(), "kw_only": st.booleans()}
)
VALUES = st.sampled_from([0, 1, 1.0, "text", (1, 2), None, [1], float("nan")])


def both(fields, options, base=None):
    """The class that the standard library makes, and ours; `TypeError` where it makes none."""
    made = []
    for at, decorator in enumerate((dataclasses.dataclass, dataclass)):
        body = {"__annotations__": dict.fromkeys(NAMES[: len(fields)], "object"), "__doc__": "A value."}
        for name, field in zip(NAMES, fields, strict=False):
            flags = {key: value for key, value in field.items() if key != "default"}
            body[name] = dataclasses.field(**field["default"], **flags)
        made.append(decorator(**options)(type("Value", (base[at],) if base else (), body)))
    return made


def outcome(call):
    """What a call gives, or the kind and words of its error."""
    try:
        return call()
    except (TypeError, AttributeError) as error:  # FrozenInstanceError is the latter
        return type(error), str(error)


def arguments(cls):
    """What the class is called with: name, kind, whether it can be left out."""
    found = inspect.signature(cls).parameters.values()
    return [(each.name, each.kind, each.default is each.empty) for each in found]


def makeable(fields, options):
    try:
        both(fields, options)[0]
    except TypeError:
        return False
    return True


CLASSES = st.tuples(st.lists(FIELDS, max_size=4), OPTIONS).filter(lambda drawn: makeable(*drawn))


@given(CLASSES, st.data())
def test_a_value_is_made_shown_compared_and_hashed_as_a_dataclass_is(drawn, data):
    theirs, ours = both(*drawn)
    assert arguments(theirs) == arguments(ours)
    assert theirs.__match_args__ == ours.__match_args__
    given_values = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, VALUES)))
    others = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, VALUES)))
    for call in (
        lambda cls: repr(cls(**given_values)),
        lambda cls: repr(cls(*given_values.values())),
        lambda cls: dataclasses.asdict(cls(**given_values)),
        lambda cls: repr(dataclasses.replace(cls(**given_values), **others)),
        lambda cls: cls(**given_values) == cls(**others),
        lambda cls: cls(**given_values) != cls(**given_values),
        lambda cls: cls(**given_values) == 1,
        lambda cls: len({cls(**given_values), cls(**given_values)}),
        lambda cls: cls.__hash__ is None,
        lambda cls: [setattr(cls(**given_values), each.name, 1) for each in dataclasses.fields(cls)],
        lambda cls: [delattr(cls(**given_values), each.name) for each in dataclasses.fields(cls)],
        lambda cls: repr(copy.copy(cls(**given_values))),
    ):
        expected, got = outcome(lambda: call(theirs)), outcome(lambda: call(ours))  # noqa: B023
        assert expected == got


@given(st.lists(FIELDS, max_size=2), st.lists(FIELDS, max_size=4), OPTIONS)
def test_the_fields_of_a_base_come_first(inherited, own, options):
    if not (makeable(inherited, options) and makeable(own, options)):
        return
    bases = both(inherited, options)
    made = outcome(lambda: both(own, options, base=bases))
    if isinstance(made[0], type) and issubclass(made[0], Exception):
        return  # an argument without a default behind one with: neither makes the class
    theirs, ours = made
    assert arguments(theirs) == arguments(ours)
    values = dict.fromkeys([field.name for field in dataclasses.fields(theirs)], 1)
    assert repr(theirs(**values)) == repr(ours(**values))
    assert (theirs(**values) == theirs(**values)) == (ours(**values) == ours(**values))


@dataclass(frozen=True, slots=True)
class Frozen:
    text: str
    words: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.text:
            raise ValueError("empty")


@dataclass(slots=True)
class Open:
    inner: Frozen
    other: "Open | None" = None


def test_a_value_survives_pickle_and_copy():
    value = Open(Frozen("a", ["b"]))
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value
    assert copy.deepcopy(value).inner.words is not value.inner.words


def test_a_value_checks_itself_and_keeps_apart_what_is_made_anew():
    with pytest.raises(ValueError, match="empty"):
        Frozen("")
    assert Frozen("a").words is not Frozen("a").words


def test_a_value_that_holds_itself_is_shown():
    value = Open(Frozen("a"))
    value.other = value
    assert "other=..." in repr(value)


def test_the_methods_of_a_class_are_its_own():
    @dataclass(frozen=True)
    class Own:
        text: str

        def __repr__(self):
            return "own"

        def __init__(self):
            object.__setattr__(self, "text", "set")

    assert repr(Own()) == "own"
    assert Own().text == "set"


def test_equal_queries_at_other_places_are_equal_values():
    one, other = parse("avg:m{a:b} + 1"), parse("avg:m{a:b}  +  1")
    assert one == other
    assert hash(one) == hash(other)
    assert one.right.start != other.right.start


def test_a_class_is_written_when_its_first_value_is_made():
    code = (
        "import monitoring.query.nodes as nodes\n"
        "print(type(vars(nodes.Tag)['__init__']).__name__)\n"
        "nodes.Tag('env', 'prod')\n"
        "print(type(vars(nodes.Tag)['__init__']).__name__)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["_Init", "function"]
