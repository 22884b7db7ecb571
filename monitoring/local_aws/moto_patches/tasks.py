"""Patches of moto's Step Functions: what a state computes and calls, and what that costs."""

import functools
import json
import threading
from types import SimpleNamespace
from typing import Any

from monitoring.local_aws.invocation import ThrottledError
from monitoring.local_aws.moto_patches.patch import Host, Patch
from monitoring.local_aws.moto_patches.timing import clock_of

_ASL = "moto.stepfunctions.parser.asl"


def _parse(original: Any, _: Host) -> Any:
    return staticmethod(functools.lru_cache(maxsize=256)(original.__func__))


def _cached(original: Any, _: Host) -> Any:
    return functools.lru_cache(maxsize=1024)(original)


def _boto3(original: Any, host: Host) -> Any:
    clients: dict[tuple[str, str], Any] = {}
    lock = threading.Lock()

    def client(**settings: Any) -> Any:
        key = (settings["service_name"], settings["region_name"])
        with lock:
            if key not in clients:
                clients[key] = original.client(**settings | {"endpoint_url": host.endpoint_url})
            return clients[key]

    return SimpleNamespace(client=client)


def _integration(original: Any, host: Host) -> Any:
    def execute(env: Any, parameters: dict[str, Any], region: str, state_credentials: Any) -> None:
        with clock_of(env).working():
            original(env, parameters, region, state_credentials)

    return execute


def _invoke_task(original: Any, host: Host) -> Any:
    from moto.awslambda.exceptions import UnknownFunctionException
    from moto.awslambda.utils import get_backend

    def invoke(parameters: dict[str, Any], region: str, state_credentials: Any) -> dict[str, Any]:
        try:
            name, qualifier = parameters["FunctionName"], parameters.get("Qualifier")
            function = get_backend("123456789012", region).get_function(name, qualifier)
        except UnknownFunctionException:
            answer: dict[str, Any] = original(parameters, region, state_credentials)  # says so as AWS does
            return answer
        try:
            done = host.invoke_function(function, parameters.get("Payload") or b"{}")
        except ThrottledError as refused:
            said = {"errorType": f"Lambda.{refused.kind}", "errorMessage": refused.said}
            return {"StatusCode": 429, "FunctionError": "Unhandled", "Payload": said}
        response: dict[str, Any] = {"ExecutedVersion": "$LATEST", "StatusCode": 200}
        response["Payload"] = json.loads(done.payload or b"null")
        if done.function_error:
            response["FunctionError"] = done.function_error
        return response

    return invoke


def _eval_jsonata(_: Any, __: Host) -> Any:
    def evaluate(expression: str) -> Any:
        import jsonata
        from moto.stepfunctions.parser.asl.jsonata.jsonata import JSONataException

        try:
            return jsonata.Jsonata(expression).evaluate(None)
        except Exception as failed:
            raise JSONataException("UNKNOWN", str(failed)) from failed

    return evaluate


def _declarations(_: Any, __: Host) -> Any:
    def encode(bindings: dict[str, Any]) -> str:
        return "".join(f"{name}:={json.dumps(value, default=str)};" for name, value in bindings.items())

    return encode


PATCHES = (
    Patch(
        f"{_ASL}.parse.asl_parser:AmazonStateLanguageParser.parse",
        "moto parses the definition anew for every execution, which takes longer than most executions",
        _parse,
        ("definition",),
    ),
    Patch(
        f"{_ASL}.utils.json_path:parse",
        "moto compiles a path anew whenever a state uses it, some milliseconds each time",
        _cached,
    ),
    Patch(
        f"{_ASL}.utils.boto_client:boto3",
        "moto makes a new client for every task, and for the port in MOTO_PORT",
        _boto3,
    ),
    Patch(
        f"{_ASL}.component.state.exec.state_task.lambda_eval_utils:execute_lambda_function_integration",
        "while a handler works, state machine time is not sped up",
        _integration,
        ("env", "parameters", "region", "state_credentials"),
    ),
    Patch(
        f"{_ASL}.component.state.exec.state_task.lambda_eval_utils:_invoke_lambda_function",
        "a task's invocation goes through HTTP and moto's own client, several times the cost of the handler",
        _invoke_task,
        ("parameters", "region", "state_credentials"),
    ),
    Patch(
        f"{_ASL}.jsonata.jsonata:_eval_jsonata",
        "moto has no JSONata: it calls a Java bridge that is not there",
        _eval_jsonata,
    ),
    *(
        Patch(
            f"{_ASL}.eval.{module}:encode_jsonata_variable_declarations",
            "moto does not escape strings: one with a quotation mark breaks the expression",
            _declarations,
            ("bindings",),
        )
        for module in ("states", "variable_store")
    ),
)
