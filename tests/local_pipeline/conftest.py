"""A project of two functions and a state machine, as a user has it."""

from pathlib import Path

import pytest

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
Globals:
  Function: {Runtime: python3.12, CodeUri: src, Timeout: 10}
Resources:
  Orders:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Sub "orders-${Stage}"
      DefinitionUri: orders.asl.yaml
      DefinitionSubstitutions: {Take: !GetAtt Take.Arn, Pay: !Ref Pay}
      Policies: [LambdaInvokePolicy: {FunctionName: !Ref Take}, LambdaInvokePolicy: {FunctionName: !Ref Pay}]
      Logging:
        Level: ALL
        IncludeExecutionData: true
        Destinations: [CloudWatchLogsLogGroup: {LogGroupArn: !GetAtt Logs.Arn}]
  Quick:
    Type: AWS::Serverless::StateMachine
    Properties:
      Type: EXPRESS
      Definition: {StartAt: Only, States: {Only: {Type: Pass, Result: {quick: true}, End: true}}}
  Logs: {Type: AWS::Logs::LogGroup}
  Take: {Type: AWS::Serverless::Function, Properties: {Handler: app.take}}
  Pay: {Type: AWS::Serverless::Function, Properties: {Handler: app.pay}}
"""
DEFINITION = """
StartAt: Take
States:
  Take: {Type: Task, Resource: "${Take}", Next: Pay}
  Pay:
    Type: Task
    Resource: arn:aws:states:::lambda:invoke
    Parameters: {FunctionName: "${Pay}", Payload.$: $}
    OutputPath: $.Payload
    End: true
"""
APP = """
from monitoring import count, monitored

@monitored
def take(event, context):
    count("shop.orders", tags=["kind:web"])
    print("took", event["id"])
    return event

@monitored
def pay(event, context):
    if event["amount"] > 1000:
        raise ValueError("too much")
    return {"paid": event["amount"]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "orders.asl.yaml").write_text(DEFINITION)
    (tmp_path / "src" / "app.py").write_text(APP)
    (tmp_path / "input.json").write_text('{"id": 7, "amount": 20}')
    return tmp_path
