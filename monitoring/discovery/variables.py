"""Resolve variables of the Serverless Framework: `${source:address, fallback}`, nested and inside texts.

https://www.serverless.com/framework/docs/providers/aws/guide/variables
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.discovery.templates import load_value
from monitoring.errors import InputError

MISSING: Any = object()
"""The result of a source without a value: the next fallback is tried."""

_SOURCE = re.compile(r"([A-Za-z][\w-]*)(?:\(([^()]*)\))?\s*:(?!:)\s*(.*)", re.DOTALL)
_FILE = re.compile(r"file\(([^()]*)\)", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_LITERALS: dict[str, Any] = {"true": True, "false": False, "null": None}
_LONGEST = 1_000_000
"""The maximum length of a text: variables that double each other would use all memory."""


@dataclass(slots=True)
class Variables:
    """Resolve the variables of one service.

    Attributes:
        config: the configuration, for `${self:…}`.
        folder: the service's folder, for `${file(…)}`.
        options: values of `${opt:…}` and `${param:…}` from the command line.
        unknown: returns a value for an expression without a value, or `MISSING` to leave it unchanged.
        asked: the names of the options and parameters that were read.
    """

    config: Mapping[str, Any]
    folder: Path
    options: Mapping[str, str] = field(default_factory=dict)
    unknown: Callable[[str], Any] = lambda _expression: MISSING
    asked: set[str] = field(default_factory=set)
    _active: list[str] = field(default_factory=list)
    _values: dict[str, Any] = field(default_factory=dict)

    def resolve(self, value: Any) -> Any:
        """Return a value with its variables replaced; unknown variables are unchanged.

        Raises:
            InputError: a text exceeds a million characters.
        """
        if isinstance(value, Mapping):
            return {key: self.resolve(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, str) or "${" not in value:
            return value
        parts = list(_parts(value.strip()))
        if len(parts) == 1 and parts[0][0]:
            return self._alone(parts[0][1])
        return self._text(value)

    def _alone(self, expression: str) -> Any:
        value = self._evaluate(expression)
        if value is MISSING and _is_variable(expression):
            value = self.unknown(" ".join(expression.split()))
        return f"${{{expression}}}" if value is MISSING else value

    def _text(self, value: str) -> str:
        pieces = []
        for is_variable, part in _parts(value):
            resolved = self._alone(part) if is_variable else part
            if isinstance(resolved, bool):
                resolved = str(resolved).lower()
            is_scalar = isinstance(resolved, str | int | float)
            pieces.append(str(resolved) if is_scalar else "" if resolved is None else f"${{{part}}}")
        text = "".join(pieces)
        if len(text) > _LONGEST:
            raise InputError(
                "variables make a text of more than a million characters", where=str(self.folder)
            )
        return text

    def _evaluate(self, expression: str) -> Any:
        """Return the value of the first alternative that has one, else `MISSING`."""
        if not _is_variable(expression):
            return MISSING
        value: Any = MISSING
        for alternative in _split(expression):
            value = self._alternative(alternative)
            if value is not MISSING and value is not None:
                return value
        return value

    def _alternative(self, text: str) -> Any:
        if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
            return self.resolve(text[1:-1])
        if text in _LITERALS:
            return _LITERALS[text]
        if _NUMBER.fullmatch(text):
            return float(text) if "." in text else int(text)
        if text.startswith("${"):
            parts = list(_parts(text))
            if len(parts) == 1:
                return self._evaluate(parts[0][1])
        address = self._text(text) if "${" in text else text
        return MISSING if "${" in address else self._address(address)

    def _address(self, address: str) -> Any:
        """Return the value at `source(argument):address`; a circular address has none."""
        if address in self._values:
            return self._values[address]
        if address in self._active or len(self._active) > 100:
            return MISSING
        self._active.append(address)
        try:
            value = self._look_up(address)
        finally:
            self._active.pop()
        self._values[address] = value
        return value

    def _look_up(self, address: str) -> Any:
        file = _FILE.fullmatch(address.strip())
        if file:
            return self._file(file[1], "")
        match = _SOURCE.fullmatch(address)
        if match is None:
            return MISSING
        source, argument, name = match[1], match[2] or "", match[3].strip()
        if source == "file":
            return self._file(argument, name)
        return _SOURCES[source](self, name) if source in _SOURCES else MISSING

    def _self(self, name: str) -> Any:
        return self._inside(self.config, name)

    def _inside(self, value: Any, name: str) -> Any:
        """Return the value at a dotted address; resolve variables on the path."""
        for key in name.split(".") if name else ():
            value = self._evaluated(value)
            if isinstance(value, Mapping):
                value = value.get(key, MISSING)
            elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            else:
                return MISSING
        return value if value is MISSING else self._evaluated(self.resolve(value))

    def _evaluated(self, value: Any) -> Any:
        """Resolve a text that is one variable; an unknown variable has no value."""
        if not isinstance(value, str) or "${" not in value:
            return value
        parts = list(_parts(value.strip()))
        return self._evaluate(parts[0][1]) if len(parts) == 1 and parts[0][0] else self._text(value)

    def _option(self, name: str) -> Any:
        self.asked.add(name)
        return self.options.get(name, MISSING)

    def _parameter(self, name: str) -> Any:
        """Return `params.STAGE.NAME` or `stages.STAGE.params.NAME`, or that of the stage `default`."""
        self.asked.add(name)
        if name in self.options:
            return self.options[name]
        stage = self._sls("stage")
        for key in (f"params.{stage}", f"stages.{stage}.params", "params.default", "stages.default.params"):
            value = self._self(f"{key}.{name}")
            if value is not MISSING:
                return value
        return MISSING

    def _sls(self, name: str) -> Any:
        """Return the value of `sls:…`; `sls:stage` is the option, else the provider's stage, else dev."""
        if name == "instanceId":
            return "local"
        if name != "stage":
            return MISSING
        chosen = self._option("stage")
        provider = self._address("self:provider.stage") if chosen is MISSING else chosen
        if provider is not MISSING and provider is not None:
            return provider
        section = self._evaluated(self.config.get("provider"))
        return MISSING if isinstance(section, Mapping) and "stage" in section else "dev"

    def _environment(self, name: str) -> Any:
        return os.environ.get(name, MISSING)

    def _aws(self, name: str) -> Any:
        if name != "region":
            return MISSING
        chosen = self._option("region")
        provider = self._address("self:provider.region") if chosen is MISSING else chosen
        return "us-east-1" if provider is MISSING or provider is None else provider

    def _file(self, name: str, address: str) -> Any:
        path = self.folder / os.path.expanduser(name.strip())
        try:
            content = path.read_text(encoding="utf-8") if _is_text(path) else load_value(path, core=True)
        except (InputError, OSError, UnicodeDecodeError, ValueError):  # not here, or code that makes it
            return MISSING
        return self._inside(content, address)


