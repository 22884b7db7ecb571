"""unknown-kind: a JSON file that is neither a dashboard nor a monitor."""

from monitoring.lint.model import Rule

RULE = Rule("unknown-kind", "warning", "The file is neither a dashboard nor a monitor.")
