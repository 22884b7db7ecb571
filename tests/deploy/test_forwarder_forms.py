"""The forwarder in four forms: deploy/forwarder.yaml, and what Terraform, the CDK and osls make of the same parameters."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import hcl2
import pytest
from provider_schema import listed, named

from monitoring.discovery.machines import resolver
from monitoring.discovery.stacks import read_stacks
from monitoring.discovery.templates import load

pytestmark = pytest.mark.checkout
DEPLOY = Path(__file__).parents[2] / "deploy"
MODULE = DEPLOY / "terraform" / "forwarder"
PLUGIN = DEPLOY / "serverless"
PARAMETERS = load(DEPLOY / "forwarder.yaml")["Parameters"]
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:datadog"
KEY = "arn:aws:kms:us-east-1:123456789012:key/k"
LEAST = {"CodeBucket": "code", "EnhancedMetrics": "none", "ApiKeyParameter": "datadog"}
MOST = {
    "CodeBucket": "code", "CodeVersion": "7", "EnhancedMetrics": "all", "ApiKeySecretArn": SECRET, "ApiKeyKmsKeyArn": KEY,
    "Runtime": "python3.12", "Architecture": "x86_64", "MemorySize": 1024, "Timeout": 60, "LogRetentionDays": 30,
    "FetchTags": True, "OwnMetrics": False, "StatusChanges": True, "KmsKeyArn": KEY, "StatesConcurrency": 1, "Concurrency": 5,
    "LogGroupPrefixes": ["/aws/lambda/a-", "/b"], "StateMachines": ["shop-*"], "ExcludeLogGroups": ["/c"],
    "ReadBucketArns": ["arn:aws:s3:::one", "arn:aws:s3:::two"], "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"],
    "Proxy": "http://proxy:3128", "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/b",
    "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms", "FilterPattern": "REPORT",
}  # fmt: skip
OFF = {**LEAST, "StatusChanges": False, "ForwardLogs": False, "EnhancedMetrics": "without-invocations"}
KINESIS = {
    **LEAST,
    "Transport": "kinesis",
    "StreamShards": 4,
    "ParallelizationFactor": 10,
    "ExecutionState": "memory",
}
FIREHOSE = {**LEAST, "Transport": "firehose", "KmsKeyArn": KEY, "StatesConcurrency": 1}
CASES = {"least": LEAST, "most": MOST, "off": OFF, "kinesis": KINESIS, "firehose": FIREHOSE}


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def text(value):
    return (
        ",".join(value)
        if isinstance(value, list)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def made(path, given=None):
    """Logical id -> type and resolved properties of what is made under the conditions that hold."""
    (stack,) = read_stacks(path, parameters=given or {}, name="s")
    intrinsics = resolver(stack)
    return {
        name: (raw.type, intrinsics.resolve(dict(raw.properties)))
        for name, raw in stack.resources.items()
        if not raw.condition or intrinsics.holds(raw.condition)
    }


@pytest.fixture(params=CASES)
def given(request):
    return CASES[request.param]


@pytest.fixture
def template(given):
    return made(DEPLOY / "forwarder.yaml", {name: text(value) for name, value in given.items()})


# -- CDK and osls: the template itself, with the parameters filled in


def compared(resources, prefix):
    """The resources of the forwarder by the template's logical ids, references among them too."""
    names = {}
    for name in resources:
        if match := re.match(prefix, name):
            names[name] = match[1]
    order = sorted(names, key=len, reverse=True)
    own = {}
    for name in order:
        kind, properties = resources[name]
        content = json.dumps(properties, sort_keys=True)
        for other in order:
            content = re.sub(rf"\b{other}\b", names[other], content)
        own[names[name]] = (kind, json.loads(content))
    return own


def plain(resources):
    """Numbers as texts: CloudFormation takes both, and a parameter is a text."""

    def walked(value):
        if isinstance(value, dict):
            return {key: walked(item) for key, item in value.items()}
        return [walked(item) for item in value] if isinstance(value, list) else text(value)

    return {name: (kind, walked(properties)) for name, (kind, properties) in resources.items()}


