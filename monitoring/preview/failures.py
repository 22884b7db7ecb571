"""Handle an exception in one widget: a notice in its place, and a record for the report."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPORT = "This is a bug of stepscope: report it with the JSON of the widget."


@dataclass(frozen=True, slots=True)
class Failure:
    """A widget that raised an exception: its type, its title, the exception and its position."""

    type: str
    title: str
    error: str

    def __str__(self) -> str:
        named = f"{self.type} '{self.title}'" if self.title else self.type
        return f"{named} cannot be drawn: {self.error}"


def failure_of(definition: Any, error: Exception) -> Failure:
    """Return the record of an exception that drawing this definition raised.

    Raises:
        ImportError: a library is missing, which is not the widget's fault.
    """
    if isinstance(error, ImportError):
        raise error
    body = definition if isinstance(definition, Mapping) else {}
    return Failure(str(body.get("type") or "widget"), str(body.get("title") or ""), described(error))


def described(error: Exception) -> str:
    """Return the exception's type, message, and the file and line that raised it."""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    place = f" ({Path(frames[0].filename).name}:{frames[0].lineno})" if frames else ""
    return f"{type(error).__name__}: {str(error)[:300]}{place}"


def record(failures: list[Failure], definition: Any, error: Exception) -> str:
    """Add the failure once (a page draws a wide widget twice), and return the notice for its place."""
    failure = failure_of(definition, error)
    if failure not in failures:
        failures.append(failure)
    return f"{failure}. {REPORT}"
