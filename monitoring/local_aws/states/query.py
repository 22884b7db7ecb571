"""How the fields of a state are evaluated: paths, payload templates and intrinsic functions, or JSONata."""

import re
from collections.abc import Mapping
from typing import Any

from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import EvaluationError, FatalError, StateFailedError
from monitoring.local_aws.states.expressions import evaluate_expression, expression_of
from monitoring.local_aws.states.intrinsics import IntrinsicError, evaluate_intrinsic, parse_intrinsic
from monitoring.local_aws.states.jsonpath import PathNotFoundError, compile_path, type_name

_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)(.*)", re.DOTALL)


class Query:
    """The data that one state's fields are evaluated on.

    Attributes:
        input: the state's input, in JSONPath after InputPath.
        context: the context object.
        variables: the variables as they were when the state was entered.
        result, error_output: of the state's work, for JSONata.
    """

    def __init__(
        self, jsonata: bool, value: Any, context: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> None:
        self.jsonata = jsonata
        self.input = value
        self.context = context
        self.variables = variables
        self.result: Any = None
        self.error_output: Any = None
        self.has_result = False

    # -- JSONPath

    def read(self, path: str, document: Any, *, strict: bool = False) -> Any:
        """Return what `$…`, `$$…` or `$variable…` names.

        Raises:
            PathNotFoundError: it names nothing.
        """
        if path.startswith("$$"):
            return compile_path(path[1:]).find(dict(self.context), strict=strict)
        variable = _VARIABLE.fullmatch(path)
        if variable is None:
            return compile_path(path).find(document, strict=strict)
        if variable[1] not in self.variables:
            raise PathNotFoundError(f"No such variable: ${variable[1]}")
        return compile_path(f"${variable[2]}").find(self.variables[variable[1]], strict=strict)

    def path(self, path: str, document: Any) -> Any:
        """Return what a field such as InputPath names, an intrinsic function included."""
        if path.startswith("States."):
            return self._intrinsic(path, document)
        try:
            return self.read(path, document)
        except PathNotFoundError as missing:
            raise FatalError(f"Invalid path '{path}' : {missing}") from None

    def field(self, name: str, path: str, document: Any) -> Any:
        """Return the value of one field of a payload template: a path or an intrinsic function."""
        if path.startswith("States."):
            return self._intrinsic(path, document)
        try:
            return self.read(path, document)
        except PathNotFoundError:
            source = text.dumps(self.context if path.startswith("$$") else document)
            raise FatalError(
                f"The JSONPath '{path}' specified for the field '{name}' could not be found in the input "
                f"'{source}'"
            ) from None

    def _intrinsic(self, call: str, document: Any) -> Any:
        def lookup(path: str) -> Any:
            try:
                return self.read(path, document, strict=True)
            except PathNotFoundError:
                where = path[1:] if path.startswith("$$") else path
                raise FatalError(
                    f"The function '{call}' had the following error: The JsonPath argument for the field "
                    f"'{where}' could not be found in the input '{text.dumps(document)}'"
                ) from None

        try:
            return evaluate_intrinsic(parse_intrinsic(call), lookup)
        except IntrinsicError as failed:
            cause = f"The function '{call}' had the following error: {failed}"
            raise StateFailedError("States.IntrinsicFailure", cause) from None

    def template(self, value: Any, document: Any) -> Any:
        """Return a payload template with its `….$` fields evaluated on a document."""
        if isinstance(value, dict):
            return {
                key.removesuffix(".$"): self.field(key, inner, document)
                if key.endswith(".$") and isinstance(inner, str)
                else self.template(inner, document)
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self.template(inner, document) for inner in value]
        return value

    # -- JSONata

    def bindings(self) -> dict[str, Any]:
        """Return the variables of an expression."""
        states: dict[str, Any] = {"input": self.input, "context": self.context}
        if self.has_result:
            states["result"] = self.result
        if self.error_output is not None:
            states["errorOutput"] = self.error_output
        return {**self.variables, "states": states}

    def evaluate(self, value: Any, field: str) -> Any:
        """Return a JSONata field with every `{% … %}` in it evaluated."""
        if isinstance(value, dict):
            return {key: self.evaluate(inner, f"{field}/{key}") for key, inner in value.items()}
        if isinstance(value, list):
            return [self.evaluate(inner, f"{field}[{number}]") for number, inner in enumerate(value)]
        expression = expression_of(value)
        return value if expression is None else evaluate_expression(expression, self.bindings(), field)

    def typed(self, value: Any, field: str, expected: str, accepts: type | tuple[type, ...]) -> Any:
        """Return a JSONata field that has to be of one JSON type.

        Raises:
            EvaluationError: it is of another one.
        """
        result = self.evaluate(value, field)
        if isinstance(result, accepts) and (expected == "boolean" or not isinstance(result, bool)):
            return result
        raise EvaluationError(
            f"The JSONata expression '{expression_of(value)}' specified for the field '{field}' returned an "
            f"unexpected result type. Expected '{expected}', but was '{type_name(result)}' for value: "
            f"{text.dumps(result)}",
            field,
        )