def run(command, folder, **environment):
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.tools
def test_the_cdk_construct_makes_what_the_template_makes(given, template, tmp_path):
    python = shutil.which("cdk-python")
    if python is None:
        pytest.skip("cdk-python is not on the PATH: .ci/deploy-tools")
    arguments = {snake(name): value for name, value in given.items()}
    program = (
        f"import sys; sys.path.insert(0, {str(DEPLOY / 'cdk')!r})\n"
        "from aws_cdk import App, DefaultStackSynthesizer, Stack\nfrom stepscope_forwarder import Forwarder\n"
        "stack = Stack(App(), 's', synthesizer=DefaultStackSynthesizer(generate_bootstrap_version_rule=False))\n"
        f"Forwarder(stack, 'Own', **{arguments!r})\nstack.node.root.synth()\n"
    )
    (tmp_path / "app.py").write_text(program)
    done = run([python, "app.py"], tmp_path, CDK_OUTDIR=str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    own = compared(made(tmp_path / "out" / "s.template.json"), r"OwnTemplate(\w+?)[0-9A-F]{8}$")
    assert plain(own) == plain(template)


@pytest.mark.tools
def test_the_osls_plugin_makes_what_the_template_makes(given, template, tmp_path):
    osls = shutil.which("osls")
    if osls is None:
        pytest.skip("osls is not on the PATH: .ci/deploy-tools")
    service = {"service": "shop", "frameworkVersion": ">=3", "configValidationMode": "error",
               "provider": {"name": "aws", "runtime": "python3.12"}, "plugins": ["serverless-stepscope-forwarder"],
               "custom": {"stepscope": given}}  # fmt: skip
    (tmp_path / "serverless.json").write_text(json.dumps(service))
    modules = next(parent for parent in Path(osls).resolve().parents if parent.name == "node_modules")
    (tmp_path / "node_modules").mkdir()
    for module in modules.iterdir():
        (tmp_path / "node_modules" / module.name).symlink_to(module)
    package = tmp_path / "node_modules" / "serverless-stepscope-forwarder"
    shutil.copytree(PLUGIN, package)
    shutil.copy(DEPLOY / "forwarder.yaml", package)  # as npm packs it
    done = run([osls, "package", "--package", "out"], tmp_path, SLS_TELEMETRY_DISABLED="1")
    assert done.returncode == 0, done.stdout + done.stderr
    own = compared(made(tmp_path / "out" / "cloudformation-template-update-stack.json"), r"Stepscope(\w+)$")
    assert plain(own) == plain(template)


def test_the_osls_package_has_what_it_requires_and_the_version_of_the_project():
    package = json.loads((PLUGIN / "package.json").read_text("utf-8"))
    assert {path.name for path in PLUGIN.iterdir()} == {*package["files"], "package.json"} - {
        "forwarder.yaml"
    }
    assert f'\nversion = "{package["version"]}"\n' in (DEPLOY.parent / "pyproject.toml").read_text("utf-8")


def test_the_construct_has_the_parameters_of_the_template():
    source = (DEPLOY / "cdk" / "stepscope_forwarder.py").read_text("utf-8")
    body = source[source.index("class ForwarderParameters") : source.index("class Forwarder(Construct)")]
    typed = dict(re.findall(r"^    (\w+): (.+)$", body, re.MULTILINE))
    assert set(typed) == {snake(name) for name in PARAMETERS} - {"enhanced_metrics"}
    for name, parameter in PARAMETERS.items():
        values = parameter.get("AllowedValues")
        if snake(name) in typed and values and values != ["true", "false"] and parameter["Type"] == "String":
            assert typed[snake(name)] == f"Literal[{', '.join(json.dumps(value) for value in values)}]"


# -- Terraform: its own resources, compared by what they are


@pytest.fixture
def terraform(given, tmp_path):
    shutil.copytree(MODULE, tmp_path / "forwarder")
    rows = [f"  {snake(name)} = {json.dumps(value)}" for name, value in given.items()]
    body = "\n".join(['  source = "./forwarder"', '  name = "s"', *rows])
    (tmp_path / "main.tf").write_text(f'module "stepscope" {{\n{body}\n}}\n')
    return made(tmp_path)


def of(resources, kind):
    return [properties for own, properties in resources.values() if own == kind]


def statements(resources):
    """Sid -> actions of what the roles allow."""
    documents = [
        policy["PolicyDocument"]
        for role in of(resources, "AWS::IAM::Role")
        for policy in role.get("Policies", ())
    ]
    documents += [policy["PolicyDocument"] for policy in of(resources, "AWS::IAM::Policy")]
    rows = [row for document in documents for row in document["Statement"]]
    return sorted((row["Sid"], sorted(listed(row["Action"])), len(listed(row["Resource"]))) for row in rows
                  if row["Sid"] != "ApiKeyParameter")  # fmt: skip


REFERENCES = {
    "MONITORING_SPOOL_QUEUE", "MONITORING_SPOOL_BUCKET", "MONITORING_DIGESTS_TABLE", "MONITORING_DESTINATION",
    "MONITORING_STATES_DESTINATION", "MONITORING_SUBSCRIBE_EXCLUDE", "MONITORING_SUBSCRIPTION_ROLE",
    "MONITORING_EXECUTIONS_TABLE",
}  # fmt: skip
"""Variables that name other resources, by whatever the form calls them."""


def functions(resources):
    keys = (
        "Handler",
        "MemorySize",
        "Timeout",
        "Runtime",
        "Architectures",
        "ReservedConcurrentExecutions",
        "Description",
    )
    rows = []
    for function in of(resources, "AWS::Lambda::Function"):
        variables = function["Environment"]["Variables"]
        values = {key: bool(value) if key in REFERENCES else text(value) for key, value in variables.items()}
        rows.append({key: text(function.get(key)) for key in keys} | values)
    return sorted(rows, key=json.dumps)


def queues(resources):
    keys = ("MessageRetentionPeriod", "VisibilityTimeout", "MaximumMessageSize", "SqsManagedSseEnabled")
    return sorted([[text(queue.get(key)) for key in keys] for queue in of(resources, "AWS::SQS::Queue")])


def rules(resources):
    keys = ("ScheduleExpression", "EventPattern")
    rows = []
    for rule in of(resources, "AWS::Events::Rule"):
        inputs = [target.get("Input") and json.loads(target["Input"]) for target in rule["Targets"]]
        rows.append([[rule.get(key) for key in keys], inputs])
    return sorted(rows, key=json.dumps)


def permissions(resources):
    rows = of(resources, "AWS::Lambda::Permission")
    return sorted((row["Action"], row["Principal"], bool(row.get("SourceArn"))) for row in rows)


def sources(resources):
    keys = (
        "StartingPosition",
        "BatchSize",
        "MaximumBatchingWindowInSeconds",
        "ParallelizationFactor",
        "FunctionResponseTypes",
    )
    rows = of(resources, "AWS::Lambda::EventSourceMapping")
    return sorted([[text(row.get(key)) for key in keys] for row in rows])


def streams(resources):
    mode = [row["StreamModeDetails"]["StreamMode"] for row in of(resources, "AWS::Kinesis::Stream")]
    shards = [text(row.get("ShardCount")) for row in of(resources, "AWS::Kinesis::Stream")]
    keys = ("Prefix", "ErrorOutputPrefix", "BufferingHints", "CompressionFormat")
    settings = [
        row["ExtendedS3DestinationConfiguration"]
        for row in of(resources, "AWS::KinesisFirehose::DeliveryStream")
    ]
    return mode, shards, [[row[key] for key in keys] for row in settings]


def others(resources):
    return {
        "failures": sorted(
            row["MaximumRetryAttempts"] for row in of(resources, "AWS::Lambda::EventInvokeConfig")
        ),
        "groups": sorted(text(row["RetentionInDays"]) for row in of(resources, "AWS::Logs::LogGroup")),
        "keys": [row["KeySchema"] for row in of(resources, "AWS::DynamoDB::Table")],
        "buckets": len(of(resources, "AWS::S3::Bucket")),
    }


@pytest.mark.parametrize(
    "fact", [statements, functions, queues, rules, permissions, sources, streams, others]
)
def test_the_terraform_module_makes_what_the_template_makes(fact, template, terraform):
    assert fact(terraform) == fact(template)


def module_blocks(block):
    for path in sorted(MODULE.glob("*.tf")):
        yield from named(hcl2.loads(path.read_text("utf-8")).get(block, ()))


def unquoted(value):
    return value.strip('"') if isinstance(value, str) else value


def test_its_variables_are_the_template_s_parameters():
    variables = dict(module_blocks("variable"))
    assert set(variables) == {snake(name) for name in PARAMETERS} | {"name", "code_file"}
    for name, parameter in PARAMETERS.items():
        variable = variables[snake(name)]
        default, kind = parameter.get("Default"), unquoted(variable["type"])
        if snake(name) in {"code_bucket", "concurrency", "states_concurrency", "stream_shards"}:
            continue
        expected = {"list(string)": [], "bool": default == "true"}.get(
            kind.removeprefix("${").removesuffix("}"), default
        )
        if kind.endswith("list(string)") and default:
            expected = default
        assert ("default" in variable) == (default is not None), name
        assert unquoted(variable.get("default")) == expected, name
        assert bool(variable.get("sensitive")) == bool(parameter.get("NoEcho")), name


def test_its_alarms_and_their_limits_are_the_template_s():
    text_of = (MODULE / "alarms.tf").read_text("utf-8")
    resources = load(DEPLOY / "forwarder.yaml")["Resources"]
    alarms = {
        name: row["Properties"] for name, row in resources.items() if row["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert len(alarms) == 11
    for name, alarm in alarms.items():
        assert re.search(
            rf'^    {name} += "{re.escape(alarm["AlarmDescription"])}"$', text_of, re.MULTILINE
        ), name
        row = re.search(rf"\b{name} += \[(.*)\]", text_of)[1]
        assert f'"{alarm["MetricName"]}"' in row
        assert row.endswith(f'"{alarm["Statistic"]}", {alarm["EvaluationPeriods"]}, {alarm["Threshold"]}'), (
            name
        )
    (pattern,) = re.findall(r'^  pattern += (".*") #', text_of, re.MULTILINE)
    assert json.loads(pattern) == resources["DeadEntries"]["Properties"]["FilterPattern"]
