"""Evaluate composite monitors with the published truth table of the members' states.

Source: the composite page. All states but OK are alert-worthy; && takes the least severe and || the most
severe of what is alert-worthy; ! keeps No Data, and turns an alert-worthy state into OK and OK into Alert.
"""

from collections.abc import Mapping

from monitoring.monitor.states import SEVERITY, State
from monitoring.query.monitor_nodes import Combined, Composition, Opposite


def combine(expression: Composition, states: Mapping[int, State]) -> State:
    """Combine the members' states by id with the truth table; `settle` decides what No Data counts as."""
    if isinstance(expression, Combined):
        both = (combine(expression.left, states), combine(expression.right, states))
        choose = min if expression.operator == "&&" else max
        return choose(both, key=SEVERITY.__getitem__)
    if isinstance(expression, Opposite):
        inner = combine(expression.member, states)
        if inner is State.NO_DATA:
            return inner
        return State.ALERT if inner is State.OK else State.OK
    return states[expression.id]


def settle(result: State, last_known: State, notify_no_data: bool) -> State:
    """Return No Data only if the composite notifies on it, otherwise the last known state."""
    return last_known if result is State.NO_DATA and not notify_no_data else result
