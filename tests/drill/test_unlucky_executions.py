"""Executions that fail or lead elsewhere by chance are run again, and the drill says so."""

from pathlib import Path

import pytest

from monitoring.drill.application_run import ApplicationOptions, drill_application, pipeline_options
from monitoring.drill.breakages import Breakage, never_started
from monitoring.drill.player import LUCKY_TRIES, _unlucky_remarks
from monitoring.testing.project import Folder

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.12, CodeUri: ., Timeout: 20}
Resources:
  Orders:
    Type: AWS::Serverless::StateMachine
    Properties:
      Policies:
        - LambdaInvokePolicy: {FunctionName: !Ref Draw}
        - LambdaInvokePolicy: {FunctionName: !Ref Buy}
      Definition:
        StartAt: Draw
        States:
          Draw: {Type: Task, Resource: !GetAtt Draw.Arn, Next: Which}
          Which:
            Type: Choice
            Choices: [{Variable: $.buy, BooleanEquals: true, Next: Buy}]
            Default: Nothing
          Buy: {Type: Task, Resource: !GetAtt Buy.Arn, End: true}
          Nothing: {Type: Succeed}
  Draw: {Type: AWS::Serverless::Function, Properties: {Handler: app.draw}}
  Buy: {Type: AWS::Serverless::Function, Properties: {Handler: app.buy}}
"""
APP = """
import pathlib
from monitoring import monitored

calls = pathlib.Path(__file__).parent / "calls"

@monitored
def draw(event, context):
    with calls.open("a") as file:
        file.write("x")
    number = calls.stat().st_size
    if number == 2:
        raise ConnectionError("the second call of the day")
    return {"buy": number % 2 == 1}

@monitored
def buy(event, context):
    return {}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def test_an_execution_that_leads_elsewhere_is_run_again(folder: Path) -> None:
    options = ApplicationOptions(
        pipeline_options(folder, ""), {"": {}}, Folder(folder / "monitors"), faults=("Buy/raises",)
    )
    result = drill_application(options)
    (row,) = result.faults
    assert row.ended == ("FAILED RuntimeError",)  # calls 1 to 5 are those in health; the sixth does not buy
    assert "1 executions did not come to Buy and were run again" in row.remarks
    assert "1 executions of Orders failed with nothing broken, and were run again" in result.notes


@pytest.mark.parametrize(
    ("tries", "words"), [(1, ()), (3, ("2 executions", "run again")), (0, (f"none of {LUCKY_TRIES}",))]
)
def test_only_a_fault_that_was_not_reached_at_once_has_a_remark(tries: int, words: tuple[str, ...]) -> None:
    remarks = _unlucky_remarks(tries, Breakage("raises", "Buy", "it raises", never_started))
    assert len(remarks) == bool(words)
    assert all(word in remarks[0] for word in words)
