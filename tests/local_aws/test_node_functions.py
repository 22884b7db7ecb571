"""Functions of Node.js run here: handlers of every form, what they log, and how they fail."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitoring.local_aws import LocalAws
from monitoring.local_aws.stack import Deployment
from monitoring.local_aws.stack.node_modules import missing_sdk, module_of

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js here")

SOURCES = {
    "index.js": """
exports.later = async (event, context) => ({ ...event, name: context.functionName, left: context.getRemainingTimeInMillis() > 0 });
exports.callback = (event, context, callback) => { setTimeout(() => callback(null, 'called back'), 5); };
exports.waits = (event, context, callback) => { callback(null, 'first'); setTimeout(() => console.log('after the callback'), 20); };
exports.hurries = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; setTimeout(() => {}, 60000); callback(null, 'at once'); };
exports.refuses = (event, context, callback) => callback(new TypeError('refused'));
exports.nothing = () => {};
exports.throws = async () => { const error = new Error('no such order'); error.name = 'OrderError'; throw error; };
exports.text = async () => { throw 'a text'; };
exports.exits = async () => process.exit(3);
exports.hangs = () => new Promise((resolve) => setTimeout(resolve, 60000));
exports.loose = async () => { Promise.reject(new Error('nobody waits')); await new Promise((resolve) => setTimeout(resolve, 1000)); };
exports.prints = async () => { console.log('two\\nlines', { a: 1 }); console.warn('careful'); process.stdout.write('plain\\n'); };
exports.layered = async () => require('shared').word;
exports.value = 7;
""",
    "module.mjs": "export const handler = async (event) => ({ module: event.id });\n",
    "broken.js": "exports.handler = async ( => {};\n",
    "needs.js": "require('not-installed'); exports.handler = async () => 1;\n",
    "src/deep.js": "exports.handler = async () => 'deep';\n",
    "sdk.js": "const { S3 } = require('@aws-sdk/client-s3'); exports.handler = async () => 1;\n",
    "app.ts": "export const handler = async (): Promise<number> => 1;\n",
}
HANDLERS = {
    **{name: f"index.{name}" for name in ("later", "callback", "waits", "hurries", "refuses", "nothing")},
    **{name: f"index.{name}" for name in ("throws", "text", "exits", "hangs", "loose", "prints", "layered")},
    "module": "module.handler",
    "broken": "broken.handler",
    "needs": "needs.handler",
    "deep": "src/deep.handler",
    "absent": "index.nowhere",
    "number": "index.value",
    "sdk": "sdk.handler",
    "typescript": "app.handler",
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalAws, Deployment]]:
    folder = tmp_path_factory.mktemp("node")
    for name, text in SOURCES.items():
        (folder / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "code" / name).write_text(text)
    shared = folder / "layer" / "nodejs" / "node_modules" / "shared"
    shared.mkdir(parents=True)
    (shared / "index.js").write_text("exports.word = 'from the layer';\n")
    layer = {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "layer"}}
    properties = {"Runtime": "nodejs20.x", "CodeUri": "code", "Layers": [{"Ref": "Shared"}]}
    resources: dict[str, Any] = {
        name: {
            "Type": "AWS::Serverless::Function",
            "Properties": {**properties, "FunctionName": name, "Handler": handler, "Timeout": 20},
        }
        for name, handler in HANDLERS.items()
    }
    resources["hangs"]["Properties"]["Timeout"] = 1
    inline = {"ZipFile": "exports.handler = async () => 'inline';"}
    resources["inline"] = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": "inline",
            "Runtime": "nodejs22.x",
            "Handler": "index.handler",
            "Code": inline,
        },
    }
    resources["json"] = json.loads(json.dumps(resources["prints"]))
    resources["json"]["Properties"] |= {"FunctionName": "json", "LoggingConfig": {"LogFormat": "JSON"}}
    template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Shared": layer, **resources}}
    (folder / "template.json").write_text(json.dumps(template))
    with LocalAws(folder / "home") as aws:
        yield aws, aws.deploy(folder / "template.json", stack="node")


def call(aws: LocalAws, name: str, event: Any = None) -> tuple[str, Any]:
    """Return how Lambda says that it failed ("" where it did not), and the payload."""
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return answer.get("FunctionError", ""), json.loads(answer["Payload"].read())


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("callback", "called back"),
        ("waits", "first"),
        ("hurries", "at once"),
        ("nothing", None),
        ("module", {"module": 7}),
        ("deep", "deep"),
        ("inline", "inline"),
        ("layered", "from the layer"),
    ],
)
def test_a_handler_of_any_form_answers(deployed: tuple[LocalAws, Deployment], name: str, result: Any) -> None:
    assert call(deployed[0], name, {"id": 7}) == ("", result)
    assert call(deployed[0], name, {"id": 7}) == ("", result)  # in a warm environment, too


def test_a_handler_gets_its_event_and_context(deployed: tuple[LocalAws, Deployment]) -> None:
    assert call(deployed[0], "later", {"id": 1}) == ("", {"id": 1, "name": "later", "left": True})


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("throws", "OrderError", "no such order"),
        ("refuses", "TypeError", "refused"),
        ("text", "string", "a text"),
        ("exits", "Runtime.ExitError", "exit status 3"),
        ("hangs", "Sandbox.Timedout", "timed out after 1.00 seconds"),
        ("loose", "Runtime.UnhandledPromiseRejection", "nobody waits"),
        ("broken", "Runtime.UserCodeSyntaxError", "SyntaxError"),
        ("needs", "Runtime.ImportModuleError", "not-installed"),
    ],
)
def test_a_failure_is_the_one_of_lambda(
    deployed: tuple[LocalAws, Deployment], name: str, kind: str, words: str
) -> None:
    error, payload = call(deployed[0], name)
    assert (error, payload["errorType"]) == ("Unhandled", kind)
    assert words in payload["errorMessage"]


@pytest.mark.parametrize(("name", "word"), [("absent", "index.nowhere"), ("number", "index.value")])
def test_what_is_not_a_handler_is_not_found(
    deployed: tuple[LocalAws, Deployment], name: str, word: str
) -> None:
    error, payload = call(deployed[0], name)
    assert (error, payload["errorType"]) == ("Unhandled", "Runtime.HandlerNotFound")
    assert word in payload["errorMessage"]


def test_a_message_of_several_lines_is_one_event(deployed: tuple[LocalAws, Deployment]) -> None:
    aws, _ = deployed
    call(aws, "prints")
    messages = [event.message for event in aws.log_events() if event.log_group == "/aws/lambda/prints"]
    assert any(message.endswith("\tINFO\ttwo\nlines { a: 1 }") for message in messages)
    assert any(message.endswith("\tWARN\tcareful") for message in messages)
    assert "plain" in messages
    assert any("nodejs:20.v1" in message for message in messages)


def test_messages_are_json_where_the_log_format_is(deployed: tuple[LocalAws, Deployment]) -> None:
    aws, _ = deployed
    call(aws, "json")
    messages = [event.message for event in aws.log_events() if event.log_group == "/aws/lambda/json"]
    records = [json.loads(message) for message in messages if message.startswith("{")]
    (warning,) = [record for record in records if record.get("level") == "WARN"]
    assert warning["message"] == "careful"
    assert warning["requestId"]


def test_what_cannot_run_is_named_at_the_start(deployed: tuple[LocalAws, Deployment]) -> None:
    stand_ins = {stand_in.logical_id: stand_in.what for stand_in in deployed[1].stand_ins}
    assert "@aws-sdk/client-s3" in stand_ins["sdk"]
    assert "npm install" in stand_ins["sdk"]
    assert "there is no app.handler" in stand_ins["typescript"]
    assert set(stand_ins) == {"sdk", "typescript"}


@pytest.mark.parametrize(
    ("handler", "module"),
    [
        ("index.handler", "index"),
        ("src/app.lambdaHandler", "src/app"),
        ("a.b/c.d", "a.b/c"),
        ("x.y.z", "x"),
        ("x", "x"),
    ],
)
def test_the_module_of_a_handler_is_what_stands_before_the_first_dot_of_its_name(
    handler: str, module: str
) -> None:
    assert module_of(handler) == module


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("const sdk = require('aws-sdk');", "aws-sdk"),
        ('import { S3 } from "@aws-sdk/client-s3";', "@aws-sdk/client-s3"),
        ("import('@aws-sdk/lib-dynamodb')", "@aws-sdk/lib-dynamodb"),
        ("require('@aws-sdk/there')", ""),
        ("require('fs')", ""),
    ],
)
def test_only_the_part_of_the_sdk_that_is_not_there_is_missing(
    text: str, missing: str, tmp_path: Path
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.js").write_text(text)
    (tmp_path / "node_modules" / "@aws-sdk" / "there").mkdir(parents=True)
    reason = missing_sdk(tmp_path / "code", "app.handler")
    assert missing in reason
    assert bool(reason) is bool(missing)
