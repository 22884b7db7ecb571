"""Parse the Resource of a Task, and find what this AWS can do with it."""

import functools
import re
from dataclasses import dataclass
from typing import NamedTuple

from monitoring.local_aws.states.errors import FatalError

TOKEN, SYNC, SYNC2 = "waitForTaskToken", "sync", "sync:2"
_RUN_A_JOB = (SYNC,)
_CALLBACK = (TOKEN,)


class OptimizedIntegration(NamedTuple):
    """An optimized integration.

    Attributes:
        error: the prefix of its errors.
        service: what it is called in their causes.
        generic: the error for a code that the API does not document.
        patterns: the integration patterns that it has here.
        missing: those that it has on AWS alone.
        api: the service's name in boto3, where it is another one.
    """

    error: str
    service: str
    generic: str
    patterns: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    api: str = ""


_CONTAINERS = OptimizedIntegration("ECS", "AmazonECS", "AmazonECSException", _CALLBACK, _RUN_A_JOB)
INTEGRATIONS: dict[str, OptimizedIntegration] = {
    "lambda:invoke": OptimizedIntegration("Lambda", "AWSLambda", "AWSLambdaException", _CALLBACK),
    "sns:publish": OptimizedIntegration("SNS", "AmazonSNS", "AmazonSNSException", _CALLBACK),
    "sqs:sendMessage": OptimizedIntegration("SQS", "AmazonSQS", "AmazonSQSException", _CALLBACK),
    "events:putEvents": OptimizedIntegration(
        "EventBridge", "AmazonEventBridge", "AmazonEventBridgeException", _CALLBACK
    ),
    "states:startExecution": OptimizedIntegration(
        "StepFunctions",
        "AWSStepFunctions",
        "AWSStepFunctionsException",
        (TOKEN, SYNC, SYNC2),
        api="stepfunctions",
    ),
    "http:invoke": OptimizedIntegration("Http", "Http", "States.Http.Socket"),
    "apigateway:invoke": OptimizedIntegration("ApiGateway", "ApiGateway", "ApiGateway", _CALLBACK),
    "ecs:runTask": _CONTAINERS,
    "batch:submitJob": OptimizedIntegration("Batch", "AWSBatch", "AWSBatchException", missing=_RUN_A_JOB),
    **{
        f"{service}:{action}": integration
        for service, actions, integration in (
            (
                "dynamodb",
                ("getItem", "putItem", "updateItem", "deleteItem"),
                OptimizedIntegration("DynamoDB", "AmazonDynamoDBv2", "AmazonDynamoDBException"),
            ),
            (
                "codebuild",
                ("startBuild",),
                OptimizedIntegration("CodeBuild", "AWSCodeBuild", "AWSCodeBuildException", _RUN_A_JOB),
            ),
            (
                "codebuild",
                ("stopBuild", "batchDeleteBuilds", "batchGetReports"),
                OptimizedIntegration("CodeBuild", "AWSCodeBuild", "AWSCodeBuildException"),
            ),
            (
                "codebuild",
                ("startBuildBatch",),
                OptimizedIntegration(
                    "CodeBuild", "AWSCodeBuild", "AWSCodeBuildException", missing=_RUN_A_JOB
                ),
            ),
            (
                "athena",
                ("startQueryExecution",),
                OptimizedIntegration("Athena", "AmazonAthena", "AmazonAthenaException", _RUN_A_JOB),
            ),
            (
                "athena",
                ("stopQueryExecution", "getQueryExecution", "getQueryResults"),
                OptimizedIntegration("Athena", "AmazonAthena", "AmazonAthenaException"),
            ),
            (
                "glue",
                ("startJobRun",),
                OptimizedIntegration("Glue", "AWSGlue", "AWSGlueException", _RUN_A_JOB),
            ),
        )
        for action in actions
    },
}
"""`service:action` of `arn:aws:states:::service:action`, one row for every optimized integration."""

ELSEWHERE: dict[str, str] = {
    "bedrock": "invokeModel createModelCustomizationJob",
    "databrew": "startJobRun",
    "eks": "call runJob createCluster deleteCluster createFargateProfile deleteFargateProfile "
    "createNodegroup deleteNodegroup",
    "elasticmapreduce": "createCluster addStep cancelStep terminateCluster setClusterTerminationProtection "
    "modifyInstanceFleetByName modifyInstanceGroupByName",
    "emr-containers": "startJobRun createVirtualCluster deleteVirtualCluster",
    "emr-serverless": "createApplication startApplication stopApplication deleteApplication startJobRun "
    "cancelJobRun",
    "mediaconvert": "createJob",
    "sagemaker": "createEndpoint createEndpointConfig createHyperParameterTuningJob createLabelingJob "
    "createModel "
    "createProcessingJob createTrainingJob createTransformJob updateEndpoint",
}
"""Optimized integrations of AWS whose service this AWS does not run."""


