"""A month's costs: quantities from a template or from measurements, prices, switches, and how it is shown."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitoring.cli.cost import command
from monitoring.cost.estimate import Assumptions, Estimate, estimate
from monitoring.cost.measured import Measurements, family
from monitoring.cost.prices import PRICES
from monitoring.cost.usage import longest, read_application
from monitoring.errors import InputError

TEMPLATE = """
Resources:
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineName: orders
      LoggingConfiguration: {Level: ALL}
      DefinitionString:
        StartAt: Pay
        States:
          Pay:
            Type: Task
            Resource: !GetAtt Pay.Arn
            Next: Big
            Catch: [{ErrorEquals: [States.ALL], Next: Failed}]
          Big: {Type: Choice, Choices: [{Variable: $.a, IsPresent: true, Next: Each}], Default: Done}
          Each:
            Type: Map
            ItemProcessor:
              StartAt: Pack
              States:
                Pack: {Type: Task, Resource: "arn:aws:states:::lambda:invoke", Parameters: {FunctionName: !Ref Pack}, End: true}
            Next: Done
          Done: {Type: Succeed}
          Failed: {Type: Fail}
  Pay: {Type: AWS::Lambda::Function, Properties: {FunctionName: shop-pay, MemorySize: 512}}
  Pack: {Type: AWS::Lambda::Function, Properties: {Architectures: [arm64], MemorySize: 1024}}
  Idle: {Type: AWS::Lambda::Function, Properties: {}}
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return tmp_path / "template.yaml"


def bill(template: Path, measured: Measurements | None = None, **assumed: Any) -> Estimate:
    assumptions = Assumptions(**{"executions": 1_000_000, "items": 3, **assumed})
    return estimate(read_application(template, {}, assumptions.items), assumptions, measured)


def quantity(result: Estimate, name: str, unit: str, service: str = "") -> float:
    (item,) = [
        item
        for item in result.items
        if (item.name, item.unit) == (name, unit) and item.service.startswith(service)
    ]
    return item.quantity


def test_the_longest_path_is_counted_with_its_items_and_without_its_catches(template: Path) -> None:
    result = bill(template)
    assert quantity(result, "orders", "state transitions") == (4 + 3) * 1_000_000
    assert quantity(result, "shop-pay", "requests") == 1_000_000
    assert quantity(result, "Pack", "requests") == 3_000_000
    assert quantity(result, "Idle", "requests") == 0


def test_a_functions_duration_memory_and_architecture_make_its_price(template: Path) -> None:
    result = bill(template, duration_ms=100)
    assert quantity(result, "shop-pay", "GB-seconds") == pytest.approx(1_000_000 * 0.1 * 0.5)
    (arm,) = [item for item in result.items if (item.name, item.unit) == ("Pack", "GB-seconds")]
    assert arm.usd == pytest.approx(3_000_000 * 0.1 * 1 * 0.0000133334)


def test_what_was_measured_goes_before_what_is_assumed(template: Path) -> None:
    measured = Measurements(
        executions=10,
        durations={"shop-pay": 2.0},
        invocations={"shop-pay": 15},
        transitions={"orders": 9.5},
        metrics={"calls": 12, "business": 3},
        logs=40,
        log_bytes=4000,
    )
    result = bill(template, measured)
    assert quantity(result, "shop-pay", "requests") == 1_500_000
    assert quantity(result, "shop-pay", "GB-seconds") == pytest.approx(1_500_000)
    assert quantity(result, "orders", "state transitions") == 9_500_000
    assert quantity(result, "metrics: calls", "custom metrics") == 60
    assert quantity(result, "logs", "log events") == 4_000_000


@pytest.mark.parametrize(
    ("without", "names"),
    [
        ("percentiles", {"percentiles: calls", "percentiles: business"}),
        ("calls", {"metrics: calls", "percentiles: calls"}),
        ("business", {"metrics: business", "percentiles: business"}),
        ("executions", {"metrics: executions"}),
        ("forwarder", {"metrics: forwarder"}),
        ("enhanced", {"metrics: enhanced"}),
        ("logs", {"logs"}),
        ("traces", {"traces"}),
    ],
)
def test_a_family_can_be_left_out(template: Path, without: str, names: set[str]) -> None:
    everything = {item.name for item in bill(template).items}
    left = {item.name for item in bill(template, without=frozenset({without})).items}
    assert names <= everything
    assert not names & left


