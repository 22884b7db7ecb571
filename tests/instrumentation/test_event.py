"""An event is read once: no key of a context object is looked up twice, whatever the invocation needs of it."""

from collections import Counter

import pytest
from lambda_events import CONTEXT_OBJECT, EVENTS

from monitoring import monitored
from monitoring.capture import LambdaContext, capture
from monitoring.instrumentation import event as reading
from monitoring.instrumentation import step_functions
from monitoring.instrumentation.event import read_event


class Watched(dict):
    """An object that counts how often each of its keys is looked up, and how often it is walked as a whole."""

    def __init__(self, value):
        super().__init__(value)
        self.lookups = Counter()

    def __getitem__(self, key):
        self.lookups[key] += 1
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.lookups[key] += 1
        return super().get(key, default)

    def __contains__(self, key):
        self.lookups[key] += 1
        return super().__contains__(key)

    def items(self):
        self.lookups["items()"] += 1
        return super().items()


def watched(value):
    if isinstance(value, dict):
        return Watched({key: watched(item) for key, item in value.items()})
    return [watched(item) for item in value] if isinstance(value, list) else value


def lookups(value):
    """Every count of the value and of all below it."""
    if isinstance(value, Watched):
        yield from value.lookups.values()
        for key in value:
            yield from lookups(dict.__getitem__(value, key))
    elif isinstance(value, list):
        for item in value:
            yield from lookups(item)


class PowertoolsEvent:
    def __init__(self, event):
        self.raw_event = event


FLAT = {"Execution": CONTEXT_OBJECT["Execution"]["Id"], "StateMachine": "slides", "State": "Identify"}
STEPS = {
    "in _datadog": {"photo": "a.jpg", "_datadog": CONTEXT_OBJECT},
    "as the event": CONTEXT_OBJECT,
    "in the payload": {"Payload": {"_datadog": CONTEXT_OBJECT}},
    "as the payload": {"Payload": CONTEXT_OBJECT},
    "in a batch": {"Items": [1, 2], "BatchInput": {"_datadog": CONTEXT_OBJECT}},
    "as the input of a batch": {"Items": [1, 2], "BatchInput": CONTEXT_OBJECT},
    "in our own field of a batch": {"Items": [], "BatchInput": {"_monitoring": FLAT}},
    "in the items of a batch": {"Items": [{"row": 1, "_datadog": CONTEXT_OBJECT}, {"row": 2}]},
    "in a list": [{"_datadog": CONTEXT_OBJECT}, {"photo": "b.jpg"}],
    "in our own field": {"_monitoring": FLAT},
    "whole in our own field": {"_monitoring": CONTEXT_OBJECT},
    "with headers beside it": {"headers": {"x-datadog-trace-id": "7"}, "_datadog": CONTEXT_OBJECT},
}


@pytest.mark.parametrize("wrap", [lambda event: event, PowertoolsEvent], ids=["plain", "powertools"])
@pytest.mark.parametrize("event", STEPS.values(), ids=STEPS)
def test_no_key_of_a_step_is_looked_up_twice(event, wrap):
    event = watched(event)
    if wrap is PowertoolsEvent and isinstance(event, list):
        pytest.skip("Powertools has no class for a list")
    with capture() as emitted:
        monitored(lambda event, context: None)(wrap(event), LambdaContext())
    assert emitted.trace()[0]["meta"]["stepfunctions.state"]
    assert set(lookups(event)) == {1}


@pytest.mark.parametrize(
    ("trigger", "event"), [(row[1], row[3]) for row in EVENTS], ids=[row[0] for row in EVENTS]
)
def test_an_invocation_unwraps_and_searches_its_event_once(trigger, event, monkeypatch):
    calls = Counter()

    def counted(function):
        def counting(argument):
            calls[function.__name__] += argument is event
            return function(argument)

        return counting

    for name in ("plain", "context_parts"):
        for module in (reading, step_functions):
            monkeypatch.setattr(module, name, counted(getattr(step_functions, name)), raising=False)
    with capture() as emitted:
        monitored(lambda event, context: None)(event, LambdaContext())
    assert emitted.trace()[0]["meta"]["trigger"] == trigger
    assert max(calls.values()) <= 1


def test_the_summary_of_an_event():
    summary = read_event({"_datadog": CONTEXT_OBJECT}, None, 0)
    assert (summary.trigger.name, summary.trigger.resource) == ("step-functions", summary.step.state_machine)
    assert (summary.parent.trace_id, summary.parent.span_id) == (
        summary.step.trace_id,
        summary.step.parent_id,
    )
    assert summary.size > 100
    assert read_event({"_datadog": CONTEXT_OBJECT}, None, None).size is None
    assert read_event({"photo": "a.jpg"}, None, 512) is read_event({"talk": "b"}, None, 512)


@pytest.mark.parametrize(
    ("smallest", "size"), [(None, None), (0, 17), (17, 17), (18, None)], ids=["off", "0", "equal", "above"]
)
def test_a_size_is_kept_from_the_smallest_that_is_printed(smallest, size):
    assert read_event({"photo": "a.jpg"}, None, smallest).size == size


def test_items_within_items_are_not_searched():
    """A tree of the user's own may have the key Items too; ten to the power of its depth would be searched."""
    tree: dict = {"Items": [{"_datadog": CONTEXT_OBJECT}]}
    assert read_event({"Items": [tree]}, None, None).step is None
    assert read_event(tree, None, None).step is not None