@dataclass(frozen=True, slots=True)
class TaskResource:
    """A Resource.

    Attributes:
        kind: `lambda` (a function's ARN), `activity`, `service` (an optimized integration) or `sdk`.
        service, action, pattern: of `arn:aws:states:::service:action.pattern`.
    """

    kind: str
    arn: str
    service: str = ""
    action: str = ""
    pattern: str = ""

    @property
    def resource(self) -> str:
        """Return what the events of a task call the resource."""
        return f"{self.action}.{self.pattern}" if self.pattern else self.action

    @property
    def resource_type(self) -> str:
        """Return what the events of a task call its type."""
        return f"aws-sdk:{self.service}" if self.kind == "sdk" else self.service

    @property
    def integration(self) -> OptimizedIntegration | None:
        """Return the row of an optimized integration, or None."""
        return INTEGRATIONS.get(f"{self.service}:{self.action}") if self.kind == "service" else None


_ARNS = (
    ("lambda", re.compile(r"arn:[^:]+:lambda:[^:]*:[^:]*:function:.+")),
    ("activity", re.compile(r"arn:[^:]+:states:[^:]*:[^:]*:activity:.+")),
    (
        "sdk",
        re.compile(
            r"arn:[^:]+:states:[^:]*:[^:]*:aws-sdk:(?P<service>[A-Za-z0-9-]+):(?P<action>\w+)(?:\.(?P<pattern>.+))?"
        ),
    ),
    (
        "service",
        re.compile(
            r"arn:[^:]+:states:[^:]*:[^:]*:(?P<service>[a-z0-9-]+):(?P<action>\w+)(?:\.(?P<pattern>.+))?"
        ),
    ),
)


@functools.lru_cache(maxsize=1024)
def parse_resource(arn: str) -> TaskResource | None:
    """Return what an ARN names, or None if it is not one of a task."""
    for kind, pattern in _ARNS:
        match = pattern.fullmatch(arn)
        if match is not None:
            return TaskResource(
                kind, arn, **{name: text_part or "" for name, text_part in match.groupdict().items()}
            )
    return None


def known_resource(arn: str) -> TaskResource:
    """Return what the ARN of a validated definition names."""
    resource = parse_resource(arn)
    if resource is None:
        raise FatalError(f"The resource provided {arn} is not recognized.")
    return resource


def function_parts(name: str) -> tuple[str, str] | None:
    """Return the name and the qualifier in a function's name, partial ARN or ARN; None for anything else."""
    match = re.fullmatch(
        r"(?:arn:[^:]+:lambda:[a-z0-9-]*:)?(?:\d{12}:)?(?:function:)?([A-Za-z0-9_-]+)(?::(\$LATEST|[A-Za-z0-9_-]+))?",
        name,
    )
    return None if match is None else (match[1], match[2] or "")


# -- AWS SDK integrations: named after the packages of the SDK for Java

BOTO_NAMES = {
    "applicationdiscovery": "discovery",
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "config": "config",
    "costandusagereport": "cur",
    "costexplorer": "ce",
    "databasemigration": "dms",
    "directory": "ds",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "elasticsearch": "es",
    "eventbridge": "events",
    "iotdataplane": "iot-data",
    "iotjobsdataplane": "iot-jobs-data",
    "lexmodelbuilding": "lex-models",
    "lexruntime": "lex-runtime",
    "lexmodelsv2": "lexv2-models",
    "lexruntimev2": "lexv2-runtime",
    "marketplaceentitlement": "marketplace-entitlement",
    "marketplacemetering": "meteringmarketplace",
    "migrationhub": "mgh",
    "serverlessapplicationrepository": "serverlessrepo",
    "sfn": "stepfunctions",
    "simpledb": "sdb",
}
"""Packages whose boto3 name is not the same letters."""


def pascal_service(service_id: str) -> str:
    """Return the name that the SDK for Java has for a service: `DynamoDB` is DynamoDb, `SFN` Sfn."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", service_id)
    return "".join(word.capitalize() for word in words)
