"""duplicate-key: an object names a key twice, and the first value is lost."""

from monitoring.lint.model import Refusal, Rule

RULE = Rule(
    "duplicate-key",
    "error",
    "An object names a key twice; only the last value counts.",
    refusals=(Refusal("duplicate key …", "every command of stepscope that reads the file"),),
)
