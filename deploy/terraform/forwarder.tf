# The forwarder: log groups and status changes in, Datadog out. What Datadog did not take waits in the queue, and what it
# took is remembered in the table, so that a retry sends only the rest.
resource "aws_sqs_queue" "spool" {
  name                       = "${var.name}-spool"
  sqs_managed_sse_enabled    = true
  message_retention_seconds  = 1209600
  visibility_timeout_seconds = 720
  max_message_size           = 1048576 # one log entry of 1 MB, compressed
}

resource "aws_dynamodb_table" "digests" {
  name         = "${var.name}-digests"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  attribute {
    name = "id"
    type = "S"
  }
  ttl {
    attribute_name = "expiration"
    enabled        = true
  }
}

# Not subscribed: a forwarder of its own logs never ends.
resource "aws_cloudwatch_log_group" "forwarder" {
  name              = "/aws/lambda/${var.name}-forwarder"
  retention_in_days = 14
}

resource "aws_iam_role" "forwarder" {
  name = "${var.name}-forwarder"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
  managed_policy_arns = ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]
}

resource "aws_iam_role_policy" "forwarder" {
  role = aws_iam_role.forwarder.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = var.secret },
      {
        Effect   = "Allow"
        Action   = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        Resource = aws_sqs_queue.spool.arn
      },
      {
        Effect = "Allow"
        Action = [
          "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem",
          "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem",
        ]
        Resource = aws_dynamodb_table.digests.arn
      },
    ]
  })
}

data "archive_file" "forwarder" {
  type        = "zip"
  source_dir  = "${path.module}/../../build/forwarder"
  output_path = "${path.module}/../../build/forwarder.zip"
}

locals {
  forwarder = merge(local.shared, {
    DD_SITE                  = var.site
    DD_API_KEY_SECRET_ARN    = var.secret
    MONITORING_SPOOL_QUEUE   = aws_sqs_queue.spool.url
    MONITORING_DIGESTS_TABLE = aws_dynamodb_table.digests.name
  })
}

resource "aws_lambda_function" "forwarder" {
  function_name    = "${var.name}-forwarder"
  role             = aws_iam_role.forwarder.arn
  handler          = "monitoring.forwarder.handler"
  runtime          = "python3.12"
  architectures    = ["x86_64"]
  memory_size      = 512
  timeout          = 120
  filename         = data.archive_file.forwarder.output_path
  source_code_hash = data.archive_file.forwarder.output_base64sha256
  environment {
    variables = local.forwarder
  }
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.forwarder.name
  }
}

# One environment at a time: a state's span needs both of its ends, and two environments would each hear one.
resource "aws_lambda_function" "states_forwarder" {
  function_name                  = "${var.name}-states-forwarder"
  role                           = aws_iam_role.forwarder.arn
  handler                        = "monitoring.forwarder.handler"
  runtime                        = "python3.12"
  architectures                  = ["x86_64"]
  memory_size                    = 512
  timeout                        = 120
  reserved_concurrent_executions = 1
  filename                       = data.archive_file.forwarder.output_path
  source_code_hash               = data.archive_file.forwarder.output_base64sha256
  environment {
    variables = local.forwarder
  }
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.forwarder.name
  }
}

data "aws_caller_identity" "current" {}

resource "aws_lambda_permission" "forwarder" {
  function_name  = aws_lambda_function.forwarder.function_name
  action         = "lambda:InvokeFunction"
  principal      = "logs.amazonaws.com"
  source_account = data.aws_caller_identity.current.account_id
}

resource "aws_lambda_permission" "states_forwarder" {
  function_name  = aws_lambda_function.states_forwarder.function_name
  action         = "lambda:InvokeFunction"
  principal      = "logs.amazonaws.com"
  source_account = data.aws_caller_identity.current.account_id
}

resource "aws_cloudwatch_event_rule" "redrive" {
  name                = "${var.name}-redrive"
  schedule_expression = "rate(5 minutes)"
}

resource "aws_cloudwatch_event_target" "redrive" {
  rule = aws_cloudwatch_event_rule.redrive.name
  arn  = aws_lambda_function.forwarder.arn
}

resource "aws_cloudwatch_event_rule" "statuses" {
  name = "${var.name}-statuses"
  event_pattern = jsonencode({
    source        = ["aws.states"]
    "detail-type" = ["Step Functions Execution Status Change"]
    detail        = { stateMachineArn = [aws_sfn_state_machine.pipeline.arn] }
  })
}

resource "aws_cloudwatch_event_target" "statuses" {
  rule = aws_cloudwatch_event_rule.statuses.name
  arn  = aws_lambda_function.forwarder.arn
}

resource "aws_lambda_permission" "rules" {
  for_each      = { redrive = aws_cloudwatch_event_rule.redrive.arn, statuses = aws_cloudwatch_event_rule.statuses.arn }
  statement_id  = each.key
  function_name = aws_lambda_function.forwarder.function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = each.value
}