def test_an_express_machine_is_billed_by_requests_and_duration(template: Path) -> None:
    template.write_text(
        TEMPLATE.replace("StateMachineName:", "StateMachineType: EXPRESS\n      StateMachineName:")
    )
    result = bill(template, duration_ms=100)
    assert quantity(result, "orders", "requests") == 1_000_000
    assert quantity(result, "orders", "GB-seconds") == pytest.approx(1_000_000 * 0.4 * 64 / 1024)


def test_a_machine_that_another_one_starts_runs_as_often_as_it_is_started(template: Path) -> None:
    starts = "arn:aws:states:::states:startExecution"
    task = f"{{Type: Task, Resource: '{starts}', Parameters: {{StateMachineArn: !Ref Machine}}, End: true}}"
    template.write_text(
        TEMPLATE
        + "  Parent:\n    Type: AWS::StepFunctions::StateMachine\n    Properties:\n      DefinitionString:\n"
        + f"        StartAt: Two\n        States: {{Two: {{Type: Parallel, End: true, Branches: [{{StartAt: A, States: {{A: {task}}}}}, {{StartAt: B, States: {{B: {task}}}}}]}}}}\n"
    )
    result = bill(template)
    assert quantity(result, "Parent", "state transitions") == 3_000_000
    assert quantity(result, "orders", "state transitions") == 2 * 7 * 1_000_000


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"StartAt": "A", "States": {}},
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}},
        {
            "StartAt": "A",
            "States": {"A": {"Type": "Choice", "Choices": [1, {"Next": 2}], "Default": "B"}, "B": 1},
        },
        {"StartAt": 1, "States": [1]},
    ],
)
def test_a_definition_with_loops_or_mistakes_is_counted_as_far_as_it_goes(definition: dict[str, Any]) -> None:
    assert longest(definition, 10).transitions <= 1


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("aws.lambda.enhanced.duration", ""),
        ("stepscope.duration", "calls"),
        ("stepscope.execution.failed", "executions"),
        ("stepscope.forwarder.lag", "forwarder"),
        ("claims.verified", "calls"),
        ("shop.orders", "business"),
    ],
)
def test_a_metric_belongs_to_a_family(metric: str, name: str) -> None:
    assert family(metric) == name


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), standalone_mode=False)


def test_json_sums_up_to_its_items_and_has_the_extension_beside(template: Path) -> None:
    result = run("--from", str(template), "--executions", "1000000", "--json")
    data = json.loads(result.output)
    assert set(data["items"][0]) == {"name", "service", "quantity", "unit", "price", "usd", "explain"}
    assert data["total_usd"] == pytest.approx(data["aws_usd"] + data["datadog_usd"])
    for part in (data, data["beside"]):
        assert part["total_usd"] == pytest.approx(sum(item["usd"] for item in part["items"]), abs=0.01)
        for item in part["items"]:
            assert item["usd"] == pytest.approx(item["quantity"] * item["price"], abs=0.001)


def test_the_text_explains_each_figure_when_asked(template: Path) -> None:
    short = run("--from", str(template), "--executions", "1000").output
    long = run("--from", str(template), "--executions", "1000", "--explain").output
    assert "Pay > Big > Each > Done" in " ".join(long.split())
    assert "Pay > Big > Each > Done" not in " ".join(short.split())
    assert "List prices of" in short


def test_a_template_without_functions_and_machines_is_refused(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text("Resources: {Q: {Type: 'AWS::SQS::Queue'}}")
    with pytest.raises(InputError, match="no function and no state machine"):
        read_application(tmp_path / "template.yaml", {}, 1)


def test_every_price_names_the_page_that_states_it() -> None:
    assert all(price.source.startswith("https://") and price.usd > 0 for price in PRICES.values())


@pytest.mark.checkout
def test_the_page_shows_every_price() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cost.md").read_text()
    for name, price in PRICES.items():
        assert f"| `{name}` | {price.usd:.10f}".rstrip("0").rstrip(".") in page
