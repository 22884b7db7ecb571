"""What a Terraform configuration and a plan deploy, in CloudFormation's terms."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitoring.discovery.hcl import Scope, parse_file
from monitoring.discovery.hcl_functions import UnknownValueError
from monitoring.discovery.stack import Stack
from monitoring.discovery.stacks import read_stacks
from monitoring.errors import InputError

MAIN = """
variable "stage" { default = "dev" }
variable "memory" {
  type    = map(number)
  default = { pay = 256, mail = 512 }
}
locals {
  prefix = "shop-${var.stage}"
  tags   = merge({ a = "b" }, { c = local.prefix })
}
data "aws_caller_identity" "me" {}
data "archive_file" "code" {
  type        = "zip"
  source_dir  = "${path.module}/src"
  output_path = "${path.module}/build/code.zip"
}
data "aws_iam_policy_document" "sfn" {
  statement {
    actions   = ["lambda:InvokeFunction"]
    resources = [for name, f in aws_lambda_function.step : f.arn]
  }
}
resource "aws_iam_role" "lambda" {
  name = "${local.prefix}-lambda"
  assume_role_policy = <<-EOT
    {"Version": "2012-10-17", "Statement": []}
  EOT
}
resource "aws_iam_role" "sfn" {
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}
resource "aws_iam_policy" "sfn" {
  name   = "sfn"
  policy = data.aws_iam_policy_document.sfn.json
}
resource "aws_iam_role_policy_attachment" "sfn" {
  role       = aws_iam_role.sfn.name
  policy_arn = aws_iam_policy.sfn.arn
}
resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.lambda.id
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}
resource "aws_lambda_function" "step" {
  for_each      = var.memory
  function_name = "${local.prefix}-${each.key}"
  role          = aws_iam_role.lambda.arn
  handler       = "${each.key}.handler"
  runtime       = "python3.13"
  memory_size   = each.value
  filename      = data.archive_file.code.output_path
  environment {
    variables = { TABLE = aws_dynamodb_table.orders.name, BUCKET = aws_s3_bucket.photos.id }
  }
}
resource "aws_sfn_state_machine" "order" {
  name     = "${local.prefix}-order"
  role_arn = aws_iam_role.sfn.arn
  definition = templatefile("${path.module}/order.asl.json", {
    pay = aws_lambda_function.step["pay"].arn, mail = aws_lambda_function.step["mail"].arn, notify = true
  })
  logging_configuration {
    log_destination        = "${aws_cloudwatch_log_group.order.arn}:*"
    include_execution_data = true
    level                  = "ALL"
  }
}
resource "aws_cloudwatch_log_group" "order" {
  name              = "/states/${local.prefix}"
  retention_in_days = 7
}
resource "aws_dynamodb_table" "orders" {
  name         = "orders"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  attribute {
    name = "id"
    type = "S"
  }
}
resource "aws_s3_bucket" "photos" { bucket = "photos-${var.stage}" }
resource "aws_s3_bucket_notification" "photos" {
  bucket = aws_s3_bucket.photos.id
  lambda_function {
    lambda_function_arn = aws_lambda_function.step["pay"].arn
    events              = ["s3:ObjectCreated:*"]
    filter_suffix       = ".jpg"
  }
}
resource "aws_sqs_queue" "q" {
  count = 2
  name  = "q-${count.index}"
}
resource "aws_cloudwatch_event_rule" "daily" { schedule_expression = "rate(1 day)" }
resource "aws_cloudwatch_event_target" "daily" {
  rule     = aws_cloudwatch_event_rule.daily.name
  arn      = aws_sfn_state_machine.order.arn
  role_arn = aws_iam_role.sfn.arn
  input    = jsonencode({ a = aws_sqs_queue.q[0].url })
}
resource "aws_glue_job" "x" { name = "x" }
module "topic" {
  source = "./topic"
  name   = local.prefix
}
module "away" { source = "terraform-aws-modules/lambda/aws" }
output "topic" { value = module.topic.arn }
"""
DEFINITION = """{"StartAt": "Pay", "States": {
  "Pay": {"Type": "Task", "Resource": "${pay}", "Next": "Mail"},
%{ if notify }  "Mail": {"Type": "Task", "Resource": "${mail}", "End": true}%{ else } "Mail": {} %{ endif }
}}"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.tf").write_text(MAIN)
    (tmp_path / "order.asl.json").write_text(DEFINITION)
    (tmp_path / "topic").mkdir()
    (tmp_path / "topic" / "main.tf").write_text(
        'variable "name" {}\nresource "aws_sns_topic" "t" { name = "${var.name}-topic" }\n'
        'output "arn" { value = aws_sns_topic.t.arn }\n'
    )
    return tmp_path


