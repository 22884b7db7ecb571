"""json-syntax: the file is not JSON."""

from monitoring.lint.model import Rule

RULE = Rule("json-syntax", "error", "The file is not JSON, or not UTF-8.")
