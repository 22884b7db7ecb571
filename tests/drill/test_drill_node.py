"""Functions of Node.js are broken as those of Python are."""

import shutil
from pathlib import Path

import pytest

from monitoring.drill.application_run import ApplicationOptions, drill_application, pipeline_options
from monitoring.testing.project import Folder

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js here")
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::Serverless::StateMachine
    Properties:
      Policies: [LambdaInvokePolicy: {FunctionName: !Ref Store}]
      Definition: {StartAt: Store, States: {Store: {Type: Task, Resource: !GetAtt Store.Arn, End: true}}}
  Store:
    Type: AWS::Serverless::Function
    Properties: {Runtime: nodejs20.x, Handler: app.store, CodeUri: ., Timeout: 20, MemorySize: 128}
"""
ENDS = {
    "raises": "FAILED Error",
    "times-out": "FAILED Sandbox.Timedout",
    "out-of-memory": "FAILED Runtime.ExitError",
    "not-importable": "FAILED Runtime.ImportModuleError",
    "slow": "SUCCEEDED",
    "claims-falsely": "SUCCEEDED",
}


def test_a_function_of_node_is_broken_in_every_way(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "app.js").write_text("exports.store = async (event) => ({ stored: event.id });\n")
    options = ApplicationOptions(
        pipeline_options(tmp_path, ""),
        {"": {"id": 7}},
        Folder(tmp_path / "monitors"),
        faults=tuple(f"Store/{kind}" for kind in ENDS),
        players=1,
    )
    result = drill_application(options)
    assert {row.breakage.kind: row.ended[0] for row in result.faults} == ENDS
