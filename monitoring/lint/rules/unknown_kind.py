"""unknown-kind: a JSON file that is neither a dashboard nor a monitor."""

from monitoring.lint.model import Refusal, Rule

RULE = Rule(
    "unknown-kind",
    "warning",
    "The file is neither a dashboard nor a monitor.",
    refusals=(
        Refusal("not a …: the top level is not an object", "every command of stepscope that reads the file"),
    ),
)
