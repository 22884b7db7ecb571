"""template-syntax: a template that cannot be read, so that no other rule is applied to it."""

from monitoring.lint.model import Refusal, Rule
from monitoring.lint.templates.kinds import TEMPLATE

RULE = Rule(
    "template-syntax",
    "error",
    "A template that cannot be read as it would be deployed.",
    TEMPLATE,
    (Refusal("the words of the finding", "`stepscope up`, `run` and `drill --from`"),),
)
"""The engine makes its findings, when it reads the file."""
