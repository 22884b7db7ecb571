"""The forwarder of deploy/forwarder.yaml as a construct of the AWS CDK.

    forwarder = Forwarder(self, "Stepscope", code="dist/stepscope-forwarder.zip", enhanced_metrics="all",
                          api_key_secret_arn=secret.secret_full_arn, log_group_prefixes=["/aws/lambda/shop-"])

It includes that template, so that both make the same resources. tests/deploy/test_forwarder_forms.py compares
the parameters and what is made; docs/forwarder-install.md says what each parameter does.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import yaml
from aws_cdk import Fn
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_assets as assets
from aws_cdk import aws_sqs as sqs
from aws_cdk import cloudformation_include as include
from constructs import Construct

TEMPLATE = Path(__file__).resolve().parents[1] / "forwarder.yaml"


class ForwarderParameters(TypedDict, total=False):
    """The parameters of the template, by the names that Python gives them; else its defaults hold."""

    code_bucket: str
    code_key: str
    code_version: str
    runtime: Literal["python3.12", "python3.13"]
    architecture: Literal["arm64", "x86_64"]
    datadog_site: str
    datadog_url: str
    api_key_secret_arn: str
    api_key_parameter: str
    api_key_ciphertext: str
    api_key_kms_key_arn: str
    environment: str
    service: str
    tags: str
    fetch_tags: bool
    lambda_metrics: bool
    states_metrics: bool
    execution_metrics: bool
    own_metrics: bool
    metric_form: Literal["distribution", "native"]
    log_group_names: Sequence[str]
    log_group_prefixes: Sequence[str]
    log_group_tags: Sequence[str]
    state_machines: Sequence[str]
    exclude_log_groups: Sequence[str]
    subscription_schedule: str
    status_changes: bool
    read_bucket_arns: Sequence[str]
    forward_logs: bool
    filter_pattern: str
    include_at_match: str
    exclude_at_match: str
    redact_ip: bool
    redact_email: bool
    scrubbing_rule: str
    scrubbing_replacement: str
    memory_size: int
    timeout: int
    concurrency: int
    states_concurrency: int
    transport: Literal["direct", "kinesis", "firehose"]
    stream_shards: int
    parallelization_factor: int
    execution_state: Literal["table", "memory"]
    log_retention_days: int
    subnet_ids: Sequence[str]
    security_group_ids: Sequence[str]
    proxy: str
    no_proxy: str
    kms_key_arn: str
    permissions_boundary_arn: str
    alarm_topic_arn: str


class Forwarder(Construct):
    """The forwarder, its spool, its subscriber and its alarms.

    Attributes:
        function: the forwarder; send it events of buckets and streams of your own.
        spool: the queue of what Datadog did not take.
        dead_letters: the queue of what was given up.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        enhanced_metrics: Literal["all", "without-invocations", "none"],
        code: str | Path | None = None,
        **parameters: Unpack[ForwarderParameters],
    ) -> None:
        """Make it.

        Args:
            scope: the stack, or a construct in it.
            construct_id: its name in `scope`.
            enhanced_metrics: which of aws.lambda.enhanced.* are sent; Datadog may bill by them.
            code: the zip that `make forwarder` writes, which becomes an asset; else give `code_bucket`.
            parameters: see `ForwarderParameters`.

        Raises:
            ValueError: the API key or the code is missing, or there is no such parameter.
        """
        super().__init__(scope, construct_id)
        if not any(parameters.get(key) for key in _KEYS):
            raise ValueError(f"the API key is missing: give {', '.join(_KEYS[:-1])} or {_KEYS[-1]}")
        if code is not None:
            asset = assets.Asset(self, "Code", path=str(code))
            parameters["code_bucket"] = asset.s3_bucket_name
            parameters["code_key"] = asset.s3_object_key
        if not parameters.get("code_bucket"):
            raise ValueError("the code is missing: give code, the path of the zip, or code_bucket")
        values = _values({**parameters, "enhanced_metrics": enhanced_metrics})
        self._template = include.CfnInclude(
            self, "Template", template_file=str(TEMPLATE), preserve_logical_ids=False, parameters=values
        )
        self._decide(values)
        self.function = lambda_.Function.from_function_arn(self, "Function", self._arn("Forwarder"))
        self.spool = sqs.Queue.from_queue_arn(self, "Spool", self._arn("Spool"))
        self.dead_letters = sqs.Queue.from_queue_arn(self, "DeadLetters", self._arn("DeadLetters"))

    def _decide(self, values: dict[str, Any]) -> None:
        """Answer the conditions that ask whether a parameter is given, and the rule, which is checked above.

        A value may be of another resource, as a secret's ARN, and CloudFormation refuses those in both.
        """
        for condition, parameter in _GIVEN.findall(TEMPLATE.read_text(encoding="utf-8")):
            answer = "given" if values[parameter] else "not given"
            self._template.get_condition(condition).expression = Fn.condition_equals(answer, "given")
        self._template.node.find_child("$Rules").node.try_remove_child("OneApiKey")

    def _arn(self, logical_id: str) -> str:
        return str(self._template.get_resource(logical_id).get_att("Arn").to_string())


_GIVEN = re.compile(r'^  (\w+): !Not \[!Equals \[(?:!Join \["", )?!Ref (\w+)\]?, ""\]\]$', re.MULTILINE)
"""A condition of the template that asks whether a parameter is given, and the parameter."""
_KEYS = ("api_key_secret_arn", "api_key_parameter", "api_key_ciphertext")


class _Loader(yaml.SafeLoader):
    """Reads a template of which only the parameters matter: tags such as `!Ref` are left out."""


_Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def _values(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return each parameter of the template with its value: as given, else its default."""
    declared = yaml.load(TEMPLATE.read_text(encoding="utf-8"), _Loader)["Parameters"]  # noqa: S506 - a safe loader
    names = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): name for name in declared}
    unknown = sorted(set(parameters) - set(names))
    if unknown:
        raise ValueError(f"{TEMPLATE.name} has no parameter {', '.join(unknown)}")
    return {
        name: _value(parameters.get(key, declared[name].get("Default")), declared[name])
        for key, name in names.items()
    }


def _value(value: Any, declared: dict[str, Any]) -> Any:
    """Return a value as CloudFormation would hand it to the template; a text of digits may be empty: 0."""
    if declared["Type"] == "CommaDelimitedList":
        return [] if value == "" else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if declared.get("AllowedPattern") == "^[0-9]*$":
        return value or 0
    return value if declared["Type"] == "Number" else str(value)
