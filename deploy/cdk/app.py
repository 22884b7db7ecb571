"""The example pipeline as an app of the AWS CDK: the same as deploy/template.yaml.

`make bundles && cd deploy/cdk && pip install -r requirements.txt && cdk deploy -c secret=ARN`. The functions
come from ../functions.json and the state machine from handlers/slides/state_machine.asl.json;
tests/deploy/test_four_ways.py compares what it makes with the others.
"""

import json
from pathlib import Path
from typing import Any

from aws_cdk import App, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_logs_destinations as destinations
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

PROJECT = Path(__file__).resolve().parents[2]
FUNCTIONS = json.loads((PROJECT / "deploy" / "functions.json").read_text(encoding="utf-8"))


class Slides(Stack):
    """The buckets, tables, functions and state machine of the example, and its forwarder."""

    def __init__(self, scope: Construct, name: str, secret: str, site: str, environment: str) -> None:
        super().__init__(scope, name)
        self.shared = {"DD_ENV": environment, "DD_SERVICE": "slides", "POWERTOOLS_SERVICE_NAME": "slides"}
        self.names: dict[str, str] = {}
        self.arns: dict[str, str] = {}
        self.stores()
        self.site()
        forwarders = self.forwarders(secret, site)
        steps = {key: self.step(key, body, forwarders[0]) for key, body in FUNCTIONS.items()}
        self.pipeline(steps, forwarders)

    def known(self, key: str, name: str, arn: str) -> None:
        """Remember what functions.json calls a resource: its name and ARNs."""
        self.names[key] = name
        self.arns |= {key: arn, f"{key}/*": f"{arn}/*"}

    def stores(self) -> None:
        """Add buckets, tables, topic and queue."""
        for key in ("PhotoBucket", "ModelBucket", "DocumentBucket", "SiteBucket"):
            bucket = s3.Bucket(self, key, event_bridge_enabled=True if key == "PhotoBucket" else None)
            self.known(key, bucket.bucket_name, bucket.bucket_arn)
            setattr(self, key, bucket)
        keys = {"SlideTable": ("talk", "slide"), "StateTable": ("talk",), "Digests": ("id",)}
        for key, names in keys.items():
            parts = [dynamodb.Attribute(name=part, type=dynamodb.AttributeType.STRING) for part in names]
            table = dynamodb.Table(
                self,
                key,
                partition_key=parts[0],
                sort_key=parts[1] if len(parts) > 1 else None,
                billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
                time_to_live_attribute="expiration" if key == "Digests" else None,
            )
            self.known(key, table.table_name, table.table_arn)
        topic = sns.Topic(self, "Topic")
        self.known("Topic", topic.topic_arn, topic.topic_arn)
        spool = sqs.Queue(
            self,
            "Spool",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=Duration.days(14),
            visibility_timeout=Duration.seconds(720),
            max_message_size_bytes=1048576,
        )
        self.known("Spool", spool.queue_url, spool.queue_arn)

    def site(self) -> None:
        """Add the site's distribution and the project that builds it."""
        origin = origins.S3BucketOrigin.with_origin_access_control(self.SiteBucket)
        behaviour = cloudfront.BehaviorOptions(
            origin=origin, viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS
        )
        distribution = cloudfront.Distribution(self, "Distribution", default_behavior=behaviour)
        arn = f"arn:{self.partition}:cloudfront::{self.account}:distribution/{distribution.distribution_id}"
        self.known("Distribution", distribution.distribution_id, arn)
        commands = {"install": {"runtime-versions": {"python": "3.12"}}}
        commands["build"] = {"commands": ["python3 -m handlers.slides.site"]}
        project = codebuild.Project(
            self,
            "BuildProject",
            timeout=Duration.minutes(10),
            source=codebuild.Source.s3(bucket=self.ModelBucket, path="slides/site.zip"),
            build_spec=codebuild.BuildSpec.from_object({"version": "0.2", "phases": commands}),
            environment=codebuild.BuildEnvironment(build_image=codebuild.LinuxBuildImage.STANDARD_7_0),
            environment_variables={
                "DOCUMENTS_BUCKET": codebuild.BuildEnvironmentVariable(value=self.names["DocumentBucket"]),
                "SITE_BUCKET": codebuild.BuildEnvironmentVariable(value=self.names["SiteBucket"]),
            },
        )
        self.DocumentBucket.grant_read(project)
        self.ModelBucket.grant_read(project)
        self.SiteBucket.grant_put(project)
        self.known("BuildProject", project.project_name, project.project_arn)

    def function(self, key: str, code: str, group: logs.ILogGroup, **settings: Any) -> lambda_.Function:
        """Add a function whose code `make bundles` has put into build/."""
        folder = PROJECT / "build" / code
        return lambda_.Function(
            self,
            f"{key}Function",
            runtime=lambda_.Runtime.PYTHON_3_12,
            architecture=lambda_.Architecture.X86_64,
            code=lambda_.Code.from_asset(str(folder if folder.is_dir() else PROJECT / "handlers")),
            log_group=group,
            **settings,
        )

    def group(self, key: str, name: str) -> logs.LogGroup:
        """Add a log group that keeps its events for two weeks."""
        days = logs.RetentionDays.TWO_WEEKS
        gone = RemovalPolicy.DESTROY
        return logs.LogGroup(self, f"{key}Logs", log_group_name=name, retention=days, removal_policy=gone)

    def forwarders(self, secret: str, site: str) -> list[lambda_.Function]:
        """Add the forwarder of the functions' logs, and that of the state machine's."""
        group = self.group("Forwarder", f"/aws/lambda/{self.stack_name}-forwarder")
        environment = {
            **self.shared,
            "DD_SITE": site,
            "DD_API_KEY_SECRET_ARN": secret,
            "MONITORING_SPOOL_QUEUE": self.names["Spool"],
            "MONITORING_DIGESTS_TABLE": self.names["Digests"],
        }
        made = []
        for key, concurrency in (("Forwarder", None), ("StatesForwarder", 1)):
            function = self.function(
                key,
                "forwarder",
                group,
                handler="monitoring.forwarder.handler",
                memory_size=512,
                timeout=Duration.seconds(120),
                reserved_concurrent_executions=concurrency,
                environment=environment,
            )
            self.allow(function, ["secretsmanager:GetSecretValue"], [secret])
            queue = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
            self.allow(function, queue, [self.arns["Spool"]])
            items = ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchGetItem", "BatchWriteItem"]
            self.allow(function, [f"dynamodb:{item}" for item in items], [self.arns["Digests"]])
            made.append(function)
        schedule = events.Schedule.rate(Duration.minutes(5))
        target = targets.LambdaFunction(made[0])
        events.Rule(self, "Redrive", schedule=schedule, targets=[target])
        return made

    def allow(self, function: lambda_.Function, actions: list[str], resources: list[str]) -> None:
        """Add a statement to a function's role."""
        function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=resources))

    def step(self, key: str, body: dict[str, Any], forwarder: lambda_.Function) -> lambda_.Function:
        """Add a step of the state machine with its log group, which goes to the forwarder."""
        name = key.capitalize()
        group = self.group(name, f"/aws/lambda/{self.stack_name}-{key}")
        own = {variable: self.names.get(value, value) for variable, value in body["environment"].items()}
        function = self.function(
            name,
            body["code"],
            group,
            handler=body["handler"],
            memory_size=body["memory"],
            timeout=Duration.seconds(body["timeout"]),
            environment={**self.shared, **own},
        )
        for statement in body["allow"]:
            self.allow(function, statement["actions"], [self.arns[item] for item in statement["on"]])
        self.forward(group, f"{name}LogsToForwarder", forwarder)
        return function

    def forward(self, group: logs.LogGroup, key: str, forwarder: lambda_.Function) -> None:
        """Subscribe a forwarder to a log group."""
        destination = destinations.LambdaDestination(forwarder)
        everything = logs.FilterPattern.all_events()
        logs.SubscriptionFilter(
            self, key, log_group=group, destination=destination, filter_pattern=everything
        )

    def pipeline(self, steps: dict[str, lambda_.Function], forwarders: list[lambda_.Function]) -> None:
        """Add the state machine, which starts with every photo that arrives."""
        group = self.group("Pipeline", f"/aws/vendedlogs/states/{self.stack_name}-slides")
        definition = PROJECT / "handlers" / "slides" / "state_machine.asl.json"
        machine = stepfunctions.StateMachine(
            self,
            "Pipeline",
            state_machine_name=f"{self.stack_name}-slides",
            definition_body=stepfunctions.DefinitionBody.from_string(definition.read_text(encoding="utf-8")),
            definition_substitutions={
                f"{key.capitalize()}FunctionArn": function.function_arn for key, function in steps.items()
            },
            logs=stepfunctions.LogOptions(
                destination=group, level=stepfunctions.LogLevel.ALL, include_execution_data=True
            ),
        )
        for function in steps.values():
            function.grant_invoke(machine)
        self.forward(group, "PipelineLogsToForwarder", forwarders[1])
        photos = events.EventPattern(
            source=["aws.s3"],
            detail_type=["Object Created"],
            detail={"bucket": {"name": [self.names["PhotoBucket"]]}},
        )
        events.Rule(self, "Photo", event_pattern=photos, targets=[targets.SfnStateMachine(machine)])
        statuses = events.EventPattern(
            source=["aws.states"],
            detail_type=["Step Functions Execution Status Change"],
            detail={"stateMachineArn": [machine.state_machine_arn]},
        )
        target = targets.LambdaFunction(forwarders[0])
        events.Rule(self, "Statuses", event_pattern=statuses, targets=[target])


app = App()
context = app.node.try_get_context
Slides(
    app,
    context("stack") or "slides",
    context("secret") or "arn:aws:secretsmanager:us-east-1:123456789012:secret:datadog",
    context("site") or "datadoghq.com",
    context("environment") or "dev",
)
app.synth()
