"""A module whose import fails."""

import not_a_module_at_all


def handler(event, context):
    return not_a_module_at_all
