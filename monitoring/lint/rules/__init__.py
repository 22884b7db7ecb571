"""The rules, one a module: `RULE` says what it is, `check` (of one file) or `check_all` (of all) finds it."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import ModuleType

MODULES = (
    "json_syntax",
    "duplicate_key",
    "unknown_kind",
    "schema",
    "unknown_key",
    "read_only_key",
    "query_syntax",
    "unknown_metric",
    "unknown_tag",
    "many_groups",
    "tag_case",
    "account_total",
    "unused_variable",
    "undefined_variable",
    "template_variable",
    "unknown_query",
    "threshold_mismatch",
    "warning_side",
    "recovery_overlap",
    "option_conflict",
    "never_fires",
    "pages_when_idle",
    "count_with_avg",
    "default_zero_ratio",
    "late_metric",
    "missing_handle",
    "message_variable",
    "dead_link",
    "dead_reference",
    "project_settings",
    "for_each",
    "unused_value",
    "duplicate_name",
    "downtime_scope",
    "downtime_schedule",
    "silences_everything",
    "silences_nothing",
    "layout",
    "too_many_widgets",
    "template_syntax",
    "machine_log",
    "task_context",
    "task_timeout",
    "task_catch",
    "retry_jitter",
    "timeout_order",
    "log_retention",
    "log_subscription",
    "handler_decorator",
    "logged_metric",
    "role_action",
)
"""In the order of the docs: what cannot be read, then what a file says, then what it does; templates last."""


@cache
def modules() -> Mapping[str, ModuleType]:
    """Code -> the rule's module."""
    rules = [import_module(f"monitoring.lint.rules.{name}") for name in MODULES]
    return {module.RULE.code: module for module in rules}
