"""Put a mutant into a process that has imported the package: exchange the code of the functions that it changes."""

import functools
import gc
from collections.abc import Iterator
from inspect import CO_OPTIMIZED
from types import CodeType, FunctionType

Pair = tuple[CodeType, CodeType]
FIELDS = ("co_qualname", "co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_flags")


def _body(code: CodeType) -> tuple[object, ...]:
    """Return what a code does, without the lines where it stands and the codes of functions inside of it."""
    constants = tuple(repr(value) for value in code.co_consts if not isinstance(value, CodeType))
    return (*(getattr(code, field) for field in FIELDS), code.co_exceptiontable, constants)


def _inner(code: CodeType) -> list[CodeType]:
    return [value for value in code.co_consts if isinstance(value, CodeType)]


def changed(old: CodeType, new: CodeType) -> Iterator[Pair]:
    """Yield the codes that differ, each outer one before those inside of it.

    Functions are made from the code of the outer one, so that it counts as different, too, where an inner one is.
    """
    pairs = list(zip(_inner(old), _inner(new), strict=False))
    below = [pair for first, second in pairs for pair in changed(first, second)]
    if _body(old) != _body(new) or (below and old.co_flags & CO_OPTIMIZED):
        yield old, new
    yield from below


def forget() -> None:
    """Empty what functions remember of earlier calls (`lru_cache`)."""
    for thing in gc.get_objects():
        if isinstance(thing, functools._lru_cache_wrapper):
            thing.cache_clear()


def exchange(filename: str, source: str, mutated: str) -> bool:
    """Exchange the code of all functions that the mutated source changes; whether that is all that it changes.

    It is not where the code of a module or of a class body differs (a constant, a default, a field), or where a
    function takes more of the function around it.
    """
    try:
        pairs = list(changed(compile(source, filename, "exec"), compile(mutated, filename, "exec")))
    except SyntaxError:
        return False
    if not pairs or any(not old.co_flags & CO_OPTIMIZED for old, _ in pairs):
        return False
    bodies = {(old.co_firstlineno, _body(old)): new for old, new in pairs}
    exchanged = False
    forget()
    for thing in gc.get_objects():
        if type(thing) is FunctionType and thing.__code__.co_filename == filename:
            new = bodies.get((thing.__code__.co_firstlineno, _body(thing.__code__)))
            if new is not None:
                if thing.__code__.co_freevars != new.co_freevars:
                    return False
                thing.__code__, exchanged = new, True
    return exchanged
