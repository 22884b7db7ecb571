"""Evaluate CloudFormation's intrinsic functions with a template's parameters, mappings and conditions.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitoring.errors import InputError

_PLACEHOLDER = re.compile(r"\$\{(!?)\s*([^}]*?)\s*\}")
_DYNAMIC = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^}]+)\}\}")
_NO_VALUE = object()

Attribute = Callable[[str, str], Any]
"""Return the value of `!Ref NAME` (attribute "") or `!GetAtt NAME.ATTRIBUTE` of a resource."""


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """Resolve values of one template.

    Attributes:
        names: the values of `!Ref` for parameters and pseudo parameters (`AWS::Region`, …).
        attribute: returns the attributes of resources; raises KeyError for an unknown resource.
        mappings: the template's `Mappings`.
        conditions: the template's `Conditions`.
        dynamic: returns the value of `{{resolve:service:key}}`.
        imported: returns the value of `!ImportValue NAME`.
        where: the template's path, for messages.
    """

    names: Mapping[str, Any]
    attribute: Attribute
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    dynamic: Callable[[str, str], str] = lambda _service, key: key
    imported: Callable[[str], Any] = lambda name: name
    where: str = ""

    def resolve(self, value: Any) -> Any:
        """Return a value with every intrinsic function replaced; `AWS::NoValue` removes a property.

        Raises:
            InputError: a name is not defined, or the arguments of a function have an unexpected type.
        """
        resolved = self._resolve(value)
        return None if resolved is _NO_VALUE else resolved

    def holds(self, condition: str) -> bool:
        """Return whether a condition of the template is true.

        Raises:
            InputError: the condition does not exist.
        """
        if condition not in self.conditions:
            raise self._wrong(f"condition {condition} is not defined")
        return self._truth(self.conditions[condition])

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self._object(value)
        if isinstance(value, list):
            items = [self._resolve(item) for item in value]
            return [item for item in items if item is not _NO_VALUE]
        if isinstance(value, str) and "{{resolve:" in value:
            return _DYNAMIC.sub(lambda match: self.dynamic(match[1], match[2]), value)
        return value

    def _object(self, value: Mapping[str, Any]) -> Any:
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in _FUNCTIONS:
                try:
                    return _FUNCTIONS[name](self, argument)
                except (TypeError, ValueError, IndexError, AttributeError) as error:
                    raise self._wrong(f"{name} is given {json.dumps(argument, default=str)[:200]}") from error
        items = {key: self._resolve(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not _NO_VALUE}

    def _wrong(self, message: str) -> InputError:
        return InputError(message, where=self.where)

    def _ref(self, name: Any) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self.names:
            return self.names[name]
        return self._attribute(str(name), "")

    def _attribute(self, name: str, attribute: str) -> Any:
        try:
            return self.attribute(name, attribute)
        except KeyError:
            raise self._wrong(f"{name} is neither a parameter nor a resource of the template") from None

    def _get_att(self, argument: Any) -> Any:
        parts = argument if isinstance(argument, list) else str(argument).split(".", 1)
        name, attribute = parts[0], ".".join(str(self._resolve(part)) for part in parts[1:])
        return self._attribute(str(name), attribute)

    def _sub(self, argument: Any) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})
        variables = {name: self._resolve(item) for name, item in own.items()}

        def replaced(match: re.Match[str]) -> str:
            literal, name = match[1], match[2]
            if literal:
                return f"${{{name}}}"
            if name in variables:
                return _text(variables[name])
            return _text(self._get_att(name) if "." in name else self._ref(name))

        return _PLACEHOLDER.sub(replaced, str(text))

    def _join(self, argument: Any) -> str:
        separator, parts = argument
        return str(separator).join(_text(part) for part in self._resolve(parts))

    def _select(self, argument: Any) -> Any:
        index, values = argument
        return self._resolve(values)[int(self._resolve(index))]

    def _split(self, argument: Any) -> list[str]:
        separator, text = argument
        return str(self._resolve(text)).split(separator)

    def _if(self, argument: Any) -> Any:
        condition, yes, no = argument
        return self._resolve(yes if self.holds(condition) else no)

    def _find_in_map(self, argument: Any) -> Any:
        value: Any = self.mappings
        for key in argument[:3]:
            name = self._resolve(key)
            value = value.get(name) if isinstance(value, Mapping) else None
            if value is None:
                default = argument[3] if len(argument) > 3 else None
                if isinstance(default, Mapping) and "DefaultValue" in default:
                    return self._resolve(default["DefaultValue"])
                raise self._wrong(f"Fn::FindInMap: {name} is not in the mapping {argument[0]}")
        return value

    def _base64(self, argument: Any) -> str:
        return base64.b64encode(str(self._resolve(argument)).encode()).decode()

    def _zones(self, argument: Any) -> list[str]:
        region = self._resolve(argument) or self.names.get("AWS::Region", "us-east-1")
        return [f"{region}{letter}" for letter in "abc"]

    def _import(self, argument: Any) -> Any:
        return self.imported(str(self._resolve(argument)))

    def _cidr(self, argument: Any) -> list[str]:
        block, count, *bits = self._resolve(argument)
        network = ipaddress.ip_network(block)
        prefix = network.max_prefixlen - int(bits[0] if bits else 8)
        return [
            str(subnet)
            for subnet, _ in zip(network.subnets(new_prefix=prefix), range(int(count)), strict=False)
        ]

    def _length(self, argument: Any) -> int:
        return len(self._resolve(argument))

    def _json(self, argument: Any) -> str:
        return json.dumps(self._resolve(argument), separators=(",", ":"), default=str)

    def _transform(self, argument: Any) -> Any:
        raise self._wrong(
            f"Fn::Transform with {argument.get('Name')} is not evaluated here; "
            "give the template that `sam build` or `aws cloudformation package` writes"
        )

    def _truth(self, value: Any) -> bool:
        if not isinstance(value, Mapping) or len(value) != 1:
            return _text(self._resolve(value)).lower() == "true"
        ((name, argument),) = value.items()
        if name == "Condition":
            return self.holds(argument)
        if name == "Fn::Equals":
            left, right = (self._resolve(part) for part in argument)
            return _text(left) == _text(right)
        if name == "Fn::Not":
            return not self._truth(argument[0])
        if name in {"Fn::And", "Fn::Or"}:
            return (all if name == "Fn::And" else any)(self._truth(part) for part in argument)
        return _text(self._resolve(value)).lower() == "true"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value)


_FUNCTIONS: dict[str, Callable[[Intrinsics, Any], Any]] = {
    "Ref": Intrinsics._ref,
    "Fn::GetAtt": Intrinsics._get_att,
    "Fn::Sub": Intrinsics._sub,
    "Fn::Join": Intrinsics._join,
    "Fn::Select": Intrinsics._select,
    "Fn::Split": Intrinsics._split,
    "Fn::If": Intrinsics._if,
    "Fn::FindInMap": Intrinsics._find_in_map,
    "Fn::Base64": Intrinsics._base64,
    "Fn::GetAZs": Intrinsics._zones,
    "Fn::ImportValue": Intrinsics._import,
    "Fn::Cidr": Intrinsics._cidr,
    "Fn::Length": Intrinsics._length,
    "Fn::ToJsonString": Intrinsics._json,
    "Fn::Transform": Intrinsics._transform,
}
