"""The forwarder: what CloudWatch Logs, S3, SQS, SNS, Kinesis and EventBridge bring, sent on to Datadog."""
