"""A call that will be killed still speaks: shortly before its deadline, once, never in a later call."""

import subprocess
import sys
import time

import pytest
from freezegun import freeze_time

from monitoring import count, monitored, span
from monitoring.capture import LambdaContext, capture
from monitoring.instrumentation import timeouts


def test_a_call_near_its_deadline_prints_the_metric_and_what_is_open():
    @monitored
    def slow(event, context):
        with span("done"):
            pass
        with span("hanging", resource="slides") as made:
            made.set("page", 7)
            time.sleep(0.4)

    with capture() as emitted:
        slow({}, LambdaContext(timeout_ms=300))
    emitted.assert_count("stepscope.timeouts", 1)
    spans = {made["name"]: made for made in emitted.trace()}
    assert spans["aws.lambda"]["error"] == 1
    assert spans["aws.lambda"]["meta"]["error.type"] == "Timeout"
    assert spans["hanging"]["meta"]["unfinished"] == "true"
    assert spans["hanging"]["metrics"] == {"page": 7}
    assert "unfinished" not in spans["done"]["meta"]
    assert 200_000_000 < spans["hanging"]["duration"] < 390_000_000
    assert len(emitted.traces()) == 1
    assert len(emitted.points("stepscope.duration")) == 1


def test_quick_calls_say_nothing_however_many_there_are():
    with capture() as emitted:
        for _ in range(50):
            monitored(lambda event, context: None)({}, LambdaContext(timeout_ms=150))
        time.sleep(0.3)
    assert not emitted.points("stepscope.timeouts")


def test_a_deadline_that_has_passed_says_nothing_in_a_later_call():
    with capture() as emitted:
        monitored(lambda event, context: None)({}, LambdaContext(timeout_ms=100))

        @monitored
        def later(event, context):
            time.sleep(0.25)

        later({}, LambdaContext(timeout_ms=60_000))
    assert not emitted.points("stepscope.timeouts")


class Thawed(LambdaContext):
    """A context after a freeze: the deadline that the thread computed has passed, the call's own has not."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def get_remaining_time_in_millis(self):
        self.asked += 1
        return 100 if self.asked == 1 else 60_000


def test_the_context_has_the_last_word_when_the_clocks_have_moved():
    context = Thawed()
    with capture() as emitted:
        monitored(lambda event, context: time.sleep(0.25))({}, context)
    assert context.asked >= 2
    assert not emitted.points("stepscope.timeouts")


def test_an_earlier_deadline_wakes_the_thread_that_waits_for_a_later_one():
    with capture() as emitted:

        @monitored
        def slow(event, context):
            time.sleep(0.35)

        monitored(lambda event, context: None)({}, LambdaContext(timeout_ms=600_000))
        slow({}, LambdaContext(timeout_ms=250))
    emitted.assert_count("stepscope.timeouts", 1)


def test_the_margin_is_a_setting(monkeypatch):
    monkeypatch.setenv("MONITORING_DEADLINE_MARGIN_MS", "900")
    with capture() as emitted:
        monitored(lambda event, context: time.sleep(0.3))({}, LambdaContext(timeout_ms=1000))
    emitted.assert_count("stepscope.timeouts", 1)


@pytest.mark.parametrize("left", [0, -5, float("nan"), None, "soon", True])
def test_a_context_that_tells_no_sensible_time_is_not_watched(left):
    class Odd(LambdaContext):
        def get_remaining_time_in_millis(self):
            return left

    with capture() as emitted:
        monitored(lambda event, context: time.sleep(0.05))({}, Odd())
    assert not emitted.points("stepscope.timeouts")


def test_a_frozen_clock_stops_neither_the_call_nor_the_printed_time():
    with freeze_time("2026-11-23T10:00:00Z"), capture() as emitted:
        monitored(lambda event, context: count("a"))({}, LambdaContext(timeout_ms=100))
    assert {point.timestamp for point in emitted.points()} == {1795428000}
    emitted.assert_value("stepscope.duration", 0)


def test_one_thread_serves_all_calls():
    with capture():
        for _ in range(20):
            monitored(lambda event, context: None)({}, LambdaContext())
    import threading

    assert [thread.name for thread in threading.enumerate()].count("monitoring-watchdog") == 1
    assert not timeouts._watchdog.watched


def test_a_forked_process_has_a_watchdog_of_its_own():
    code = (
        "import os, time, sys\n"
        "from monitoring import monitored\n"
        "from monitoring.capture import LambdaContext\n"
        "h = monitored(lambda e, c: time.sleep(0.3))\n"
        "monitored(lambda e, c: None)({}, LambdaContext())\n"
        "sys.stdout.flush()\n"
        "if os.fork() == 0:\n"
        "    h({}, LambdaContext(timeout_ms=200)); sys.stdout.flush(); os._exit(0)\n"
        "os.wait()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.count("|stepscope.timeouts|") == 1


class Unanswering(LambdaContext):
    """A context that tells its time once."""

    asked = False

    def get_remaining_time_in_millis(self):
        if self.asked:
            raise RuntimeError("no answer")
        self.asked = True
        return 100


def test_a_context_that_answers_once_takes_no_other_call_down():
    import threading

    with capture() as emitted:
        aside = threading.Thread(
            target=monitored(lambda event, context: time.sleep(0.5)), args=({}, Unanswering())
        )
        aside.start()
        monitored(lambda event, context: time.sleep(0.4))({}, LambdaContext(timeout_ms=300))
        aside.join()
    emitted.assert_count("stepscope.timeouts", 1)
    emitted.assert_count("stepscope.telemetry.failures", 1, tags={"where": "watchdog"})


@pytest.mark.parametrize(
    ("at", "planned_anew"),
    [(12.0, False), (10.0, False), (9.96, False), (9.9, True), (1.0, True)],
)
def test_only_a_deadline_that_is_clearly_earlier_changes_when_the_thread_wakes(at, planned_anew):
    dog = timeouts._Watchdog()
    assert dog.wake(10.0, margin=0.2)
    assert dog.wake(at, margin=0.2) == planned_anew
    assert dog.wakes == (at if planned_anew else 10.0)
    assert dog.wakes < dog.serves < dog.wakes + 0.2