def properties(stack: Stack, logical_id: str) -> Any:
    return stack.resources[logical_id].properties


def test_resources_are_read_with_their_instances_and_modules(folder: Path) -> None:
    (stack,) = read_stacks(folder)
    assert {name: resource.type.removeprefix("AWS::") for name, resource in stack.resources.items()} == {
        "LambdaIamRole": "IAM::Role",
        "SfnIamRole": "IAM::Role",
        "SfnIamPolicy": "IAM::ManagedPolicy",
        "StepLambdaFunctionPay": "Lambda::Function",
        "StepLambdaFunctionMail": "Lambda::Function",
        "OrderSfnStateMachine": "StepFunctions::StateMachine",
        "OrderCloudwatchLogGroup": "Logs::LogGroup",
        "OrdersDynamodbTable": "DynamoDB::Table",
        "PhotosS3Bucket": "S3::Bucket",
        "QSqsQueue0": "SQS::Queue",
        "QSqsQueue1": "SQS::Queue",
        "DailyCloudwatchEventRule": "Events::Rule",
        "ModuleTopicTSnsTopic": "SNS::Topic",
    }
    assert stack.outputs == {"topic": {"Ref": "ModuleTopicTSnsTopic"}}
    assert len(stack.in_order()) == len(stack.resources)


def test_a_function_has_its_code_settings_and_references(folder: Path) -> None:
    (stack,) = read_stacks(folder)
    pay = properties(stack, "StepLambdaFunctionPay")
    assert stack.code["StepLambdaFunctionPay"] == folder / "src"
    assert (pay["FunctionName"], pay["MemorySize"], pay["Timeout"]) == ("shop-dev-pay", 256, 3)
    assert pay["Role"] == {"Fn::GetAtt": ["LambdaIamRole", "Arn"]}
    variables = {"TABLE": {"Ref": "OrdersDynamodbTable"}, "BUCKET": "photos-dev"}
    assert pay["Environment"] == {"Variables": variables}


def test_a_definition_in_a_template_file_is_an_object_with_references(folder: Path) -> None:
    (stack,) = read_stacks(folder)
    machine = properties(stack, "OrderSfnStateMachine")
    assert machine["DefinitionString"]["States"]["Mail"]["Resource"] == {
        "Fn::GetAtt": ["StepLambdaFunctionMail", "Arn"]
    }
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is True


