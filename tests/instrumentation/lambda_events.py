"""Events as AWS documents them, one of each shape: (name of the shape, trigger, resource, event)."""

from typing import Any

_ID = "123456789012"
_HTTP_V2: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/my/path",
    "rawQueryString": "parameter1=value1",
    "cookies": ["cookie1"],
    "headers": {"header1": "value1"},
    "requestContext": {
        "accountId": _ID,
        "apiId": "r3pmxmplak",
        "domainName": "r3pmxmplak.execute-api.us-east-2.amazonaws.com",
        "domainPrefix": "r3pmxmplak",
        "http": {
            "method": "GET",
            "path": "/my/path",
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1",
            "userAgent": "x",
        },
        "requestId": "JKJaXmPLvHcESHA=",
        "routeKey": "$default",
        "stage": "$default",
        "time": "10/Mar/2020:05:16:23 +0000",
        "timeEpoch": 1583817383220,
    },
    "body": "Hello from client!",
    "isBase64Encoded": False,
}
_FUNCTION_URL = {
    **_HTTP_V2,
    "requestContext": {
        **_HTTP_V2["requestContext"],
        "accountId": "anonymous",
        "apiId": "url-id",
        "domainName": "url-id.lambda-url.us-west-2.on.aws",
    },
}
_API_V1 = {
    "resource": "/my/path",
    "path": "/my/path",
    "httpMethod": "GET",
    "headers": {"header1": "value1"},
    "multiValueHeaders": {"header1": ["value1"]},
    "queryStringParameters": None,
    "requestContext": {
        "accountId": _ID,
        "apiId": "id",
        "domainName": "id.execute-api.us-east-1.amazonaws.com",
        "extendedRequestId": "request-id",
        "httpMethod": "GET",
        "identity": {"sourceIp": "192.0.2.1"},
        "path": "/prod/my/path",
        "requestTime": "04/Mar/2020:19:15:17 +0000",
        "requestTimeEpoch": 1583349317135,
        "resourceId": None,
        "resourcePath": "/my/path",
        "stage": "prod",
    },
    "body": "Hello",
    "isBase64Encoded": False,
}
_WEBSOCKET = {
    "requestContext": {
        "routeKey": "$connect",
        "eventType": "CONNECT",
        "extendedRequestId": "ABC=",
        "requestTime": "09/Feb/2024:18:11:43 +0000",
        "messageDirection": "IN",
        "stage": "prod",
        "connectedAt": 1707502303419,
        "requestTimeEpoch": 1707502303420,
        "domainName": "abcd1234.execute-api.us-east-1.amazonaws.com",
        "connectionId": "S-AAA=",
        "apiId": "abcd1234",
    },
    "isBase64Encoded": False,
}
_ALB = {
    "requestContext": {
        "elb": {
            "targetGroupArn": f"arn:aws:elasticloadbalancing:us-east-2:{_ID}:targetgroup/lambda-279XGJDqGZ5r/49e9d65c"
        }
    },
    "httpMethod": "GET",
    "path": "/lambda",
    "queryStringParameters": {"query": "1234ABCD"},
    "headers": {"host": "lambda-alb-123578498.us-east-2.elb.amazonaws.com"},
    "body": "",
    "isBase64Encoded": False,
}
_S3_RECORD = {
    "eventVersion": "2.1",
    "eventSource": "aws:s3",
    "awsRegion": "us-east-2",
    "eventTime": "2019-09-03T19:37:27.192Z",
    "eventName": "ObjectCreated:Put",
    "s3": {
        "s3SchemaVersion": "1.0",
        "bucket": {"name": "amzn-s3-demo-bucket", "arn": "arn:aws:s3:::amzn-s3-demo-bucket"},
        "object": {"key": "b21b84d6", "size": 1305107, "eTag": "b21b84d653bb07b05b1e6b33684dc11b"},
    },
}
_SQS_RECORD = {
    "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
    "body": "Test message.",
    "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
    "messageAttributes": {},
    "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
    "eventSource": "aws:sqs",
    "eventSourceARN": f"arn:aws:sqs:us-east-2:{_ID}:my-queue",
    "awsRegion": "us-east-2",
}
_SNS_RECORD = {
    "EventVersion": "1.0",
    "EventSubscriptionArn": f"arn:aws:sns:us-east-1:{_ID}:sns-lambda:21be56ed",
    "EventSource": "aws:sns",
    "Sns": {
        "SignatureVersion": "1",
        "Timestamp": "2019-01-02T12:45:07.000Z",
        "Message": "Hello from SNS!",
        "MessageAttributes": {},
        "Type": "Notification",
        "TopicArn": f"arn:aws:sns:us-east-1:{_ID}:sns-lambda",
        "Subject": "TestInvoke",
    },
}
_KINESIS_RECORD = {
    "kinesis": {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": "1",
        "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
        "data": "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==",
        "approximateArrivalTimestamp": 1545084650.987,
    },
    "eventSource": "aws:kinesis",
    "eventID": "shardId-000000000006:49590338271490256608559692538361571095921575989136588898",
    "eventSourceARN": f"arn:aws:kinesis:us-east-2:{_ID}:stream/lambda-stream",
}
_DYNAMODB_RECORD = {
    "eventID": "1",
    "eventVersion": "1.0",
    "dynamodb": {
        "ApproximateCreationDateTime": 1479499740,
        "Keys": {"Id": {"N": "101"}},
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    },
    "awsRegion": "us-west-2",
    "eventName": "INSERT",
    "eventSourceARN": f"arn:aws:dynamodb:us-west-2:{_ID}:table/slides/stream/2016-11-16T20:42:48.104",
    "eventSource": "aws:dynamodb",
}
_KAFKA_RECORDS = {
    "mytopic-0": [
        {
            "topic": "mytopic",
            "partition": 0,
            "offset": 15,
            "timestamp": 1545084650987,
            "timestampType": "CREATE_TIME",
            "key": "abc",
            "value": "SGVsbG8=",
            "headers": [{"headerKey": [104, 101]}],
        }
    ]
}
CONTEXT_OBJECT = {
    "Execution": {
        "Id": f"arn:aws:states:us-east-1:{_ID}:execution:slides:e1",
        "Input": {"photo": "a.jpg"},
        "Name": "e1",
        "RoleArn": f"arn:aws:iam::{_ID}:role/r",
        "StartTime": "2026-11-23T10:00:00.000Z",
        "RedriveCount": 0,
    },
    "StateMachine": {"Id": f"arn:aws:states:us-east-1:{_ID}:stateMachine:slides", "Name": "slides"},
    "State": {"Name": "Identify", "EnteredTime": "2026-11-23T10:00:00.123Z", "RetryCount": 0},
}
EVENTS: list[tuple[str, str, str, Any]] = [
    ("s3", "s3", "amzn-s3-demo-bucket", {"Records": [_S3_RECORD]}),
    (
        "s3 test event",
        "s3",
        "bucketname",
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": "2014-10-13T15:57:02.089Z",
            "Bucket": "bucketname",
        },
    ),
    ("s3 object lambda", "s3", "", {"xAmzRequestId": "r", "getObjectContext": {"inputS3Url": "https://x"}}),
    (
        "s3 batch operations",
        "s3",
        "amzn-s3-demo-bucket",
        {
            "invocationSchemaVersion": "1.0",
            "invocationId": "x",
            "job": {"id": "f3cc4f60"},
            "tasks": [
                {"taskId": "d", "s3Key": "k", "s3BucketArn": "arn:aws:s3:us-east-1:0:amzn-s3-demo-bucket"}
            ],
        },
    ),
    ("dynamodb", "dynamodb", "slides", {"Records": [_DYNAMODB_RECORD]}),
    ("kinesis", "kinesis", "lambda-stream", {"Records": [_KINESIS_RECORD]}),
    ("kinesis window", "kinesis", "lambda-stream", {"Records": [_KINESIS_RECORD], "window": {}, "state": {}}),
    ("sns", "sns", "sns-lambda", {"Records": [_SNS_RECORD]}),
    (
        "ses",
        "ses",
        "example.com",
        {
            "Records": [
                {
                    "eventSource": "aws:ses",
                    "eventVersion": "1.0",
                    "ses": {
                        "mail": {"timestamp": "1970-01-01T00:00:00.123Z", "source": "janedoe@example.com"},
                        "receipt": {"recipients": ["johndoe@example.com"], "action": {"type": "Lambda"}},
                    },
                }
            ]
        },
    ),
    (
        "cognito user pool",
        "cognito",
        "us-east-1_abc",
        {
            "version": "1",
            "triggerSource": "PreSignUp_SignUp",
            "region": "us-east-1",
            "userPoolId": "us-east-1_abc",
            "userName": "u",
            "callerContext": {"clientId": "c"},
            "request": {"userAttributes": {"email": "x"}},
            "response": {},
        },
    ),
    (
        "cognito sync",
        "cognito",
        "us-east-1:id",
        {
            "version": 2,
            "eventType": "SyncTrigger",
            "region": "us-east-1",
            "identityPoolId": "us-east-1:id",
            "datasetName": "d",
            "datasetRecords": {},
        },
    ),
    (
        "cloudformation custom resource",
        "cloudformation",
        "my-stack",
        {
            "RequestType": "Create",
            "ResponseURL": "http://pre-signed-S3-url-for-response",
            "StackId": f"arn:aws:cloudformation:us-east-1:{_ID}:stack/my-stack/guid",
            "RequestId": "unique id",
            "ResourceType": "Custom::TestResource",
            "LogicalResourceId": "MyTestResource",
            "ResourceProperties": {"StackName": "my-stack"},
        },
    ),
    (
        "cloudformation macro",
        "cloudformation",
        f"{_ID}::Macro",
        {
            "region": "us-east-1",
            "accountId": _ID,
            "fragment": {},
            "transformId": f"{_ID}::Macro",
            "params": {},
        },
    ),
    (
        "cloudwatch logs",
        "cloudwatch-logs",
        "testLogGroup",
        {
            "awslogs": {
                "data": "H4sIAAAAAAAAAHWPwQqCQBCGX0Xm7EFtK+smZBEUgXoLCdMhFtKV3akI8d0bLYmibvPPN3wz00CJxmQnTO41"
                "whwWQRIctmEcB6sQbFC3CjW3XW8kxpOpP+OC22d1Wml1qZkQGtoMsScxaczKN3plG8zlaHIta5KqWsozoTYw3/djzw"
                "hpLwivWFGHGpAFe7DL68JlBUk+l7KSN7tCOEJ4M3/qOI49vMHj+zCKdlFqLaU2ZHV2a4Ct/an0/ivdX8oYc1UVX860"
                "fQDQiMdxRQEAAA=="
            }
        },
    ),
    (
        "eventbridge",
        "eventbridge",
        "aws.ec2",
        {
            "version": "0",
            "id": "6a7e8feb",
            "detail-type": "EC2 Instance State-change Notification",
            "source": "aws.ec2",
            "account": _ID,
            "time": "2017-12-22T18:43:48Z",
            "region": "us-west-1",
            "resources": [f"arn:aws:ec2:us-west-1:{_ID}:instance/i-1"],
            "detail": {"instance-id": "i-1", "state": "terminated"},
        },
    ),
    (
        "eventbridge schedule (CloudWatch Events)",
        "eventbridge",
        "my-schedule",
        {
            "id": "cdc73f9d",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": _ID,
            "time": "1970-01-01T00:00:00Z",
            "region": "us-east-1",
            "resources": [f"arn:aws:events:us-east-1:{_ID}:rule/my-schedule"],
            "detail": {},
        },
    ),
    (
        "codecommit",
        "codecommit",
        "my-repo",
        {
            "Records": [
                {
                    "awsRegion": "us-east-2",
                    "codecommit": {"references": [{"commit": "5e493c6f", "ref": "refs/heads/main"}]},
                    "eventId": "31ade2c7",
                    "eventName": "ReferenceChanges",
                    "eventSource": "aws:codecommit",
                    "eventSourceARN": f"arn:aws:codecommit:us-east-2:{_ID}:my-repo",
                    "eventTime": "2019-03-12T20:58:25.400+0000",
                    "userIdentityARN": f"arn:aws:iam::{_ID}:user/intern",
                }
            ]
        },
    ),
    (
        "config",
        "config",
        "my-rule",
        {
            "invokingEvent": '{"configurationItem":{},"notificationCreationTime":"2016-02-17T01:36:34.043Z"}',
            "ruleParameters": "{}",
            "resultToken": "t",
            "eventLeftScope": False,
            "configRuleArn": f"arn:aws:config:us-east-2:{_ID}:config-rule/config-rule-0123456",
            "configRuleName": "my-rule",
            "accountId": _ID,
            "version": "1.0",
        },
    ),
    (
        "alexa skill",
        "alexa",
        "amzn1.ask.skill.x",
        {
            "version": "1.0",
            "session": {"new": True, "sessionId": "s", "application": {"applicationId": "amzn1.ask.skill.x"}},
            "context": {"System": {"application": {"applicationId": "amzn1.ask.skill.x"}}},
            "request": {
                "type": "LaunchRequest",
                "requestId": "r",
                "timestamp": "2016-10-27T18:21:44Z",
                "locale": "en-US",
            },
        },
    ),
    (
        "alexa smart home",
        "alexa",
        "",
        {
            "directive": {
                "header": {"namespace": "Alexa.Discovery", "name": "Discover", "payloadVersion": "3"},
                "payload": {},
            }
        },
    ),
    (
        "alexa smart home v2",
        "alexa",
        "",
        {"header": {"payloadVersion": "2", "namespace": "Alexa.ConnectedHome.Control"}, "payload": {}},
    ),
    (
        "lex v1",
        "lex",
        "OrderFlowers",
        {
            "messageVersion": "1.0",
            "invocationSource": "FulfillmentCodeHook",
            "userId": "u",
            "sessionAttributes": {},
            "bot": {"name": "OrderFlowers", "alias": "$LATEST", "version": "$LATEST"},
            "outputDialogMode": "Text",
            "currentIntent": {"name": "OrderFlowers", "slots": {}},
        },
    ),
    (
        "lex v2",
        "lex",
        "OrderFlowers",
        {
            "messageVersion": "1.0",
            "invocationSource": "DialogCodeHook",
            "inputMode": "Text",
            "sessionId": "s",
            "inputTranscript": "i want roses",
            "bot": {
                "id": "b",
                "name": "OrderFlowers",
                "aliasId": "a",
                "localeId": "en_US",
                "version": "DRAFT",
            },
            "interpretations": [],
            "sessionState": {"intent": {"name": "OrderFlowers"}},
        },
    ),
    ("api gateway rest", "api-gateway", "id/prod", _API_V1),
    ("api gateway http", "api-gateway", "r3pmxmplak/$default", _HTTP_V2),
    ("api gateway websocket", "api-gateway", "abcd1234/prod", _WEBSOCKET),
    (
        "api gateway token authorizer",
        "api-gateway",
        "abcdef123",
        {
            "type": "TOKEN",
            "authorizationToken": "t",
            "methodArn": f"arn:aws:execute-api:us-east-1:{_ID}:abcdef123/test/GET/request",
        },
    ),
    (
        "api gateway http authorizer",
        "api-gateway",
        "abcdef123",
        {
            "version": "2.0",
            "type": "REQUEST",
            "routeArn": f"arn:aws:execute-api:us-east-1:{_ID}:abcdef123/test/GET/request",
            "identitySource": ["user1"],
            "routeKey": "$default",
        },
    ),
    (
        "iot button",
        "iot",
        "G030JF055364XVRB",
        {"serialNumber": "G030JF055364XVRB", "batteryVoltage": "1500mV", "clickType": "SINGLE"},
    ),
    ("iot rule with its topic", "iot", "photos/new", {"temperature": 25, "iot_topic": "photos/new"}),
    (
        "iot lifecycle",
        "iot",
        "a1",
        {"clientId": "a1", "timestamp": 1573002230757, "eventType": "connected", "sessionIdentifier": "s"},
    ),
    (
        "iot registry",
        "iot",
        "MyThing",
        {"eventType": "THING_EVENT", "eventId": "f5ae9b94", "operation": "CREATED", "thingName": "MyThing"},
    ),
    (
        "cloudfront",
        "cloudfront",
        "EDFDVBD6EXAMPLE",
        {
            "Records": [
                {
                    "cf": {
                        "config": {
                            "distributionDomainName": "d.cloudfront.net",
                            "distributionId": "EDFDVBD6EXAMPLE",
                        },
                        "request": {"clientIp": "203.0.113.178", "method": "GET", "uri": "/", "headers": {}},
                    }
                }
            ]
        },
    ),
    ("sqs", "sqs", "my-queue", {"Records": [_SQS_RECORD]}),
    (
        "s3 in sqs",
        "sqs",
        "my-queue",
        {"Records": [{**_SQS_RECORD, "body": '{"Records":[{"eventSource":"aws:s3"}]}'}]},
    ),
    ("sqs by a pipe", "sqs", "my-queue", [_SQS_RECORD]),
    ("kinesis by a pipe", "kinesis", "lambda-stream", [_KINESIS_RECORD]),
    ("alb", "alb", "lambda-279XGJDqGZ5r", _ALB),
    ("function url", "function-url", "url-id", _FUNCTION_URL),
    (
        "kafka, managed",
        "kafka",
        "mytopic",
        {
            "eventSource": "aws:kafka",
            "eventSourceArn": f"arn:aws:kafka:us-east-1:{_ID}:cluster/vpc/x",
            "bootstrapServers": "b-2:9092",
            "records": _KAFKA_RECORDS,
        },
    ),
    (
        "kafka, self-managed",
        "kafka",
        "mytopic",
        {"eventSource": "SelfManagedKafka", "bootstrapServers": "abc:9092", "records": _KAFKA_RECORDS},
    ),
    (
        "firehose",
        "firehose",
        "aws-lambda-events",
        {
            "invocationId": "invoked123",
            "deliveryStreamArn": f"arn:aws:firehose:us-east-2:{_ID}:deliverystream/aws-lambda-events",
            "region": "us-east-2",
            "records": [
                {"data": "SGVsbG8=", "recordId": "record1", "approximateArrivalTimestamp": 1510772160000}
            ],
        },
    ),
    ("step functions", "step-functions", "slides", CONTEXT_OBJECT),
    ("step functions, Payload", "step-functions", "slides", {"Payload": CONTEXT_OBJECT}),
    (
        "step functions, a batch of a Distributed Map",
        "step-functions",
        "slides",
        {"Items": [{"Records": 1}], "BatchInput": {"_datadog": CONTEXT_OBJECT}},
    ),
    ("step functions, _datadog", "step-functions", "slides", {"photo": "a.jpg", "_datadog": CONTEXT_OBJECT}),
    (
        "step functions with Records",
        "step-functions",
        "slides",
        {"Records": [_SQS_RECORD], "_datadog": CONTEXT_OBJECT},
    ),
    ("step functions with headers", "step-functions", "slides", {"headers": {}, "_datadog": CONTEXT_OBJECT}),
    (
        "step functions with request",
        "step-functions",
        "slides",
        {"request": {"type": "x"}, "_datadog": CONTEXT_OBJECT},
    ),
    ("step functions in a list", "step-functions", "slides", [CONTEXT_OBJECT, {"photo": "a.jpg"}]),
    (
        "step functions by our own field",
        "step-functions",
        "slides",
        {
            "photo": "a.jpg",
            "_monitoring": {"Execution": CONTEXT_OBJECT["Execution"]["Id"], "State": "Identify"},
        },
    ),
]
NO_TRIGGER: list[Any] = [
    {},
    {"photo": "a.jpg"},
    [],
    [1, 2],
    [{"photo": "a.jpg"}],
    "text",
    None,
    5,
    {"Records": []},
    {"Records": "x"},
    {"Records": [5]},
    {"Records": [{"eventSource": 5}]},
    {"Records": [{"eventSource": "aws:other"}]},
    {"requestContext": 5},
    {"requestContext": {"serviceNetworkArn": "arn:aws:vpc-lattice"}},
    {"detail-type": "x"},
    {"eventSource": "aws:mq", "rmqMessagesByQueue": {}},
    {"bot": {"name": "x"}},
    {"request": {"headers": {}}, "info": {"fieldName": "f"}, "arguments": {}},
    {"eventType": "connected"},
    {"Execution": {}, "State": {}},
    {"Execution": "x", "StateMachine": {}, "State": {}},
    {"_datadog": {"x-datadog-trace-id": "1"}},
    {"Event": "s3:TestEvent2"},
]
