"""APIs of a template are served on loopback: requests reach what is behind them as on AWS.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitoring.discovery.iam import Request
from monitoring.local_aws import LocalAws
from monitoring.local_aws.apis.events import response_of
from monitoring.local_aws.apis.routes import Api, Route, RouteIntegration
from monitoring.local_aws.stack import Deployment

CODE = """
import json
def handler(event, context):
    body = event.get("body")
    if body == "raise":
        raise ValueError("no")
    if body == "plain":
        return {"seen": True}
    return {"statusCode": 201, "headers": {"X-Kind": "echo"}, "body": json.dumps(event)}
"""
MACHINE = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
ECHO = {
    "Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Echo.Arn}/invocations"
}
TEMPLATE: dict[str, Any] = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Echo": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "Runtime": "python3.12",
                "Handler": "index.handler",
                "InlineCode": CODE,
                "Timeout": 30,
                "FunctionUrlConfig": {"AuthType": "NONE"},
                "Events": {
                    "One": {"Type": "Api", "Properties": {"Path": "/orders/{id}", "Method": "post"}},
                    "All": {"Type": "Api", "Properties": {"Path": "/files/{proxy+}", "Method": "any"}},
                    "Two": {"Type": "HttpApi", "Properties": {"Path": "/orders/{id}", "Method": "POST"}},
                },
            },
        },
        "Orders": {
            "Type": "AWS::Serverless::StateMachine",
            "Properties": {
                "Type": "EXPRESS",
                "Definition": MACHINE,
                "Events": {"Start": {"Type": "Api", "Properties": {"Path": "/start", "Method": "post"}}},
            },
        },
        "Direct": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "ServerlessHttpApi"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationSubtype": "StepFunctions-StartSyncExecution",
                "PayloadFormatVersion": "1.0",
                "CredentialsArn": "arn:aws:iam::123456789012:role/anybody",
                "RequestParameters": {"StateMachineArn": {"Ref": "Orders"}, "Input": "$request.body"},
            },
        },
        "Sync": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "ServerlessHttpApi"},
                "RouteKey": "POST /sync",
                "Target": {"Fn::Sub": "integrations/${Direct}"},
            },
        },
        "Rest": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "rest"}},
        "Part": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {
                "RestApiId": {"Ref": "Rest"},
                "ParentId": {"Fn::GetAtt": ["Rest", "RootResourceId"]},
                "PathPart": "{id}",
            },
        },
        "Get": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "RestApiId": {"Ref": "Rest"},
                "ResourceId": {"Ref": "Part"},
                "HttpMethod": "ANY",
                "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": ECHO},
            },
        },
        "Options": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "RestApiId": {"Ref": "Rest"},
                "ResourceId": {"Ref": "Part"},
                "HttpMethod": "OPTIONS",
                "Integration": {
                    "Type": "MOCK",
                    "IntegrationResponses": [
                        {
                            "StatusCode": "204",
                            "ResponseParameters": {
                                "method.response.header.Access-Control-Allow-Origin": "'*'"
                            },
                        }
                    ],
                },
            },
        },
        "RestDeployment": {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": ["Get", "Options", "OtherDeployment"],
            "Properties": {"RestApiId": {"Ref": "Rest"}, "StageName": "test"},
        },
        "OtherDeployment": {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": ["Get", "Options"],
            "Properties": {"RestApiId": {"Ref": "Rest"}, "StageName": "other"},
        },
        "Cross": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {
                "Name": "cross",
                "ProtocolType": "HTTP",
                "CorsConfiguration": {
                    "AllowOrigins": ["https://shop.example"],
                    "AllowMethods": ["GET", "PUT"],
                    "AllowHeaders": ["x-own"],
                    "ExposeHeaders": ["x-kind"],
                    "AllowCredentials": True,
                    "MaxAge": 60,
                },
            },
        },
        "CrossIntegration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "Cross"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Fn::GetAtt": ["Echo", "Arn"]},
                "PayloadFormatVersion": "2.0",
            },
        },
        "CrossRoute": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "Cross"},
                "RouteKey": "PUT /{id}",
                "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "CrossIntegration"}]]},
            },
        },
        "Caller": {
            "Type": "AWS::Serverless::StateMachine",
            "Properties": {
                "Definition": {
                    "StartAt": "Ask",
                    "States": {
                        "Ask": {
                            "Type": "Task",
                            "Resource": "arn:aws:states:::apigateway:invoke",
                            "Parameters": {
                                "ApiEndpoint": {
                                    "Fn::Sub": "${Rest}.execute-api.${AWS::Region}.amazonaws.com"
                                },
                                "Method": "PUT",
                                "Stage": "test",
                                "Path": "/7",
                            },
                            "OutputPath": "$.ResponseBody.pathParameters",
                            "End": True,
                        }
                    },
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def shop(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    path = tmp_path_factory.mktemp("apis") / "template.json"
    path.write_text(json.dumps(TEMPLATE))
    return aws.deploy(path, stack="apis")


@pytest.fixture(scope="module")
def rest(shop: Deployment) -> str:
    return shop.addresses["ServerlessRestApi"]


@pytest.fixture(scope="module")
def http(shop: Deployment) -> str:
    return shop.addresses["ServerlessHttpApi"]


def post(address: str, **more: Any) -> httpx.Response:
    return httpx.post(address, timeout=60, trust_env=False, **more)


def test_a_rest_api_sends_an_event_of_format_1(rest: str) -> None:
    assert rest.endswith("/Prod")
    answer = post(f"{rest}/orders/a%20b?x=1&x=2&y=", content=b'{"n": 1}', headers={"X-Own": "1"})
    event = answer.json()
    assert (answer.status_code, answer.headers["x-kind"]) == (201, "echo")
    assert (event["resource"], event["path"], event["httpMethod"]) == (
        "/orders/{id}",
        "/orders/a%20b",
        "POST",
    )
    assert event["pathParameters"] == {"id": "a b"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": [""]}
    assert event["queryStringParameters"] == {"x": "2", "y": ""}
    assert (event["body"], event["isBase64Encoded"]) == ('{"n": 1}', False)
    assert event["requestContext"]["stage"] == "Prod"
    assert event["requestContext"]["path"] == "/Prod/orders/a%20b"
    assert "version" not in event


def test_an_http_api_sends_an_event_of_format_2(http: str) -> None:
    headers = [("Cookie", "a=1; b=2"), ("X-Own", "1"), ("X-Own", "2"), ("Content-Type", "image/jpeg")]
    event = post(f"{http}/orders/7?x=1&x=2", content=b"\xff\xd8", headers=headers).json()
    assert (event["version"], event["routeKey"], event["rawPath"]) == (
        "2.0",
        "POST /orders/{id}",
        "/orders/7",
    )
    assert (event["rawQueryString"], event["queryStringParameters"]) == ("x=1&x=2", {"x": "1,2"})
    assert (event["cookies"], event["headers"]["x-own"]) == (["a=1", "b=2"], "1,2")
    assert event["pathParameters"] == {"id": "7"}
    assert (event["body"], event["isBase64Encoded"]) == ("/9g=", True)
    assert event["requestContext"]["http"]["method"] == "POST"


def test_a_greedy_path_takes_what_is_below_it_with_any_method(rest: str) -> None:
    event = httpx.delete(f"{rest}/files/a/b.txt", timeout=60, trust_env=False).json()
    assert event["pathParameters"] == {"proxy": "a/b.txt"}
    assert event["body"] is None


@pytest.mark.parametrize(("kind", "status"), [("rest", 502), ("http", 500)])
def test_a_function_that_fails_is_a_fault_of_the_api(
    kind: str, status: int, request: pytest.FixtureRequest
) -> None:
    address = request.getfixturevalue(kind)
    answer = post(f"{address}/orders/1", content=b"raise", headers={"Content-Type": "text/plain"})
    assert answer.status_code == status
    assert answer.json()["message"].lower() == "internal server error"


@pytest.mark.parametrize(("kind", "status"), [("rest", 403), ("http", 404)])
def test_a_request_without_a_route_is_refused_as_aws_does(
    kind: str, status: int, request: pytest.FixtureRequest
) -> None:
    assert post(f"{request.getfixturevalue(kind)}/nothing").status_code == status


def test_a_rest_api_starts_an_execution_with_the_body(aws: LocalAws, shop: Deployment, rest: str) -> None:
    answer = post(f"{rest}/start", json={"text": 'it\'s "quoted"'})
    assert answer.status_code == 200, answer.text
    arn = answer.json()["executionArn"]
    aws.host.wait_ended(arn, 60)
    described, _ = aws.host.execution(arn)
    assert json.loads(described["input"]) == {"text": 'it\'s "quoted"'}


def test_an_http_api_waits_for_an_express_execution(http: str) -> None:
    answer = post(f"{http}/sync", json={"n": 3})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], json.loads(answer.json()["output"])) == ("SUCCEEDED", {"n": 3})


def test_a_functions_url_takes_every_path(shop: Deployment) -> None:
    event = post(f"{shop.addresses['EchoUrl']}/any/path", content=b"x").json()
    assert (event["routeKey"], event["rawPath"]) == ("$default", "/any/path")


def test_methods_of_a_rest_api_reach_their_function_below_the_stage(shop: Deployment) -> None:
    address = shop.addresses["Rest"]
    assert address.endswith("/test")
    assert post(f"{address}/7/8").status_code == 403
    other = f"{address.removesuffix('test')}other"
    assert post(f"{other}/7", content=b"x").status_code == 201
    event = post(f"{address}/7", content=b"x").json()
    assert (event["resource"], event["pathParameters"]) == ("/{id}", {"id": "7"})


def test_a_mock_integration_answers_a_preflight_request(shop: Deployment) -> None:
    answer = httpx.options(f"{shop.addresses['Rest']}/7", timeout=60, trust_env=False)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "*")


def test_a_route_reaches_the_function_of_its_integration(shop: Deployment) -> None:
    event = httpx.put(f"{shop.addresses['Cross']}/7", timeout=60, trust_env=False).json()
    assert (event["routeKey"], event["pathParameters"]) == ("PUT /{id}", {"id": "7"})


def test_a_state_reaches_an_api_of_the_template(aws: LocalAws, shop: Deployment) -> None:
    ended = aws.wait(aws.start(shop.state_machine("Caller"), {}), 60)
    assert (ended["status"], json.loads(ended.get("output", "null"))) == ("SUCCEEDED", {"id": "7"})


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        (
            "https://shop.example",
            "OPTIONS",
            {"origin": "https://shop.example", "methods": "GET,PUT", "headers": "x-own", "max": "60"},
        ),
        ("https://SHOP.example", "PUT", {"origin": "https://SHOP.example"}),
        ("https://other.example", "OPTIONS", {}),
        ("https://other.example", "PUT", {}),
        ("", "PUT", {}),
    ],
)
def test_an_http_api_allows_the_origins_that_it_names(
    shop: Deployment, origin: str, method: str, headers: dict[str, str]
) -> None:
    sent = {"Access-Control-Request-Method": "PUT"} | ({"Origin": origin} if origin else {})
    response = httpx.request(
        method, f"{shop.addresses['Cross']}/7", headers=sent, timeout=60, trust_env=False
    )
    names = {
        "origin": "allow-origin",
        "methods": "allow-methods",
        "headers": "allow-headers",
        "max": "max-age",
    }
    got = {
        key: response.headers[f"access-control-{name}"]
        for key, name in names.items()
        if f"access-control-{name}" in response.headers
    }
    assert (response.status_code, got) == (204 if method == "OPTIONS" else 201, headers)


def test_a_template_that_is_saved_gives_its_apis_other_routes_at_the_same_address(
    aws: LocalAws, tmp_path: Path
) -> None:
    def template(path: str, action: str) -> Path:
        resources = {
            "Echo": TEMPLATE["Resources"]["Echo"]
            | {"Properties": {**TEMPLATE["Resources"]["Echo"]["Properties"], "Policies": [policy(action)]}}
        }
        event = {"Type": "Api", "Properties": {"Path": path, "Method": "post"}}
        resources["Echo"]["Properties"]["Events"] = {"One": event}
        file = tmp_path / "template.json"
        file.write_text(json.dumps({**TEMPLATE, "Resources": resources}))
        return file

    def policy(action: str) -> dict[str, Any]:
        return {"Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}

    before = aws.deploy(template("/before", "sqs:SendMessage"), stack="saved")
    after = aws.deploy(template("/after", "sns:Publish"), stack="saved", previous=before)
    address = before.addresses["ServerlessRestApi"]
    assert after.addresses["ServerlessRestApi"] == address
    assert [post(f"{address}{path}").status_code for path in ("/before", "/after")] == [403, 201]
    role = before.names["EchoRole"]
    allowed = [
        aws.host.permissions.denial(role, Request(action, "arn:aws:x", {})) == ""
        for action in ("sqs:SendMessage", "sns:Publish")
    ]
    assert allowed == [False, True]
    aws.delete(after)


def test_an_api_without_its_authorizers_says_so(aws: LocalAws, tmp_path: Path) -> None:
    scheme = {"Own": {"type": "apiKey", "name": "Authorization", "in": "header"}}
    body = {"openapi": "3.0.1", "paths": {}, "components": {"securitySchemes": scheme}}
    file = tmp_path / "template.json"
    api = {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}}
    file.write_text(json.dumps({"Resources": {"Api": api}}))
    deployment = aws.deploy(file, stack="authorized")
    assert [item.what for item in deployment.stand_ins] == ["the API without Own: every request is let in"]
    aws.delete(deployment)


def test_an_api_that_is_deleted_is_no_longer_served(aws: LocalAws, tmp_path: Path) -> None:
    api = {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "x", "ProtocolType": "HTTP"}}
    path = tmp_path / "template.json"
    path.write_text(json.dumps({"Resources": {"Api": api}}))
    deployment = aws.deploy(path, stack="gone")
    address = deployment.addresses["Api"]
    assert post(address).status_code == 404
    aws.delete(deployment)
    with pytest.raises(httpx.ConnectError):
        post(address)


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("GET", "/a/1", "GET /a/{id}"),
        ("GET", "/a/fixed", "GET /a/fixed"),
        ("POST", "/a/fixed", "ANY /{proxy+}"),
        ("GET", "/a/1/2", "ANY /{proxy+}"),
        ("GET", "/", "$default"),
    ],
)
def test_the_most_specific_route_is_taken(method: str, path: str, key: str) -> None:
    routes = [
        Route(name, where, RouteIntegration("mock"))
        for name, where in (
            ("ANY", "$default"),
            ("ANY", "/{proxy+}"),
            ("GET", "/a/{id}"),
            ("GET", "/a/fixed"),
        )
    ]
    found = Api("x", "X", "http", routes=routes).find(method, path)
    assert found is not None
    assert found[0].key == key


@pytest.mark.parametrize(
    ("result", "payload", "status", "body"),
    [
        ({"statusCode": 204}, "1.0", 204, b""),
        ({"statusCode": "200", "body": "eA==", "isBase64Encoded": True}, "2.0", 200, b"x"),
        ({"a": 1}, "2.0", 200, b'{"a": 1}'),
        ("text", "2.0", 200, b"text"),
        ({"a": 1}, "1.0", 502, b'{"message": "Internal server error"}'),
        (None, "1.0", 502, b'{"message": "Internal server error"}'),
        ({"statusCode": "many"}, "1.0", 502, b'{"message": "Internal Server Error"}'),
    ],
)
def test_what_a_function_returns_becomes_the_response(
    result: Any, payload: str, status: int, body: bytes
) -> None:
    response = response_of(result, payload)
    assert (response.status, response.body) == (status, body)
