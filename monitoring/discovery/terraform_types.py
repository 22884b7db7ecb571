"""The table of Terraform's types of AWS resources and their CloudFormation types.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from monitoring.discovery.terraform_properties import (
    Properties,
    block_of,
    converted,
    delivery,
    document,
    every,
    first,
    listed,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """The CloudFormation type of a Terraform type.

    Attributes:
        type: the CloudFormation type.
        properties: attribute or block -> property, or (property, converter of the value).
        references: attribute -> attribute of `!GetAtt`; "" means `!Ref`.
        defaults: properties with Terraform's defaults, which differ from CloudFormation's.
    """

    type: str
    properties: Properties
    references: Mapping[str, str] = field(default_factory=lambda: {"id": "", "arn": "Arn"})
    defaults: Mapping[str, Any] = field(default_factory=dict)


_STREAM = {"id": "", "arn": "Arn", "name": ""}
_GSI: Properties = {
    "name": "IndexName",
    "hash_key": ("KeySchema", lambda key: [{"AttributeName": key, "KeyType": "HASH"}]),
    "projection_type": ("Projection", lambda kind: {"ProjectionType": kind}),
}
_CORS: Properties = {
    "allow_credentials": "AllowCredentials",
    "allow_headers": "AllowHeaders",
    "allow_methods": "AllowMethods",
    "allow_origins": "AllowOrigins",
    "expose_headers": "ExposeHeaders",
    "max_age": "MaxAge",
}

KINDS: dict[str, Kind] = {
    "aws_lambda_function": Kind(
        "AWS::Lambda::Function",
        {
            "function_name": "FunctionName",
            "role": "Role",
            "handler": "Handler",
            "runtime": "Runtime",
            "timeout": "Timeout",
            "memory_size": "MemorySize",
            "description": "Description",
            "layers": "Layers",
            "architectures": "Architectures",
            "package_type": "PackageType",
            "reserved_concurrent_executions": "ReservedConcurrentExecutions",
            "environment": (
                "Environment",
                lambda blocks: {
                    "Variables": {
                        key: value
                        for key, value in block_of(block_of(blocks).get("variables")).items()
                        if value is not None
                    }
                },
            ),
            "dead_letter_config": ("DeadLetterConfig", first({"target_arn": "TargetArn"})),
            "tracing_config": ("TracingConfig", first({"mode": "Mode"})),
            "ephemeral_storage": ("EphemeralStorage", first({"size": "Size"})),
            "image_config": (
                "ImageConfig",
                first(
                    {
                        "command": "Command",
                        "entry_point": "EntryPoint",
                        "working_directory": "WorkingDirectory",
                    }
                ),
            ),
            "logging_config": (
                "LoggingConfig",
                first(
                    {
                        "log_format": "LogFormat",
                        "log_group": "LogGroup",
                        "application_log_level": "ApplicationLogLevel",
                        "system_log_level": "SystemLogLevel",
                    }
                ),
            ),
        },
        {
            "id": "",
            "function_name": "",
            "arn": "Arn",
            "invoke_arn": "Arn",
            "qualified_arn": "Arn",
            "qualified_invoke_arn": "Arn",
        },
        {"Timeout": 3, "MemorySize": 128},
    ),
    "aws_lambda_layer_version": Kind(
        "AWS::Lambda::LayerVersion",
        {"layer_name": "LayerName", "compatible_runtimes": "CompatibleRuntimes"},
        {"arn": "", "id": "", "layer_arn": ""},
    ),
    "aws_lambda_permission": Kind(
        "AWS::Lambda::Permission",
        {
            "action": "Action",
            "function_name": "FunctionName",
            "principal": "Principal",
            "source_arn": "SourceArn",
        },
    ),
    "aws_lambda_alias": Kind(
        "AWS::Lambda::Alias",
        {"name": "Name", "function_name": "FunctionName", "function_version": "FunctionVersion"},
        {"arn": "", "id": "", "invoke_arn": ""},
    ),
    "aws_lambda_function_url": Kind(
        "AWS::Lambda::Url",
        {
            "function_name": "TargetFunctionArn",
            "authorization_type": "AuthType",
            "cors": ("Cors", first(_CORS)),
        },
        {"function_url": "FunctionUrl"},
    ),
    "aws_lambda_function_event_invoke_config": Kind(
        "AWS::Lambda::EventInvokeConfig",
        {
            "function_name": "FunctionName",
            "maximum_retry_attempts": "MaximumRetryAttempts",
            "maximum_event_age_in_seconds": "MaximumEventAgeInSeconds",
            "destination_config": (
                "DestinationConfig",
                first(
                    {
                        "on_success": ("OnSuccess", first({"destination": "Destination"})),
                        "on_failure": ("OnFailure", first({"destination": "Destination"})),
                    }
                ),
            ),
        },
        defaults={"Qualifier": "$LATEST"},
    ),
    "aws_lambda_event_source_mapping": Kind(
        "AWS::Lambda::EventSourceMapping",
        {
            "event_source_arn": "EventSourceArn",
            "function_name": "FunctionName",
            "batch_size": "BatchSize",
            "enabled": "Enabled",
            "starting_position": "StartingPosition",
            "maximum_batching_window_in_seconds": "MaximumBatchingWindowInSeconds",
            "maximum_retry_attempts": "MaximumRetryAttempts",
            "parallelization_factor": "ParallelizationFactor",
            "bisect_batch_on_function_error": "BisectBatchOnFunctionError",
            "function_response_types": "FunctionResponseTypes",
            "filter_criteria": (
                "FilterCriteria",
                first({"filter": ("Filters", every({"pattern": "Pattern"}))}),
            ),
        },
        {"id": "", "uuid": ""},
    ),
    "aws_sfn_state_machine": Kind(
        "AWS::StepFunctions::StateMachine",
        {
            "name": "StateMachineName",
            "role_arn": "RoleArn",
            "definition": ("DefinitionString", document),
            "type": "StateMachineType",
            "tracing_configuration": ("TracingConfiguration", first({"enabled": "Enabled"})),
            "logging_configuration": (
                "LoggingConfiguration",
                first(
                    {
                        "level": "Level",
                        "include_execution_data": "IncludeExecutionData",
                        "log_destination": (
                            "Destinations",
                            lambda arn: [{"CloudWatchLogsLogGroup": {"LogGroupArn": arn}}],
                        ),
                    }
                ),
            ),
        },
        {"id": "", "arn": "", "name": "Name"},
    ),
    "aws_sfn_activity": Kind("AWS::StepFunctions::Activity", {"name": "Name"}, {"id": "", "arn": ""}),
    "aws_iam_role": Kind(
        "AWS::IAM::Role",
        {
            "name": "RoleName",
            "path": "Path",
            "assume_role_policy": ("AssumeRolePolicyDocument", document),
            "managed_policy_arns": "ManagedPolicyArns",
            "inline_policy": (
                "Policies",
                every({"name": "PolicyName", "policy": ("PolicyDocument", document)}),
            ),
        },
        {"id": "", "name": "", "arn": "Arn", "unique_id": "RoleId"},
    ),
    "aws_iam_role_policy": Kind(
        "AWS::IAM::Policy",
        {"name": "PolicyName", "policy": ("PolicyDocument", document), "role": ("Roles", listed)},
        {"id": ""},
    ),
    "aws_iam_policy": Kind(
        "AWS::IAM::ManagedPolicy",
        {"name": "ManagedPolicyName", "policy": ("PolicyDocument", document), "path": "Path"},
        {"id": "", "arn": ""},
    ),
    "aws_cloudwatch_event_rule": Kind(
        "AWS::Events::Rule",
        {
            "name": "Name",
            "description": "Description",
            "schedule_expression": "ScheduleExpression",
            "event_pattern": ("EventPattern", document),
            "event_bus_name": "EventBusName",
            "state": "State",
            "is_enabled": ("State", lambda on: "ENABLED" if on else "DISABLED"),
        },
        {"id": "", "name": "", "arn": "Arn"},
    ),
    "aws_cloudwatch_event_bus": Kind(
        "AWS::Events::EventBus", {"name": "Name"}, {"id": "", "name": "Name", "arn": "Arn"}
    ),
    "aws_scheduler_schedule": Kind(
        "AWS::Scheduler::Schedule",
        {
            "name": "Name",
            "group_name": "GroupName",
            "schedule_expression": "ScheduleExpression",
            "state": "State",
            "flexible_time_window": (
                "FlexibleTimeWindow",
                first({"mode": "Mode", "maximum_window_in_minutes": "MaximumWindowInMinutes"}),
            ),
            "target": ("Target", first({"arn": "Arn", "role_arn": "RoleArn", "input": "Input"})),
        },
    ),
    "aws_s3_bucket": Kind("AWS::S3::Bucket", {"bucket": "BucketName"}, {}),
    "aws_s3_bucket_policy": Kind(
        "AWS::S3::BucketPolicy", {"bucket": "Bucket", "policy": ("PolicyDocument", document)}
    ),
    "aws_dynamodb_table": Kind(
        "AWS::DynamoDB::Table",
        {
            "name": "TableName",
            "billing_mode": "BillingMode",
            "attribute": (
                "AttributeDefinitions",
                every({"name": "AttributeName", "type": "AttributeType"}),
            ),
            "ttl": (
                "TimeToLiveSpecification",
                first({"attribute_name": "AttributeName", "enabled": "Enabled"}),
            ),
            "stream_view_type": ("StreamSpecification", lambda view: {"StreamViewType": view}),
        },
        {"id": "", "name": "", "arn": "Arn", "stream_arn": "StreamArn"},
    ),
    "aws_sqs_queue": Kind(
        "AWS::SQS::Queue",
        {
            "name": "QueueName",
            "fifo_queue": ("FifoQueue", lambda on: True if on else None),
            "content_based_deduplication": ("ContentBasedDeduplication", lambda on: True if on else None),
            "visibility_timeout_seconds": "VisibilityTimeout",
            "message_retention_seconds": "MessageRetentionPeriod",
            "delay_seconds": "DelaySeconds",
            "max_message_size": "MaximumMessageSize",
            "sqs_managed_sse_enabled": "SqsManagedSseEnabled",
            "receive_wait_time_seconds": "ReceiveMessageWaitTimeSeconds",
            "redrive_policy": ("RedrivePolicy", document),
        },
        {"id": "", "url": "", "arn": "Arn", "name": "QueueName"},
    ),
    "aws_sqs_queue_policy": Kind(
        "AWS::SQS::QueuePolicy",
        {"queue_url": ("Queues", listed), "policy": ("PolicyDocument", document)},
    ),
    "aws_sns_topic": Kind(
        "AWS::SNS::Topic",
        {"name": "TopicName", "display_name": "DisplayName", "fifo_topic": "FifoTopic"},
        {"id": "", "arn": "", "name": "TopicName"},
    ),
    "aws_sns_topic_policy": Kind(
        "AWS::SNS::TopicPolicy", {"arn": ("Topics", listed), "policy": ("PolicyDocument", document)}
    ),
    "aws_sns_topic_subscription": Kind(
        "AWS::SNS::Subscription",
        {
            "topic_arn": "TopicArn",
            "protocol": "Protocol",
            "endpoint": "Endpoint",
            "filter_policy": ("FilterPolicy", document),
            "raw_message_delivery": "RawMessageDelivery",
        },
        {"id": "", "arn": ""},
    ),
    "aws_kinesis_stream": Kind(
        "AWS::Kinesis::Stream",
        {
            "name": "Name",
            "shard_count": "ShardCount",
            "retention_period": "RetentionPeriodHours",
            "stream_mode_details": ("StreamModeDetails", first({"stream_mode": "StreamMode"})),
        },
        _STREAM,
        {"ShardCount": 1},
    ),
    "aws_kinesis_firehose_delivery_stream": Kind(
        "AWS::KinesisFirehose::DeliveryStream",
        {
            "name": "DeliveryStreamName",
            "extended_s3_configuration": ("ExtendedS3DestinationConfiguration", delivery),
        },
    ),
    "aws_cloudwatch_log_group": Kind(
        "AWS::Logs::LogGroup",
        {
            "name": "LogGroupName",
            "retention_in_days": ("RetentionInDays", lambda days: days or None),
        },
        {"id": "", "name": "", "arn": "Arn"},
    ),
    "aws_cloudwatch_log_subscription_filter": Kind(
        "AWS::Logs::SubscriptionFilter",
        {
            "name": "FilterName",
            "log_group_name": "LogGroupName",
            "destination_arn": "DestinationArn",
            "filter_pattern": "FilterPattern",
            "role_arn": "RoleArn",
        },
        defaults={"FilterPattern": ""},
    ),
    "aws_apigatewayv2_api": Kind(
        "AWS::ApiGatewayV2::Api",
        {
            "name": "Name",
            "protocol_type": "ProtocolType",
            "target": "Target",
            "route_selection_expression": "RouteSelectionExpression",
            "cors_configuration": ("CorsConfiguration", first(_CORS)),
            "body": ("Body", document),
        },
        {"id": "", "api_endpoint": "ApiEndpoint"},
    ),
    "aws_apigatewayv2_integration": Kind(
        "AWS::ApiGatewayV2::Integration",
        {
            "api_id": "ApiId",
            "integration_type": "IntegrationType",
            "integration_uri": "IntegrationUri",
            "integration_subtype": "IntegrationSubtype",
            "integration_method": "IntegrationMethod",
            "payload_format_version": "PayloadFormatVersion",
            "credentials_arn": "CredentialsArn",
            "request_parameters": "RequestParameters",
        },
        {"id": ""},
    ),
    "aws_apigatewayv2_route": Kind(
        "AWS::ApiGatewayV2::Route",
        {"api_id": "ApiId", "route_key": "RouteKey", "target": "Target"},
        {"id": ""},
    ),
    "aws_apigatewayv2_stage": Kind(
        "AWS::ApiGatewayV2::Stage",
        {"api_id": "ApiId", "name": "StageName", "auto_deploy": "AutoDeploy"},
        {"id": "", "name": ""},
    ),
    "aws_api_gateway_rest_api": Kind(
        "AWS::ApiGateway::RestApi",
        {"name": "Name", "description": "Description", "body": ("Body", document)},
        {"id": "", "root_resource_id": "RootResourceId"},
    ),
    "aws_api_gateway_deployment": Kind(
        "AWS::ApiGateway::Deployment",
        {"rest_api_id": "RestApiId", "stage_name": "StageName"},
        {"id": ""},
    ),
    "aws_api_gateway_stage": Kind(
        "AWS::ApiGateway::Stage",
        {"rest_api_id": "RestApiId", "stage_name": "StageName"},
    ),
    "aws_api_gateway_method": Kind(
        "AWS::ApiGateway::Method",
        {
            "rest_api_id": "RestApiId",
            "resource_id": "ResourceId",
            "http_method": "HttpMethod",
            "authorization": "AuthorizationType",
        },
        {"id": ""},
    ),
    "aws_api_gateway_resource": Kind(
        "AWS::ApiGateway::Resource",
        {"rest_api_id": "RestApiId", "parent_id": "ParentId", "path_part": "PathPart"},
        {"id": ""},
    ),
    "aws_ssm_parameter": Kind(
        "AWS::SSM::Parameter",
        {"name": "Name", "type": "Type", "value": "Value"},
        {"id": "", "name": ""},
    ),
    "aws_secretsmanager_secret": Kind("AWS::SecretsManager::Secret", {"name": "Name"}, {"id": "", "arn": ""}),
    "aws_kms_key": Kind(
        "AWS::KMS::Key",
        {"description": "Description"},
        {"id": "", "key_id": "", "arn": "Arn"},
        {"KeyPolicy": {}},
    ),
}


def dynamodb_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table's key schema, indexes and throughput, which depend on several attributes."""
    properties: dict[str, Any] = {"KeySchema": _key_schema(values)}
    indexes = []
    for index in listed(values.get("global_secondary_index") or []):
        indexes.append({**converted(index, _GSI), "KeySchema": _key_schema(index)})
        if values.get("billing_mode") != "PAY_PER_REQUEST":
            indexes[-1]["ProvisionedThroughput"] = _throughput(index)
    if indexes:
        properties["GlobalSecondaryIndexes"] = indexes
    if values.get("billing_mode") != "PAY_PER_REQUEST":
        properties["ProvisionedThroughput"] = _throughput(values)
    return properties


def _key_schema(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = (("hash_key", "HASH"), ("range_key", "RANGE"))
    return [{"AttributeName": values[name], "KeyType": kind} for name, kind in keys if values.get(name)]


def _throughput(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ReadCapacityUnits": values.get("read_capacity") or 1,
        "WriteCapacityUnits": values.get("write_capacity") or 1,
    }
