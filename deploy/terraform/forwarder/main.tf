# The forwarder of deploy/forwarder.yaml as a Terraform module: log groups, state machines' logs and status changes go to
# Datadog. tests/deploy/test_forwarder_forms.py compares what both make; docs/forwarder-install.md explains it.
#
#   module "stepscope" {
#     source             = "…/deploy/terraform/forwarder"
#     code_file          = "dist/stepscope-forwarder.zip"
#     api_key_secret_arn = aws_secretsmanager_secret.datadog.arn
#     enhanced_metrics   = "all"
#     log_group_prefixes = ["/aws/lambda/shop-"]
#   }
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.80" }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account    = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  here       = "${data.aws_region.current.name}:${local.account}"
  kms_key    = var.kms_key_arn == "" ? null : var.kms_key_arn
  boundary   = var.permissions_boundary_arn == "" ? null : var.permissions_boundary_arn
  log_groups = "arn:${local.partition}:logs:${local.here}:log-group:*"
  # The forwarder, and where it is asked for that of state machines' logs: two environments would each get one end of a state.
  forwarders = merge(
    { forwarder = var.concurrency },
    var.states_concurrency == null ? {} : { states-forwarder = var.states_concurrency },
  )
  trust = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

# Where everything that Datadog did not take waits, and where what nobody takes ends up.
resource "aws_sqs_queue" "spool" {
  name                       = "${var.name}-spool"
  message_retention_seconds  = 1209600
  visibility_timeout_seconds = 720
  max_message_size           = 1048576
  kms_master_key_id          = local.kms_key
  sqs_managed_sse_enabled    = local.kms_key == null ? true : null
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 1000 # the most that SQS allows: in an outage every redrive receives a message once
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600
  max_message_size          = 1048576
  kms_master_key_id         = local.kms_key
  sqs_managed_sse_enabled   = local.kms_key == null ? true : null
}

resource "aws_s3_bucket" "spool" {
  bucket_prefix = "${var.name}-spool-"
  force_destroy = false # with entries in it, it cannot be deleted, and nothing is lost
}

resource "aws_s3_bucket_server_side_encryption_configuration" "spool" {
  bucket = aws_s3_bucket.spool.id
  rule {
    bucket_key_enabled = local.kms_key == null ? null : true
    apply_server_side_encryption_by_default {
      sse_algorithm     = local.kms_key == null ? "AES256" : "aws:kms"
      kms_master_key_id = local.kms_key
    }
  }
}

resource "aws_s3_bucket_public_access_block" "spool" {
  bucket                  = aws_s3_bucket.spool.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "spool" {
  bucket = aws_s3_bucket.spool.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "spool" {
  bucket = aws_s3_bucket.spool.id
  rule {
    id     = "dead"
    status = "Enabled"
    filter {
      prefix = "spool/dead/"
    }
    expiration {
      days = 90
    }
  }
  rule {
    id     = "large"
    status = "Enabled"
    filter {
      prefix = "spool/large/"
    }
    expiration {
      days = 15 # a day longer than the queue's messages
    }
  }
  rule {
    id     = "uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "spool" {
  bucket = aws_s3_bucket.spool.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.spool.arn, "${aws_s3_bucket.spool.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

# What Datadog has accepted, so that a retry sends only the rest.
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
  dynamic "server_side_encryption" {
    for_each = local.kms_key == null ? [] : [local.kms_key]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }
}

# Never subscribed: a forwarder of its own logs never ends.
resource "aws_cloudwatch_log_group" "forwarder" {
  name              = "/aws/lambda/${var.name}-forwarder"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key
}

resource "aws_iam_role" "forwarder" {
  name                 = "${var.name}-forwarder"
  assume_role_policy   = local.trust
  permissions_boundary = local.boundary
}

resource "aws_iam_role_policy" "forwarder" {
  role = aws_iam_role.forwarder.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Sid = "OwnLogs", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "${aws_cloudwatch_log_group.forwarder.arn}:*" },
        { Sid = "SpoolQueue", Effect = "Allow", Action = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], Resource = aws_sqs_queue.spool.arn },
        { Sid = "FailedEvents", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = aws_sqs_queue.dead_letters.arn },
        { Sid = "SpoolObjects", Effect = "Allow", Action = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"], Resource = "${aws_s3_bucket.spool.arn}/spool/*" },
        { Sid = "MissingObjects", Effect = "Allow", Action = ["s3:ListBucket"], Resource = aws_s3_bucket.spool.arn },
        { Sid = "AcceptedBatches", Effect = "Allow", Action = ["dynamodb:GetItem", "dynamodb:UpdateItem"], Resource = aws_dynamodb_table.digests.arn },
      ],
      var.api_key_secret_arn == "" ? [] : [{ Sid = "ApiKeySecret", Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = [var.api_key_secret_arn] }],
      var.api_key_parameter == "" ? [] : [{
        Sid      = "ApiKeyParameter", Effect = "Allow", Action = ["ssm:GetParameter"]
        Resource = ["arn:${local.partition}:ssm:${local.here}:parameter/${trimprefix(var.api_key_parameter, "/")}"]
      }],
      var.api_key_kms_key_arn == "" ? [] : [{ Sid = "ApiKeyKey", Effect = "Allow", Action = ["kms:Decrypt"], Resource = [var.api_key_kms_key_arn] }],
      local.kms_key == null ? [] : [{ Sid = "OwnKey", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [local.kms_key] }],
      length(var.read_bucket_arns) == 0 ? [] : [{ Sid = "ReadObjects", Effect = "Allow", Action = ["s3:GetObject"], Resource = [for arn in var.read_bucket_arns : "${arn}/*"] }],
      var.transport != "kinesis" ? [] : [{
        Sid      = "Stream", Effect = "Allow"
        Action   = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
        Resource = [aws_kinesis_stream.logs[0].arn]
      }],
      var.transport != "firehose" ? [] : [
        { Sid = "DeliveredObjects", Effect = "Allow", Action = ["s3:GetObject"], Resource = ["${aws_s3_bucket.logs[0].arn}/*"] },
        { Sid = "Objects", Effect = "Allow", Action = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], Resource = [aws_sqs_queue.objects[0].arn] },
      ],
      !var.fetch_tags ? [] : [{
        Sid = "Tags", Effect = "Allow", Action = ["lambda:GetFunction", "states:ListTagsForResource", "logs:ListTagsForResource"]
        Resource = [
          "arn:${local.partition}:lambda:${local.here}:function:*",
          "arn:${local.partition}:states:${local.here}:stateMachine:*",
          local.log_groups,
        ]
      }],
      length(var.subnet_ids) == 0 ? [] : [{
        Sid = "NetworkInterfaces", Effect = "Allow"
        Action = [
          "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
          "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
        ]
        Resource = ["*"]
      }],
    )
  })
}

resource "aws_lambda_function" "forwarder" {
  for_each                       = local.forwarders
  function_name                  = "${var.name}-${each.key}"
  description                    = each.key == "forwarder" ? "Sends logs, metrics and traces to Datadog." : "Sends state machines' logs to Datadog, one environment at a time."
  role                           = aws_iam_role.forwarder.arn
  handler                        = "monitoring.forwarder.handler"
  runtime                        = var.runtime
  architectures                  = [var.architecture]
  memory_size                    = var.memory_size
  timeout                        = var.timeout
  reserved_concurrent_executions = each.value
  kms_key_arn                    = local.kms_key
  filename                       = var.code_file == "" ? null : var.code_file
  source_code_hash               = var.code_file == "" ? null : filebase64sha256(var.code_file)
  s3_bucket                      = var.code_file == "" ? var.code_bucket : null
  s3_key                         = var.code_file == "" ? var.code_key : null
  s3_object_version              = var.code_version == "" ? null : var.code_version
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.forwarder.name
  }
  dynamic "vpc_config" {
    for_each = length(var.subnet_ids) == 0 ? [] : [var.subnet_ids]
    content {
      subnet_ids         = vpc_config.value
      security_group_ids = var.security_group_ids
    }
  }
  environment {
    variables = merge({
      DD_SITE                         = var.datadog_site
      DD_URL                          = var.datadog_url
      DD_API_KEY_SECRET_ARN           = var.api_key_secret_arn
      DD_API_KEY_SSM_NAME             = var.api_key_parameter
      DD_KMS_API_KEY                  = var.api_key_ciphertext
      DD_ENV                          = var.environment
      DD_SERVICE                      = var.service
      DD_TAGS                         = var.tags
      DD_FETCH_LAMBDA_TAGS            = tostring(var.fetch_tags)
      DD_FETCH_STEP_FUNCTIONS_TAGS    = tostring(var.fetch_tags)
      DD_FETCH_LOG_GROUP_TAGS         = tostring(var.fetch_tags)
      DD_ENHANCED_METRICS             = var.enhanced_metrics == "none" ? "false" : "true"
      MONITORING_ENHANCED_INVOCATIONS = var.enhanced_metrics == "all" ? "true" : "false"
      MONITORING_LAMBDA_METRICS       = tostring(var.lambda_metrics)
      MONITORING_STATES_METRICS       = tostring(var.states_metrics)
      MONITORING_EXECUTION_METRICS    = tostring(var.execution_metrics)
      MONITORING_OWN_METRICS          = tostring(var.own_metrics)
      MONITORING_METRICS              = var.metric_form
      DD_FORWARD_LOG                  = tostring(var.forward_logs)
      INCLUDE_AT_MATCH                = var.include_at_match
      EXCLUDE_AT_MATCH                = var.exclude_at_match
      REDACT_IP                       = tostring(var.redact_ip)
      REDACT_EMAIL                    = tostring(var.redact_email)
      DD_SCRUBBING_RULE               = var.scrubbing_rule
      DD_SCRUBBING_RULE_REPLACEMENT   = var.scrubbing_replacement
      MONITORING_SPOOL_QUEUE          = aws_sqs_queue.spool.url
      MONITORING_SPOOL_BUCKET         = "${aws_s3_bucket.spool.bucket}/spool"
      MONITORING_SPOOL_KMS_KEY        = var.kms_key_arn
      MONITORING_DIGESTS_TABLE        = aws_dynamodb_table.digests.name
      MONITORING_EXECUTIONS_TABLE     = var.execution_state == "table" ? aws_dynamodb_table.digests.name : ""
      MONITORING_PARTIAL_BATCHES      = var.transport == "kinesis" ? "true" : "false"
    }, var.proxy == "" ? {} : { HTTPS_PROXY = var.proxy, NO_PROXY = var.no_proxy })
  }
  lifecycle {
    precondition {
      condition     = "${var.api_key_secret_arn}${var.api_key_parameter}${var.api_key_ciphertext}" != ""
      error_message = "Give api_key_secret_arn, api_key_parameter or api_key_ciphertext."
    }
    precondition {
      condition     = "${var.code_file}${var.code_bucket}" != ""
      error_message = "Give code_file, or code_bucket and code_key."
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "forwarder" {
  for_each               = local.forwarders
  function_name          = aws_lambda_function.forwarder[each.key].function_name
  qualifier              = "$LATEST"
  maximum_retry_attempts = 2
  destination_config {
    on_failure {
      destination = aws_sqs_queue.dead_letters.arn
    }
  }
}

resource "aws_lambda_permission" "logs" {
  for_each       = local.forwarders
  function_name  = aws_lambda_function.forwarder[each.key].function_name
  action         = "lambda:InvokeFunction"
  principal      = "logs.amazonaws.com"
  source_account = local.account
  source_arn     = local.log_groups
}

# Redrive sends what waits in the spool, and only then deletes it.
resource "aws_cloudwatch_event_rule" "redrive" {
  name                = "${var.name}-redrive"
  schedule_expression = "rate(5 minutes)"
}

resource "aws_cloudwatch_event_target" "redrive" {
  rule      = aws_cloudwatch_event_rule.redrive.name
  target_id = "forwarder"
  arn       = aws_lambda_function.forwarder["forwarder"].arn
  input     = jsonencode({ stepscope = "redrive" })
}

resource "aws_cloudwatch_event_rule" "status_changes" {
  count = var.status_changes ? 1 : 0
  name  = "${var.name}-status-changes"
  event_pattern = jsonencode({
    source        = ["aws.states", "aws.lambda"]
    "detail-type" = ["Step Functions Execution Status Change", "Durable Execution Status Change"]
  })
}

resource "aws_cloudwatch_event_target" "status_changes" {
  count     = var.status_changes ? 1 : 0
  rule      = aws_cloudwatch_event_rule.status_changes[0].name
  target_id = "forwarder"
  arn       = aws_lambda_function.forwarder["forwarder"].arn
}

resource "aws_lambda_permission" "redrive" {
  function_name = aws_lambda_function.forwarder["forwarder"].function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.redrive.arn
}

resource "aws_lambda_permission" "status_changes" {
  count         = var.status_changes ? 1 : 0
  function_name = aws_lambda_function.forwarder["forwarder"].function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.status_changes[0].arn
}
