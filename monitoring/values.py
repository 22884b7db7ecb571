"""`dataclass`: the standard library's, at a tenth of what it costs to define a class.

The standard library writes six methods of a frozen class as text and compiles each when the class is defined:
0.6 ms and more, and a command defines a hundred classes before it begins. Here comparison, hash, text and the
refusal to change are functions that all classes share, and `__init__` is written when it is first looked up.
Fields, slots and the order of arguments are the standard library's doing, so its `fields`, `replace` and
`asdict` work; a type checker sees its decorator.
"""

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, *, frozen=False, slots=False, eq=True, kw_only=False):
        """The class with fields, as `dataclasses.dataclass` makes it with the same arguments."""

        def made(cls):
            cls.__doc__ = cls.__doc__ or cls.__name__  # without one, dataclasses writes out the signature
            plain = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
            for name, method in _methods(plain, frozen, eq).items():
                if name not in plain.__dict__:
                    setattr(plain, name, method)
            return plain

        return made if cls is None else made(cls)


def _methods(cls: type, frozen: bool, eq: bool) -> dict[str, Any]:
    """What a class gets, unless it has written it itself."""
    methods: dict[str, Any] = {"__init__": _Init(cls, frozen), "__repr__": _text}
    if eq:
        key = _key([field.name for field in dataclasses.fields(cls) if field.compare])
        methods |= {"__eq__": _equality(key), "__hash__": _hash(key) if frozen else None}
    if frozen:
        methods |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
        methods |= {"__getstate__": _state, "__setstate__": _restore}
    return methods


class _Init:
    """Stands for `__init__` until it is looked up; then that is written and takes this place."""

    __slots__ = ("cls", "frozen")

    def __init__(self, cls: Any, frozen: bool) -> None:
        self.cls, self.frozen = cls, frozen

    def __get__(self, instance: object, owner: type) -> Any:
        init = self.cls.__init__ = _written(self.cls, self.frozen)
        return init if instance is None else init.__get__(instance, owner)


def _written(cls: Any, frozen: bool) -> Any:
    """The `__init__` of a class: its fields in their order, those by keyword alone at the end."""
    names: dict[str, Any] = {"_put": object.__setattr__, "_absent": dataclasses.MISSING}
    by_place, by_keyword, body = ["self"], ["*"], []
    for field in dataclasses.fields(cls):
        name = argument = value = field.name
        if field.default is not dataclasses.MISSING:
            names[f"_{name}_"], argument = field.default, f"{name}=_{name}_"
        elif field.default_factory is not dataclasses.MISSING:
            names[f"_{name}_"], argument = field.default_factory, f"{name}=_absent"
            value = f"_{name}_() if {name} is _absent else {name}"
        (by_keyword if field.kw_only else by_place).append(argument)
        if frozen and isinstance(slot := getattr(cls, name, None), MemberDescriptorType):
            names[f"_set_{name}"] = slot.__set__
            body.append(f"_set_{name}(self, {value})")
        else:
            body.append(f"_put(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    arguments = by_place + by_keyword if len(by_keyword) > 1 else by_place
    exec(f"def __init__({', '.join(arguments)}):\n " + "\n ".join(body or ["pass"]), names)  # noqa: S102
    init = names["__init__"]
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    init.__annotations__ = {field.name: field.type for field in dataclasses.fields(cls)} | {"return": None}
    return init


def _key(names: list[str]) -> Callable[[Any], Any]:
    """The values that are compared, as a tuple even of one: its items are compared by identity first."""
    if len(names) > 1:
        return attrgetter(*names)
    get = attrgetter(*names) if names else None
    return lambda self: (get(self),) if get else ()


def _equality(key: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def equal(self: Any, other: Any) -> Any:
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    return equal


def _hash(key: Callable[[Any], Any]) -> Callable[[Any], int]:
    return lambda self: hash(key(self))


@recursive_repr()
def _text(self: Any) -> str:
    shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in _fields(self) if each.repr)
    return f"{type(self).__qualname__}({shown})"


def _fields(self: Any) -> "tuple[dataclasses.Field[Any], ...]":
    return dataclasses.fields(self)


def _refuse_to_set(self: object, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    """What pickle and copy take of a class that refuses to change."""
    return [getattr(self, field.name) for field in _fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(_fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
