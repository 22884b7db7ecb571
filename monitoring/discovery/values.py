"""Convert a template's values to text; values that are known only after deployment become `*`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_PLACEHOLDER = re.compile(r"\$\{!?([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Values:
    """The parameters of a template, by name, and its `Mappings`."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)

    def text(self, value: Any) -> str:
        """Return the value as text."""
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, Mapping) or len(value) != 1:
            return "*"
        ((name, argument),) = value.items()
        return _INTRINSICS[name](self, argument) if name in _INTRINSICS else "*"

    def number(self, value: Any, otherwise: int) -> int:
        """Return a whole number: the default if it is missing, 0 if it is known only after deployment."""
        if value is None:
            return otherwise
        text = self.text(value)
        return int(text) if text.isdecimal() else 0

    def ref(self, argument: Any) -> str:
        """Return the value of a parameter."""
        return self.parameters.get(str(argument), "*")

    def join(self, argument: Any) -> str:
        """Return the value of `!Join [separator, [part, …]]`."""
        if not isinstance(argument, list) or len(argument) != 2:
            return "*"
        parts = argument[1] if isinstance(argument[1], list) else [argument[1]]
        return str(argument[0]).join(self.text(part) for part in parts)

    def sub(self, argument: Any) -> str:
        """Return the value of `!Sub text` or `!Sub [text, {name: value}]`."""
        template, own = argument, {}
        if isinstance(argument, list) and argument:
            template = argument[0]
            substitutions = argument[1] if len(argument) > 1 else None
            own = (
                {key: self.text(item) for key, item in substitutions.items()}
                if isinstance(substitutions, Mapping)
                else {}
            )
        known = {**self.parameters, **own}
        return _PLACEHOLDER.sub(lambda match: known.get(match[1].strip(), "*"), str(template))

    def find_in_map(self, argument: Any) -> str:
        """Return the value of `!FindInMap [map, key, key]`."""
        value: Any = self.mappings
        for key in argument[:3] if isinstance(argument, list) else ():
            value = value.get(self.text(key)) if isinstance(value, Mapping) else None
        return str(value) if isinstance(value, (str, int)) else "*"


_INTRINSICS: dict[str, Callable[[Values, Any], str]] = {
    "Ref": Values.ref,
    "Fn::Sub": Values.sub,
    "Fn::Join": Values.join,
    "Fn::FindInMap": Values.find_in_map,
}