_SOURCES: dict[str, Callable[[Variables, str], Any]] = {
    "self": Variables._self,
    "opt": Variables._option,
    "param": Variables._parameter,
    "sls": Variables._sls,
    "env": Variables._environment,
    "aws": Variables._aws,
}


def _is_text(path: Path) -> bool:
    return path.suffix not in {".yml", ".yaml", ".json"} and path.suffix in {
        ".txt",
        ".md",
        ".sql",
        ".vtl",
        "",
    }


def _is_variable(expression: str) -> bool:
    """Return whether an expression is the framework's, not CloudFormation's `${Name}` or `${AWS::Region}`."""
    text = expression.strip()
    return not text.startswith("AWS::") and (
        _FILE.match(text) is not None or _SOURCE.match(text) is not None or text.startswith(("'", '"', "${"))
    )


def _parts(text: str) -> list[tuple[bool, str]]:
    """Split a text into `(is a variable, text or expression)`; an unclosed variable is text."""
    parts: list[tuple[bool, str]] = []
    position = 0
    while (start := text.find("${", position)) >= 0:
        end = _closing(text, start + 2)
        if end < 0:
            break
        if start > position:
            parts.append((False, text[position:start]))
        parts.append((True, text[start + 2 : end]))
        position = end + 1
    if position < len(text) or not parts:
        parts.append((False, text[position:]))
    return parts


def _closing(text: str, position: int) -> int:
    """Return the index at which the variable that begins before `position` is closed, else -1."""
    depth = 1
    while position < len(text):
        if text.startswith("${", position):
            depth += 1
            position += 1
        elif text[position] == "}":
            depth -= 1
            if not depth:
                return position
        position += 1
    return -1


def _split(expression: str) -> list[str]:
    """Return the alternatives of an expression: split at commas outside quotes, brackets and variables."""
    alternatives, quote, depth, start = [], "", 0, 0
    for position, character in enumerate(expression):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "({":
            depth += 1
        elif character in ")}":
            depth -= 1
        elif character == "," and depth <= 0:
            alternatives.append(expression[start:position].strip())
            start = position + 1
    return [*alternatives, expression[start:].strip()]
