"""json-syntax: the file is not JSON."""

from monitoring.lint.model import Refusal, Rule

RULE = Rule(
    "json-syntax",
    "error",
    "The file is not JSON, or not UTF-8.",
    refusals=(Refusal("the place where reading stopped", "every command of stepscope that reads the file"),),
)