def test_what_is_a_resource_of_its_own_joins_the_one_that_it_belongs_to(folder: Path) -> None:
    (stack,) = read_stacks(folder)
    (target,) = properties(stack, "DailyCloudwatchEventRule")["Targets"]
    assert target["Arn"] == {"Ref": "OrderSfnStateMachine"}
    assert target["Input"] == {"Fn::Join": ["", ['{"a":"', {"Ref": "QSqsQueue0"}, '"}']]}
    (event,) = properties(stack, "PhotosS3Bucket")["NotificationConfiguration"]["LambdaConfigurations"]
    assert event["Function"] == {"Fn::GetAtt": ["StepLambdaFunctionPay", "Arn"]}
    assert properties(stack, "SfnIamPolicy")["Roles"] == [{"Ref": "SfnIamRole"}]
    assert properties(stack, "LambdaIamRole")["ManagedPolicyArns"] == [
        "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    ]


def test_what_is_not_read_is_noted_with_its_place(folder: Path) -> None:
    (stack,) = read_stacks(folder)
    assert any("aws_glue_job.x is left out" in note for note in stack.notes)
    assert any("main.tf:" in note and "module away" in note for note in stack.notes)


def test_a_variable_is_given_by_the_command_or_a_file(folder: Path) -> None:
    (folder / "terraform.tfvars").write_text('stage = "test"\n')
    assert properties(read_stacks(folder)[0], "PhotosS3Bucket")["BucketName"] == "photos-test"
    (stack,) = read_stacks(folder, parameters={"stage": "prod", "memory": '{"pay": 1024, "mail": 128}'})
    assert properties(stack, "PhotosS3Bucket")["BucketName"] == "photos-prod"
    assert properties(stack, "StepLambdaFunctionPay")["MemorySize"] == 1024
    with pytest.raises(InputError, match="no variable stagee"):
        read_stacks(folder, parameters={"stagee": "prod"})


PLAN = {
    "format_version": "1.2",
    "planned_values": {
        "root_module": {
            "resources": [
                {
                    "address": 'aws_lambda_function.f["a"]',
                    "mode": "managed",
                    "type": "aws_lambda_function",
                    "values": {"function_name": "f-a", "handler": "f.h", "runtime": "python3.13"},
                },
                {
                    "address": "aws_iam_role.r",
                    "mode": "managed",
                    "type": "aws_iam_role",
                    "values": {"name": "r", "assume_role_policy": "{}"},
                },
                {
                    "address": "aws_sfn_state_machine.m",
                    "mode": "managed",
                    "type": "aws_sfn_state_machine",
                    "values": {"name": "m"},
                },
            ]
        }
    },
    "configuration": {
        "root_module": {
            "resources": [
                {
                    "address": "aws_lambda_function.f",
                    "expressions": {"role": {"references": ["aws_iam_role.r.arn", "aws_iam_role.r"]}},
                },
                {
                    "address": "aws_sfn_state_machine.m",
                    "expressions": {"definition": {"references": ["aws_lambda_function.f", "local.x"]}},
                },
            ]
        }
    },
}


def test_a_plan_has_references_for_what_is_not_known_before_apply(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    (stack,) = read_stacks(tmp_path / "plan.json")
    assert properties(stack, "FLambdaFunctionA")["Role"] == {"Fn::GetAtt": ["RIamRole", "Arn"]}
    assert any("aws_sfn_state_machine.m: definition is not known" in note for note in stack.notes)


def test_a_plan_beside_its_configuration_has_the_texts_too(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    (tmp_path / "main.tf").write_text(
        'resource "aws_lambda_function" "f" { for_each = toset(["a"]) }\n'
        'resource "aws_sfn_state_machine" "m" {\n'
        '  definition = jsonencode({ StartAt = aws_lambda_function.f["a"].arn, States = {} })\n}\n'
    )
    (stack,) = read_stacks(tmp_path / "plan.json")
    assert properties(stack, "MSfnStateMachine")["DefinitionString"]["StartAt"] == {
        "Fn::GetAtt": ["FLambdaFunctionA", "Arn"]
    }


EXPRESSIONS = [
    ('"a${1 + 2 * 3}"', "a7"),
    ("(1 + 2) * 3", 9),
    ('1 < 2 && !false ? "yes" : "no"', "yes"),
    ("[for s in [1, 2, 3] : s * 2 if s > 1]", [4, 6]),
    ("{ for k, v in { a = 1 } : upper(k) => v }", {"A": 1}),
    ('{ for s in ["a", "b", "a"] : s => 1... }', {"a": [1, 1], "b": [1]}),
    ("[{ a = 1 }, { a = 2 }][*].a", [1, 2]),
    ('format("%s-%03d-%v%%", "a", 7, true)', "a-007-true%"),
    ('join(",", ["a", "b"])', "a,b"),
    ('lookup({ a = 1 }, "b", 2)', 2),
    ("merge({ a = 1 }, { a = 2 }, null)", {"a": 2}),
    ('try(var.none.x, "fallback")', "fallback"),
    ("can(var.none.x)", False),
    ('replace("a-b", "-", "_")', "a_b"),
    ('replace("a1b", "/[0-9]/", "#")', "a#b"),
    ('jsonencode({ a = [1, true, null, "x"] })', '{"a":[1,true,null,"x"]}'),
    ('"$${literal} \\"quoted\\" \\u00e9"', '${literal} "quoted" é'),
    ('"%{ if true }x%{ endif }"', UnknownValueError),
    ('coalesce(null, "", "c")', "c"),
    ('flatten([["a"], ["b", ["c"]]])', ["a", "b", "c"]),
    ("unheard_of(1)", UnknownValueError),
    ("nothing.here", UnknownValueError),
    ("1 / 0 == 1", UnknownValueError),
    ('{ (lower("K")) = 1, "q" : 2, in = 3 }', {"k": 1, "q": 2, "in": 3}),
    ("max([1, 5, 2]...)", 5),
    ("-3", -3),
]


@pytest.mark.parametrize(("text", "value"), EXPRESSIONS)
def test_an_expression_has_the_value_that_terraform_gives_it(tmp_path: Path, text: str, value: Any) -> None:
    (tmp_path / "x.tf").write_text(f"x = {text}\n")

    def root(name: str) -> Any:
        raise UnknownValueError(name)

    scope, node = Scope({}, root, tmp_path), parse_file(tmp_path / "x.tf").attributes["x"]
    if isinstance(value, type):
        with pytest.raises(value):
            scope.evaluate(node)
    else:
        assert scope.evaluate(node) == value


def test_a_template_repeats_a_part_for_each_item(tmp_path: Path) -> None:
    scope = Scope({"names": ["a", "b"], "none": []}, lambda name: name, tmp_path)
    assert scope.render("%{ for n in names }<${n}>%{ endfor }.") == "<a><b>."
    assert scope.render("%{ for n in none }<${n}>%{ endfor }.") == "."


@pytest.mark.parametrize(
    "text",
    [
        "resource {",
        'resource "aws_lambda_function" "a" {}\nlocals { a = local.b\n b = local.a }\noutput "x" { value = local.a }',
        'resource "aws_lambda_function" "a" { for_each = local.none }',
        'resource "aws_lambda_function" "a" { count = "x" }',
        'resource "aws_sfn_state_machine" "a" { definition = file("none.json") }',
        'resource "aws_dynamodb_table" "a" {\n attribute {}\n}',
        'resource "aws_s3_bucket_notification" "a" { bucket = "elsewhere" }',
        'module "a" { source = "./" }',
        'module "a" {}',
        'data "x" "y" {}\nresource "aws_sqs_queue" "q" { name = data.x.y.z }',
        'resource "aws_lambda_function" "a" {\n dynamic "environment" {\n  for_each = 5\n }\n}',
    ],
)
def test_a_malformed_configuration_is_read_or_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "main.tf").write_text(text)
    try:
        read_stacks(tmp_path)
    except InputError as error:
        assert "main.tf" in str(error)


def test_blanks_behind_the_end_of_a_heredoc_are_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "aws_sqs_queue" "q" {\n  name = <<EOF\nq\nEOF  \n}\n')
    (stack,) = read_stacks(tmp_path)
    assert properties(stack, "QSqsQueue")["QueueName"] == "q\n"


def test_a_local_value_that_refers_to_itself_is_left_out_with_a_note(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'locals { a = local.a }\nresource "aws_sqs_queue" "q" { name = local.a }\n'
    )
    (stack,) = read_stacks(tmp_path)
    assert any("refers to itself" in note for note in stack.notes)


def test_an_archive_is_known_by_its_path_where_a_function_refers_to_its_hash_alone(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "pay.py").write_text("def handler(event, context): return event\n")
    (tmp_path / "main.tf").write_text(
        'data "archive_file" "pay" {\n  type        = "zip"\n  source_file = "src/pay.py"\n'
        '  output_path = "${path.module}/files/pay.zip"\n}\n'
        'resource "aws_lambda_function" "pay" {\n  function_name = "pay"\n  role = "r"\n'
        '  handler = "pay.handler"\n  runtime = "python3.13"\n  filename = "${path.module}/files/pay.zip"\n'
        "  source_code_hash = data.archive_file.pay.output_base64sha256\n}\n"
    )
    (stack,) = read_stacks(tmp_path)
    assert stack.code["PayLambdaFunction"] == tmp_path / "src"


REST = """
resource "aws_api_gateway_rest_api" "shop" { name = "shop" }
resource "aws_api_gateway_resource" "order" {
  rest_api_id = aws_api_gateway_rest_api.shop.id
  parent_id   = aws_api_gateway_rest_api.shop.root_resource_id
  path_part   = "orders"
}
resource "aws_api_gateway_method" "m" {
  for_each      = toset(["GET", "POST"])
  rest_api_id   = aws_api_gateway_rest_api.shop.id
  resource_id   = aws_api_gateway_resource.order.id
  http_method   = each.key
  authorization = "NONE"
}
resource "aws_lambda_function" "f" {
  function_name = "f"
  handler       = "f.handler"
  runtime       = "python3.13"
  role          = "r"
}
resource "aws_api_gateway_integration" "get" {
  rest_api_id             = aws_api_gateway_rest_api.shop.id
  resource_id             = aws_api_gateway_resource.order.id
  http_method             = aws_api_gateway_method.m["GET"].http_method
  integration_http_method = "POST"
  type                    = "AWS_PROXY"
  uri                     = aws_lambda_function.f.invoke_arn
}
resource "aws_api_gateway_integration_response" "post" {
  rest_api_id = aws_api_gateway_rest_api.shop.id
  resource_id = aws_api_gateway_resource.order.id
  http_method = aws_api_gateway_method.m["POST"].http_method
  status_code = 202
}
resource "aws_api_gateway_integration" "post" {
  rest_api_id       = aws_api_gateway_rest_api.shop.id
  resource_id       = aws_api_gateway_resource.order.id
  http_method       = "POST"
  type              = "MOCK"
  request_templates = { "application/json" = "{}" }
}
resource "aws_api_gateway_integration" "lost" {
  rest_api_id = aws_api_gateway_rest_api.shop.id
  resource_id = aws_api_gateway_resource.order.id
  http_method = "PUT"
  type        = "MOCK"
}
resource "aws_api_gateway_deployment" "shop" { rest_api_id = aws_api_gateway_rest_api.shop.id }
resource "aws_api_gateway_stage" "shop" {
  rest_api_id   = aws_api_gateway_rest_api.shop.id
  deployment_id = aws_api_gateway_deployment.shop.id
  stage_name    = "live"
}
resource "aws_api_gateway_method_response" "m" {}
"""


def test_an_integration_of_a_rest_api_joins_its_method(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(REST)
    (stack,) = read_stacks(tmp_path)
    assert properties(stack, "MApiGatewayMethodGET")["Integration"] == {
        "Type": "AWS_PROXY",
        "Uri": {"Fn::GetAtt": ["FLambdaFunction", "Arn"]},
        "IntegrationHttpMethod": "POST",
    }
    post = properties(stack, "MApiGatewayMethodPOST")["Integration"]
    assert (post["Type"], post["IntegrationResponses"]) == ("MOCK", [{"StatusCode": 202}])
    assert properties(stack, "ShopApiGatewayStage")["StageName"] == "live"
    assert [note.partition(" is left out")[0] for note in stack.notes] == ["aws_api_gateway_integration.lost"]
