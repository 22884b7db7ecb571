"""What steps spend, and the advice that follows from it: spans and figures in, evidence out."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from shapes import deviations

from monitoring.advise.rules import advise, step_data
from monitoring.advise.steps import Machine, machines_of
from monitoring.cli.advise import command
from monitoring.cost.measured import Measurements
from monitoring.errors import InputError

MS = 1_000_000


class Trace:
    """Spans of executions, as a forwarder sends them."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self._ids = (f"{number:016x}" for number in itertools.count(1))
        self.now = 0

    def span(self, name: str, parent: str, duration: float, resource: str = "", **meta: str) -> str:
        span_id = next(self._ids)
        error = int(meta.pop("error", "0"))
        self.spans.append(
            {
                "name": name, "span_id": span_id, "parent_id": parent, "resource": resource, "error": error,
                "start": self.now * MS, "duration": int(duration * MS), "meta": meta, "metrics": {},
            }
        )  # fmt: skip
        return span_id

    def execution(self) -> str:
        return self.span("aws.stepfunctions", "0", 0, statemachinename="shop")

    def state(self, parent: str, name: str, duration: float, kind: str = "Task", **meta: str) -> str:
        meta |= {"statemachinename": "shop", "state": name, "statetype": kind}
        span_id = self.span("aws.stepfunctions.state", parent, duration, name, **meta)
        self.now += int(duration)
        return span_id

    def task(
        self,
        parent: str,
        name: str,
        duration: float,
        work: float,
        *,
        cold: bool = False,
        inner: dict[str, float] | None = None,
        error: bool = False,
    ) -> None:
        state = self.state(parent, name, duration, error=str(int(error)))
        call = self.span("aws.lambda", state, work, f"shop-{name.lower()}", cold_start=str(cold).lower())
        for key, spent in (inner or {}).items():
            self.span(key, call, spent)

    def machine(self, figures: Measurements | None = None) -> Machine:
        (machine,) = machines_of(self.spans, figures or Measurements())
        return machine


def actions(trace: Trace, figures: Measurements | None = None) -> set[tuple[str, tuple[str, ...]]]:
    figures = figures or Measurements()
    return {(advice.action, advice.steps) for advice in advise(trace.machine(figures), figures)}


def test_the_time_of_a_step_is_its_work_cold_starts_waiting_and_the_rest() -> None:
    trace = Trace()
    root = trace.execution()
    trace.task(root, "Pay", 1000, 300, cold=True)
    trace.state(root, "Rest", 5000, "Wait")
    trace.state(root, "Build", 2000)
    trace.state(root, "Which", 4, "Choice")
    trace.state(root, "All", 9999, "Parallel")
    figures = Measurements(
        init_durations={"shop-pay": 0.5}, memory_size={"shop-pay": 1024}, durations={"shop-pay": 1.0}
    )
    machine = trace.machine(figures)
    pay, rest, build, which = (machine.steps[name] for name in ("Pay", "Rest", "Build", "Which"))
    assert pay.parts == {"cold_start": 500, "transition": 200, "waiting": 0, "work": 300}
    assert rest.parts["waiting"] == 5000
    assert build.parts["waiting"] == 2000
    assert which.parts["transition"] == 4
    assert machine.time == 1000 + 5000 + 2000 + 4
    assert pay.usd == pytest.approx(0.025 / 1000 + 0.2 / 1e6 + 0.0000166667)


@pytest.mark.parametrize(("work", "duration"), [(0, 0), (500, 100), (100, 100)])
def test_the_parts_never_sum_up_to_more_than_the_step(work: float, duration: float) -> None:
    trace = Trace()
    trace.task(trace.execution(), "Pay", duration, work, cold=True)
    step = trace.machine(Measurements(init_durations={"shop-pay": 9.0})).steps["Pay"]
    assert sum(step.parts.values()) == pytest.approx(duration)


def test_short_steps_that_always_follow_each_other_are_to_be_merged() -> None:
    trace = Trace()
    for _ in range(3):
        root = trace.execution()
        trace.task(root, "Pay", 100, 20)
        trace.task(root, "Mail", 100, 20)
    assert ("merge", ("Pay", "Mail")) in actions(trace)


@pytest.mark.parametrize("kind", ["long", "busy", "sometimes"])
def test_steps_that_are_long_busy_or_not_always_together_are_not_merged(kind: str) -> None:
    trace = Trace()
    for number in range(4):
        root = trace.execution()
        trace.task(root, "Pay", *{"long": (5000, 900), "busy": (100, 95)}.get(kind, (100, 20)))
        if kind != "sometimes" or number:
            trace.task(root, "Mail", 100, 95 if kind == "busy" else 20)
    assert not {steps for action, steps in actions(trace) if action == "merge"}


def test_a_step_that_fails_after_long_work_of_two_kinds_is_to_be_split() -> None:
    trace = Trace()
    for failed in (False, True):
        inner = {"s3.get_object": 900.0, "classify": 900.0}
        trace.task(trace.execution(), "Pay", 2000, 1900, inner=inner, error=failed)
    assert ("split", ("Pay",)) in actions(trace)
    trace = Trace()
    trace.task(trace.execution(), "Pay", 2000, 1900, inner={"s3.get_object": 900.0, "classify": 900.0})
    assert ("split", ("Pay",)) not in actions(trace)


def test_a_loop_that_polls_is_to_become_a_task_that_waits() -> None:
    trace = Trace()
    root = trace.execution()
    for _ in range(3):
        trace.state(root, "Pause", 10_000, "Wait")
        trace.task(root, "Check", 100, 50)
        trace.state(root, "Ready", 1, "Choice")
    assert ("asynchronous", ("Pause", "Check")) in actions(trace)
    once = Trace()
    for _ in range(3):
        root = once.execution()
        once.state(root, "Pause", 10_000, "Wait")
        once.task(root, "Check", 100, 50)
    assert ("asynchronous", ("Pause", "Check")) not in actions(once)


