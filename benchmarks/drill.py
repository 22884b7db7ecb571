"""How long the drill of an application takes: 20 functions in a state machine, with a table, queue, topic and bucket."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import parser, spent

STEPSCOPE = Path(sys.executable).with_name("stepscope")
MONITORS = Path(__file__).parents[1] / "monitors"
USES = ("table", "queue", "topic", "bucket")
APP = """\
import os

import boto3

from monitoring import count, monitored

USE = os.environ["USE"]
client = boto3.client({"table": "dynamodb", "queue": "sqs", "topic": "sns", "bucket": "s3"}[USE])


def keep(order):
    name = os.environ["RESOURCE"]
    if USE == "table":
        client.put_item(TableName=name, Item={"id": {"S": str(order)}})
    elif USE == "queue":
        client.send_message(QueueUrl=name, MessageBody=str(order))
    elif USE == "topic":
        client.publish(TopicArn=name, Message=str(order))
    else:
        client.put_object(Bucket=name, Key=str(order), Body=b"order")


@monitored(verify=lambda event, result: result["steps"] == event["steps"] + 1)
def handler(event, context):
    keep(event["order"])
    count("shop.orders", tags=["step:" + os.environ["STEP"]])
    return {**event, "steps": event["steps"] + 1}
"""


def function(number: int) -> dict[str, Any]:
    """Return one function of SAM: it writes an order to one of the four resources."""
    use = USES[number % len(USES)]
    variables = {"USE": use, "STEP": str(number), "RESOURCE": {"Ref": use.title()}}
    return {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "FunctionName": f"shop-step-{number}",
            "Handler": "app.handler",
            "Environment": {"Variables": variables},
            "Policies": [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}],
        },
    }


def template(functions: int) -> dict[str, Any]:
    """Return a SAM template with a state machine that calls its functions one after another."""
    states: dict[str, Any] = {
        f"Step{number}": {
            "Type": "Task",
            "Resource": f"${{Step{number}}}",
            **({"Next": f"Step{number + 1}"} if number + 1 < functions else {"End": True}),
        }
        for number in range(functions)
    }
    logs = {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["Logs", "Arn"]}}}
    machine = {
        "Name": "shop",
        "Definition": {"StartAt": "Step0", "States": states},
        "DefinitionSubstitutions": {
            f"Step{number}": {"Fn::GetAtt": [f"Step{number}", "Arn"]} for number in range(functions)
        },
        "Policies": [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}],
        "Logging": {"Level": "ALL", "IncludeExecutionData": True, "Destinations": [logs]},
    }
    table = {
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    }
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Globals": {"Function": {"Runtime": "python3.12", "CodeUri": ".", "Timeout": 20, "MemorySize": 256}},
        "Resources": {
            "Shop": {"Type": "AWS::Serverless::StateMachine", "Properties": machine},
            "Logs": {"Type": "AWS::Logs::LogGroup"},
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table},
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Bucket": {"Type": "AWS::S3::Bucket"},
            **{f"Step{number}": function(number) for number in range(functions)},
        },
    }


def drill(folder: Path) -> dict[str, Any]:
    """Drill the application against the shipped monitors, as a person starts it, and return the result."""
    monitors = ["--monitors", str(MONITORS)]
    done = subprocess.run(
        [STEPSCOPE, "drill", "--from", folder, "--input", folder / "order.json", "--json", *monitors],
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode == 2:
        raise SystemExit("the drill did not run")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    """Print one row."""
    options = parser(__doc__)
    options.add_argument("--functions", type=int, default=20)
    given = options.parse_args()
    functions = 1 if given.quick else given.functions
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        (folder / "template.json").write_text(json.dumps(template(functions)))
        (folder / "app.py").write_text(APP)
        (folder / "order.json").write_text('{"order": 7, "steps": 0}')
        taken = spent(lambda: results.append(drill(folder)))
    faults = len(results[0]["faults"])
    print("| functions | faults | noticed | wall | CPU | wall a fault |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(
        f"| {functions} | {faults} | {faults - len(results[0]['unnoticed'])} | {taken.clock:.0f} s "
        f"| {taken.processor:.0f} s | {taken.clock / faults:.2f} s |"
    )


if __name__ == "__main__":
    main()
