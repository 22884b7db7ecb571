"""The example is deployed in four ways: SAM, the Serverless Framework, the CDK and Terraform make the same things of it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from monitoring.discovery.iam import statements
from monitoring.discovery.machines import definitions_of
from monitoring.discovery.stacks import read_stacks
from monitoring.lint import run
from monitoring.lint.templates.permissions import policies_of
from monitoring.lint.templates.reader import read_application

pytestmark = pytest.mark.checkout
ROOT = Path(__file__).parents[2]
SAM = ROOT / "deploy" / "template.yaml"
SERVERLESS = ROOT / "deploy" / "serverless.yml"
TERRAFORM = ROOT / "deploy" / "terraform"
NEEDED = {
    "identify": {"s3:GetObject", "s3:ListBucket"},
    "compare": {"dynamodb:GetItem"},
    "pull": {"dynamodb:GetItem"},
    "document": {"s3:GetObject", "s3:PutObject"},
    "build": {"codebuild:StartBuild", "codebuild:BatchGetBuilds"},
    "built": {"codebuild:BatchGetBuilds", "s3:GetObject"},
    "remember": {"dynamodb:GetItem", "dynamodb:PutItem"},
    "tell": {"sns:Publish"},
    "invalidate": {"cloudfront:CreateInvalidation", "cloudfront:GetInvalidation"},
    "forwarder": {
        "secretsmanager:GetSecretValue",
        "sqs:SendMessage",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
    },
}
"""What each function calls: verifications read what a step has written."""


@pytest.fixture(scope="session")
def sam():
    return Example(SAM)


@pytest.fixture(
    scope="session", params=["serverless", "terraform", pytest.param("cdk", marks=pytest.mark.tools)]
)
def other(request):
    paths = {"serverless": SERVERLESS, "terraform": TERRAFORM}
    return Example(paths[request.param] if request.param in paths else request.getfixturevalue("cdk_out"))


class Example:
    """What one way of deploying makes, by the names that do not depend on the way."""

    def __init__(self, path):
        self.path = path
        self.application = read_application(path)
        self.functions = {self.key(function): function for function in self.application.functions}

    @staticmethod
    def handler(function):
        properties = function.properties
        return properties.get("Handler") or properties["ImageConfig"]["Command"][0]

    def key(self, function):
        module = self.handler(function).split(".")[-2]
        is_single = function.properties.get("ReservedConcurrentExecutions") == 1
        return f"states-{module}" if is_single else module

    def facts(self, key):
        function = self.functions[key]
        return {
            "handler": self.handler(function),
            "memory": function.number("MemorySize", 128),
            "timeout": function.number("Timeout", 3),
            "architecture": function.properties.get("Architectures"),
            "variables": sorted(function.properties["Environment"]["Variables"]),
        }

    def actions(self, key):
        policies = policies_of(self.application, self.functions[key])
        actions = {
            action
            for document in policies.documents
            for statement in statements(document)
            for action in (
                [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            )
        }
        return {action for action in actions if not action.startswith(("logs:", "xray:", "ec2:"))}

    def allows(self, key, action):
        return policies_of(self.application, self.functions[key]).allow(action)

    def definition(self):
        ((_, _, definition),) = definitions_of(self.path)
        return self.with_keys(definition)

    def with_keys(self, value):
        """Return a definition in which functions go by their keys."""
        if isinstance(value, list):
            return [self.with_keys(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {name: self.with_key(item) for name, item in value.items()}

    def with_key(self, value):
        function = self.application.function(value) if isinstance(value, str) else None
        return self.key(function) if function else self.with_keys(value)

    def properties(self, kind, *names):
        rows = [[item.properties.get(name) for name in names] for item in self.application.of_type(kind)]
        return sorted(json.dumps(row, sort_keys=True) for row in rows)


def steps(example):
    return set(example.functions) - {"send"}


def test_the_same_functions_with_the_same_settings(sam, other):
    assert steps(other) == steps(sam)
    for key in steps(sam):
        assert other.facts(key) == sam.facts(key)


def test_the_same_state_machine_state_by_state(sam, other):
    assert other.definition() == sam.definition()
    source = json.loads((ROOT / "handlers" / "slides" / "state_machine.asl.json").read_text("utf-8"))
    assert set(other.definition()["States"]) == set(source["States"])


def test_the_state_machine_logs_everything(sam, other):
    for example in (sam, other):
        (machine,) = example.application.of_type("AWS::StepFunctions::StateMachine")
        assert machine.properties.get("StateMachineType", "STANDARD") == "STANDARD"
        logging = machine.properties["LoggingConfiguration"]
        assert (logging["Level"], logging["IncludeExecutionData"]) == ("ALL", True)


def test_a_role_allows_what_the_function_calls_and_no_more_than_the_sam_template(sam, other):
    for key, needed in NEEDED.items():
        for example in (sam, other):
            missing = {action for action in needed if not example.allows(key, action)}
            assert not missing, (example.path, key)
        assert {action for action in other.actions(key) if not sam.allows(key, action)} == set(), key


TABLE = ("KeySchema", "BillingMode", "TimeToLiveSpecification")
SAME = {
    "AWS::DynamoDB::Table": TABLE,
    "AWS::SNS::Topic": (),
    "AWS::SQS::Queue": (
        "VisibilityTimeout",
        "MessageRetentionPeriod",
        "MaximumMessageSize",
        "SqsManagedSseEnabled",
    ),
    "AWS::S3::Bucket": (),
    "AWS::CloudFront::Distribution": (),
    "AWS::CodeBuild::Project": ("TimeoutInMinutes",),
}


UNREAD = {
    "AWS::CloudFront::Distribution": 'resource "aws_cloudfront_distribution" "site" {',
    "AWS::CodeBuild::Project": "build_timeout = 10\n",
}
"""Types that are not read out of Terraform: the application on this machine does without them."""


@pytest.mark.parametrize("kind", SAME)
def test_the_same_stores_and_services(kind, sam, other):
    if other.path == TERRAFORM and kind in UNREAD:
        assert UNREAD[kind] in (TERRAFORM / "main.tf").read_text("utf-8")
        return
    assert other.properties(kind, *SAME[kind]) == sam.properties(kind, *SAME[kind])


def test_every_step_s_log_expires_and_goes_to_the_forwarder(sam, other):
    for example in (sam, other):
        filters = list(example.application.of_type("AWS::Logs::SubscriptionFilter"))
        assert len(filters) == len(NEEDED) + ("send" in example.functions)
        assert {
            group.properties["RetentionInDays"]
            for group in example.application.of_type("AWS::Logs::LogGroup")
        } == {14}


def test_a_photo_and_a_change_of_status_start_what_they_start(sam, other):
    def patterns(example):
        rules = [rule.properties for rule in example.application.of_type("AWS::Events::Rule")]
        sources = sorted(str(rule["EventPattern"]["source"]) for rule in rules if "EventPattern" in rule)
        return sources, [rule["ScheduleExpression"] for rule in rules if "ScheduleExpression" in rule]

    sources, schedules = patterns(other)
    assert [source for source in sources if source != "['aws.codecommit']"] == patterns(sam)[0]
    assert schedules == patterns(sam)[1]


def test_lint_finds_nothing_in_them(sam, other):
    for example in (sam, other):
        assert run.lint([example.path]).findings == ()


def test_the_single_file_has_what_the_talk_lists_besides():
    (stack,) = read_stacks(SERVERLESS)
    assert stack.resources["IdentifyLambdaFunction"].properties["PackageType"] == "Image"
    assert stack.of_type("AWS::CodeCommit::Repository")
    assert stack.resources["BuildProject"].properties["Source"]["Type"] == "CODECOMMIT"
    (target,) = stack.resources["Commit"].properties["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["BuildProject", "Arn"]}
    assert json.loads(target["Input"])["environmentVariablesOverride"][0]["name"] == "TALK"
    assert stack.of_type("AWS::ApiGatewayV2::Api")


@pytest.mark.tools
def test_cfn_lint_takes_what_the_cdk_makes(cdk_out):
    """W: the CDK writes dependencies and properties that a person would leave out."""
    command = shutil.which("cfn-lint")
    if command is None:
        pytest.skip("cfn-lint is not on the PATH: .ci/deploy-tools")
    template = cdk_out / "slides.template.json"
    done = subprocess.run(
        [command, "--ignore-checks", "W", "--", template],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout
