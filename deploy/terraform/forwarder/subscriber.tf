# The subscriber: log groups are subscribed as they come, and their subscriptions taken back with the module.
resource "aws_cloudwatch_log_group" "subscriber" {
  name              = "/aws/lambda/${var.name}-subscriber"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key
}

resource "aws_iam_role" "subscriber" {
  name                 = "${var.name}-subscriber"
  assume_role_policy   = local.trust
  permissions_boundary = local.boundary
}

resource "aws_iam_role_policy" "subscriber" {
  role = aws_iam_role.subscriber.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Sid = "OwnLogs", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "${aws_cloudwatch_log_group.subscriber.arn}:*" },
        { Sid = "Subscriptions", Effect = "Allow", Action = ["logs:DescribeSubscriptionFilters", "logs:PutSubscriptionFilter", "logs:DeleteSubscriptionFilter"], Resource = local.log_groups },
        { Sid = "Lists", Effect = "Allow", Action = ["logs:DescribeLogGroups", "states:ListStateMachines", "tag:GetResources"], Resource = "*" },
        { Sid = "StateMachines", Effect = "Allow", Action = ["states:DescribeStateMachine"], Resource = "arn:${local.partition}:states:${local.here}:stateMachine:*" },
      ],
      local.kms_key == null ? [] : [{ Sid = "OwnKey", Effect = "Allow", Action = ["kms:Decrypt"], Resource = local.kms_key }],
      var.transport == "direct" ? [] : [{ Sid = "SubscriptionRole", Effect = "Allow", Action = ["iam:PassRole"], Resource = aws_iam_role.subscriptions[0].arn }],
    )
  })
}

# Not in a VPC: it talks to AWS alone.
resource "aws_lambda_function" "subscriber" {
  function_name     = "${var.name}-subscriber"
  description       = "Subscribes log groups to stepscope's forwarder."
  role              = aws_iam_role.subscriber.arn
  handler           = "monitoring.forwarder.subscriber.handler"
  runtime           = var.runtime
  architectures     = [var.architecture]
  memory_size       = 256
  timeout           = 900
  kms_key_arn       = local.kms_key
  filename          = var.code_file == "" ? null : var.code_file
  source_code_hash  = var.code_file == "" ? null : filebase64sha256(var.code_file)
  s3_bucket         = var.code_file == "" ? var.code_bucket : null
  s3_key            = var.code_file == "" ? var.code_key : null
  s3_object_version = var.code_version == "" ? null : var.code_version
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.subscriber.name
  }
  environment {
    variables = {
      MONITORING_DESTINATION              = var.transport == "kinesis" ? aws_kinesis_stream.logs[0].arn : var.transport == "firehose" ? aws_kinesis_firehose_delivery_stream.logs[0].arn : aws_lambda_function.forwarder["forwarder"].arn
      MONITORING_SUBSCRIPTION_ROLE        = var.transport == "direct" ? "" : aws_iam_role.subscriptions[0].arn
      MONITORING_STATES_DESTINATION       = var.states_concurrency == null ? "" : aws_lambda_function.forwarder["states-forwarder"].arn
      MONITORING_FILTER_NAME              = "stepscope-${var.name}"
      MONITORING_FILTER_PATTERN           = var.filter_pattern
      MONITORING_SUBSCRIBE_NAMES          = join(",", var.log_group_names)
      MONITORING_SUBSCRIBE_PREFIXES       = join(",", var.log_group_prefixes)
      MONITORING_SUBSCRIBE_TAGS           = join(",", var.log_group_tags)
      MONITORING_SUBSCRIBE_STATE_MACHINES = join(",", var.state_machines)
      MONITORING_SUBSCRIBE_EXCLUDE = join(",", concat(
        [aws_cloudwatch_log_group.forwarder.name, aws_cloudwatch_log_group.subscriber.name], var.exclude_log_groups
      ))
    }
  }
}

# Invoked with create, update and delete, as CloudFormation's custom resource of the template is.
resource "aws_lambda_invocation" "subscriptions" {
  function_name   = aws_lambda_function.subscriber.function_name
  lifecycle_scope = "CRUD"
  input = jsonencode({
    selection = [
      var.log_group_names, var.log_group_prefixes, var.log_group_tags, var.state_machines, var.exclude_log_groups,
      var.filter_pattern, var.transport, var.states_concurrency != null,
    ]
  })
  depends_on = [aws_lambda_permission.logs, aws_iam_role_policy.subscriber, aws_iam_role_policy.subscriptions]
}

# These wait for the subscriptions, so that they are gone before these are taken back: nothing subscribes anew.
resource "aws_cloudwatch_event_rule" "new_log_groups" {
  name = "${var.name}-new-log-groups"
  event_pattern = jsonencode({
    source        = ["aws.logs", "aws.states"]
    "detail-type" = ["AWS API Call via CloudTrail"]
    detail        = { eventName = ["CreateLogGroup", "CreateStateMachine", "UpdateStateMachine"] }
  })
  depends_on = [aws_lambda_invocation.subscriptions]
}

resource "aws_cloudwatch_event_rule" "subscription_timer" {
  name                = "${var.name}-subscription-timer"
  schedule_expression = var.subscription_schedule
  depends_on          = [aws_lambda_invocation.subscriptions]
}

resource "aws_cloudwatch_event_target" "new_log_groups" {
  rule      = aws_cloudwatch_event_rule.new_log_groups.name
  target_id = "subscriber"
  arn       = aws_lambda_function.subscriber.arn
}

resource "aws_cloudwatch_event_target" "subscription_timer" {
  rule      = aws_cloudwatch_event_rule.subscription_timer.name
  target_id = "subscriber"
  arn       = aws_lambda_function.subscriber.arn
}

resource "aws_lambda_permission" "new_log_groups" {
  function_name = aws_lambda_function.subscriber.function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.new_log_groups.arn
}

resource "aws_lambda_permission" "subscription_timer" {
  function_name = aws_lambda_function.subscriber.function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.subscription_timer.arn
}
