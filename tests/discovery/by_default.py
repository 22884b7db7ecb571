"""What is found, with the values that variables have by default."""

from dataclasses import replace

from monitoring.discovery.source import discover as discover_with_variables
from monitoring.resources.variables import fill_in


def discover(path):
    found = discover_with_variables(path)

    def named(items):
        return tuple(replace(item, name=fill_in({"name": item.name}, {})["name"]) for item in items)

    return replace(
        found,
        functions=named(found.functions),
        state_machines=named(found.state_machines),
        activities=named(found.activities),
    )
