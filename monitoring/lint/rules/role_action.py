"""role-action: a function calls what its role does not allow."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from monitoring.lint.model import Rule
from monitoring.lint.templates.application import Application, Spot, TemplateProblem
from monitoring.lint.templates.code import client_calls, offset, parsed, reachable
from monitoring.lint.templates.kinds import TEMPLATE
from monitoring.lint.templates.permissions import action_of, by_resources, policies_of
from monitoring.lint.templates.text import PlacedText

if TYPE_CHECKING:
    import ast

RULE = Rule("role-action", "warning", "A function calls an AWS API that its role does not allow.", TEMPLATE)


def check(application: Application) -> Iterator[TemplateProblem]:
    """Find calls of boto3 clients that no statement of a role allows, where the role is wholly known."""
    others = by_resources(application)
    for function in application.functions:
        code = application.codes.get(function.logical_id)
        tree = parsed(code) if code else None
        policies = policies_of(application, function) if tree else None
        if code is None or tree is None or policies is None:
            continue
        missing: dict[str, ast.Call] = {}
        for call in client_calls(tree, reachable(tree, code.handler)):
            action = action_of(call.service, call.method)
            if action and call.service not in others and not policies.allow(action):
                missing.setdefault(f"{call.service}.{call.method}\0{action}", call.node)
        for words, node in missing.items():
            call_name, _, action = words.partition("\0")
            at = offset(code, node.lineno, node.col_offset)
            message = (
                f"{function.logical_id} calls {call_name}, and its role has no statement for {action}: AWS "
                "answers AccessDenied. Add the action, with the resource that it is for, to the role"
            )
            yield TemplateProblem(Spot(PlacedText(code.text, at), (), is_exact=False), message)
