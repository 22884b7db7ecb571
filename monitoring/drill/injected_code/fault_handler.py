"""Replace a function's handler during a fault: decorators stay, the innermost function fails.

This module runs inside the function and imports nothing of the package. It replaces the code of the innermost
function, so that decorators around it (a `verify=` check, metrics, a tracer) behave as in a real failure.
"""

import importlib
import inspect
import itertools
import json
import os
import sys
import time
import types

FAULT = os.environ["DRILL_FAULT"]
CODE = os.environ["DRILL_CODE"]
sys.path.insert(0, CODE)
os.environ["LAMBDA_TASK_ROOT"] = CODE
_calls = itertools.count()


def act(event, context, original):  # type: ignore[no-untyped-def]
    """Execute the fault."""
    if FAULT == "raises":
        raise RuntimeError("the drill lets this function fail")
    if FAULT == "times-out":
        time.sleep(900)
    if FAULT == "out-of-memory":
        eaten = []
        while True:
            eaten.append(bytearray(os.urandom(1024)) * 16384)
    if FAULT == "slow":
        if next(_calls) == 0:  # the warm-up call
            return original(event, context)
        time.sleep(0.9 * context.get_remaining_time_in_millis() / 1000)
        return original(event, context)
    with open(os.environ["DRILL_RESULT"], encoding="utf-8") as file:
        return json.load(file)  # claims-falsely: the result of a healthy call, without any work


def _replaced(event, context):  # type: ignore[no-untyped-def]
    import fault_handler

    return fault_handler.act(event, context, fault_handler.original)


def _broken(function):  # type: ignore[no-untyped-def]
    """Replace the code of the handler's innermost function; return the handler and the original function."""
    inner = inspect.unwrap(function)
    plain = isinstance(inner, types.FunctionType) and not inner.__code__.co_freevars
    if not plain or inspect.iscoroutinefunction(inner):
        return lambda event, context: act(event, context, function), function
    kept = types.FunctionType(inner.__code__, inner.__globals__, inner.__name__, inner.__defaults__)
    kept.__kwdefaults__ = inner.__kwdefaults__
    inner.__code__ = _replaced.__code__
    return function, kept


_module, _, _name = os.environ["DRILL_HANDLER"].rpartition(".")
handler, original = _broken(getattr(importlib.import_module(_module.replace("/", ".")), _name))