def test_a_handler_that_mostly_waits_for_one_call_is_to_be_asynchronous() -> None:
    trace = Trace()
    trace.task(trace.execution(), "Pay", 3000, 2900, inner={"http.request": 2800.0})
    assert ("asynchronous", ("Pay",)) in actions(trace)


@pytest.mark.parametrize(
    ("size", "used", "action"),
    [(1024, 60, "less memory"), (128, 60, ""), (256, 240, "more memory"), (512, 300, ""), (0, 0, "")],
)
def test_memory_is_compared_with_what_was_used(size: int, used: float, action: str) -> None:
    trace = Trace()
    trace.task(trace.execution(), "Pay", 100, 90)
    figures = Measurements(memory_size={"shop-pay": size}, memory_used={"shop-pay": used})
    memory = {name for name, _ in actions(trace, figures) if "memory" in name}
    assert memory == ({action} if action else set())


def test_cold_starts_that_take_much_of_a_step_are_named() -> None:
    trace = Trace()
    trace.task(trace.execution(), "Pay", 1000, 100, cold=True)
    figures = Measurements(
        init_durations={"shop-pay": 0.8}, cold_starts={"shop-pay": 1}, invocations={"shop-pay": 1}
    )
    assert ("cold starts", ("Pay",)) in actions(trace, figures)


def test_a_state_of_an_express_execution_costs_its_duration_and_no_transition() -> None:
    prices = {}
    for kind in ("execution", "express"):
        trace = Trace()
        arn = f"arn:aws:states:us-east-1:123456789012:{kind}:shop:run-1:ab"
        root = trace.execution()
        trace.state(root, "Wait", 2000, kind="Wait", executionarn=arn)
        trace.state(root, "Each", 5000, kind="Map", executionarn=arn)
        prices[kind] = {name: step.usd for name, step in trace.machine().steps.items()}
    assert prices["execution"] == {"Wait": pytest.approx(25e-6), "Each": pytest.approx(25e-6)}
    assert prices["express"] == {"Wait": pytest.approx(2 * 64 / 1024 * 0.00001667), "Each": 0.0}


def test_a_machine_without_its_tag_has_the_name_in_the_execution_s_arn() -> None:
    trace = Trace()
    meta = {"executionarn": "arn:aws:states:us-east-1:123456789012:execution:shop/label:run-1"}
    root = trace.span("aws.stepfunctions", "0", 0, **meta)
    trace.span("aws.stepfunctions.state", root, 10, "Wait", statetype="Wait", **meta)
    assert (trace.machine().name, trace.machine().executions) == ("shop", 1)


def test_attempts_of_a_task_count_for_its_state() -> None:
    trace = Trace()
    state = trace.state(trace.execution(), "Pay", 500)
    for _ in range(2):
        attempt = trace.span("aws.stepfunctions.attempt", state, 200)
        trace.span("aws.lambda", attempt, 100, "shop-pay")
    assert trace.machine().steps["Pay"].functions == {"shop-pay": 2}


def test_every_advice_has_evidence_an_effect_and_limits() -> None:
    trace = Trace()
    root = trace.execution()
    trace.task(root, "Pay", 100, 20)
    trace.task(root, "Mail", 100, 20)
    figures = Measurements(memory_size={"shop-pay": 1024}, memory_used={"shop-pay": 60.0})
    machine = trace.machine(figures)
    for advice in advise(machine, figures):
        assert all(advice.as_data().values())
    rows = [step_data(machine, step, figures) for step in machine.steps.values()]
    assert sum(row["share_of_time"] for row in rows) == pytest.approx(1)
    assert sum(row["share_of_cost"] for row in rows) == pytest.approx(1, abs=0.001)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    from monitoring.store import Store

    trace = Trace()
    root = trace.execution()
    trace.task(root, "Pay", 100, 20)
    trace.task(root, "Mail", 100, 20)
    with Store.open(tmp_path / "datadog.duckdb") as store:
        store.add_spans(
            [{**span, "trace_id": "1" * 16, "service": "shop", "type": "serverless"} for span in trace.spans]
        )  # type: ignore[list-item]
    return tmp_path


def test_the_command_reads_a_database(database: Path) -> None:
    text = CliRunner().invoke(command, ["--data", str(database), "--explain"], standalone_mode=False).output
    assert "shop, 1 execution: few" in text
    assert "merge: Pay, Mail" in text
    assert "2 spans" not in text
    data = json.loads(
        CliRunner().invoke(command, ["--data", str(database), "--json"], standalone_mode=False).output
    )
    (machine,) = data["machines"]
    assert machine["few"] is True
    assert {row["step"] for row in machine["steps"]} == {"Pay", "Mail"}
    assert machine["advice"][0]["action"] == "merge"


@pytest.mark.checkout
def test_the_document_has_the_shape_of_its_schema(database: Path) -> None:
    shown = CliRunner().invoke(command, ["--data", str(database), "--json"], standalone_mode=False).output
    document = json.loads(shown)
    assert document["machines"][0]["advice"]
    assert deviations("advise", document) == []


def test_a_missing_or_empty_database_is_refused(tmp_path: Path) -> None:
    from monitoring.advise.steps import read_machines
    from monitoring.store import Store

    with pytest.raises(InputError, match="no such database"):
        read_machines(tmp_path)
    with Store.open(tmp_path / "datadog.duckdb"):
        pass
    with pytest.raises(InputError, match="no execution"):
        read_machines(tmp_path)
