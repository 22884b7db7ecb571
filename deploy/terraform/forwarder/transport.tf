# Past one environment: what log groups are subscribed to instead of the forwarder, and what brings it to the forwarder.
locals {
  uses_kinesis  = var.transport == "kinesis" ? 1 : 0
  uses_firehose = var.transport == "firehose" ? 1 : 0
  log_bucket    = "${var.name}-logs-${local.account}-${data.aws_region.current.name}"
}

resource "aws_iam_role" "subscriptions" {
  count                = var.transport == "direct" ? 0 : 1
  name                 = "${var.name}-subscriptions"
  permissions_boundary = local.boundary
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "subscriptions" {
  count = var.transport == "direct" ? 0 : 1
  role  = aws_iam_role.subscriptions[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      var.transport != "kinesis" ? [] : [{ Sid = "Put", Effect = "Allow", Action = ["kinesis:PutRecord"], Resource = aws_kinesis_stream.logs[0].arn }],
      var.transport != "firehose" ? [] : [{ Sid = "Put", Effect = "Allow", Action = ["firehose:PutRecord", "firehose:PutRecordBatch"], Resource = aws_kinesis_firehose_delivery_stream.logs[0].arn }],
      local.kms_key == null ? [] : [{ Sid = "OwnKey", Effect = "Allow", Action = ["kms:GenerateDataKey"], Resource = local.kms_key }],
    )
  })
}

resource "aws_kinesis_stream" "logs" {
  count            = local.uses_kinesis
  name             = "${var.name}-logs"
  shard_count      = var.stream_shards
  retention_period = 48
  encryption_type  = "KMS"
  kms_key_id       = var.kms_key_arn == "" ? "alias/aws/kinesis" : var.kms_key_arn
  stream_mode_details {
    stream_mode = var.stream_shards == null ? "ON_DEMAND" : "PROVISIONED"
  }
}

resource "aws_lambda_event_source_mapping" "stream" {
  count                              = local.uses_kinesis
  function_name                      = aws_lambda_function.forwarder["forwarder"].function_name
  event_source_arn                   = aws_kinesis_stream.logs[0].arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = 500
  maximum_batching_window_in_seconds = 5
  parallelization_factor             = var.parallelization_factor
  function_response_types            = ["ReportBatchItemFailures"]
  depends_on                         = [aws_iam_role_policy.forwarder]
}

resource "aws_s3_bucket" "logs" {
  count         = local.uses_firehose
  bucket        = local.log_bucket
  force_destroy = false # as the spool's
}

resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  count  = local.uses_firehose
  bucket = aws_s3_bucket.logs[0].id
  rule {
    bucket_key_enabled = local.kms_key == null ? null : true
    apply_server_side_encryption_by_default {
      sse_algorithm     = local.kms_key == null ? "AES256" : "aws:kms"
      kms_master_key_id = local.kms_key
    }
  }
}

resource "aws_s3_bucket_public_access_block" "logs" {
  count                   = local.uses_firehose
  bucket                  = aws_s3_bucket.logs[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "logs" {
  count  = local.uses_firehose
  bucket = aws_s3_bucket.logs[0].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  count  = local.uses_firehose
  bucket = aws_s3_bucket.logs[0].id
  rule {
    id     = "delivered"
    status = "Enabled"
    filter {}
    expiration {
      days = 15
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

resource "aws_s3_bucket_policy" "logs" {
  count  = local.uses_firehose
  bucket = aws_s3_bucket.logs[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.logs[0].arn, "${aws_s3_bucket.logs[0].arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

# Names of objects alone; S3 cannot write to a queue with a key whose policy does not name it.
resource "aws_sqs_queue" "objects" {
  count                      = local.uses_firehose
  name                       = "${var.name}-objects"
  message_retention_seconds  = 1209600
  visibility_timeout_seconds = 5400 # six times the longest timeout
  sqs_managed_sse_enabled    = true
  redrive_policy             = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead_letters.arn, maxReceiveCount = 10 })
}

resource "aws_sqs_queue_policy" "objects" {
  count     = local.uses_firehose
  queue_url = aws_sqs_queue.objects[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.objects[0].arn
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_s3_bucket_notification" "logs" {
  count  = local.uses_firehose
  bucket = aws_s3_bucket.logs[0].id
  queue {
    queue_arn     = aws_sqs_queue.objects[0].arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "logs/"
  }
  depends_on = [aws_sqs_queue_policy.objects]
}

resource "aws_lambda_event_source_mapping" "objects" {
  count                   = local.uses_firehose
  function_name           = aws_lambda_function.forwarder["forwarder"].function_name
  event_source_arn        = aws_sqs_queue.objects[0].arn
  batch_size              = 1 # an object is as large as an invocation should be
  function_response_types = ["ReportBatchItemFailures"]
  depends_on              = [aws_iam_role_policy.forwarder]
}

resource "aws_iam_role" "delivery" {
  count                = local.uses_firehose
  name                 = "${var.name}-delivery"
  permissions_boundary = local.boundary
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "firehose.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "delivery" {
  count = local.uses_firehose
  role  = aws_iam_role.delivery[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Sid = "Bucket", Effect = "Allow", Action = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], Resource = aws_s3_bucket.logs[0].arn },
        { Sid = "Objects", Effect = "Allow", Action = ["s3:PutObject", "s3:AbortMultipartUpload"], Resource = "${aws_s3_bucket.logs[0].arn}/*" },
      ],
      local.kms_key == null ? [] : [{ Sid = "OwnKey", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = local.kms_key }],
    )
  })
}

resource "aws_kinesis_firehose_delivery_stream" "logs" {
  count       = local.uses_firehose
  name        = "${var.name}-logs"
  destination = "extended_s3"
  server_side_encryption {
    enabled  = true
    key_type = local.kms_key == null ? "AWS_OWNED_CMK" : "CUSTOMER_MANAGED_CMK"
    key_arn  = local.kms_key
  }
  extended_s3_configuration {
    role_arn            = aws_iam_role.delivery[0].arn
    bucket_arn          = aws_s3_bucket.logs[0].arn
    prefix              = "logs/"
    error_output_prefix = "failed/"
    buffering_size      = 16
    buffering_interval  = 60
    compression_format  = "UNCOMPRESSED" # CloudWatch Logs has compressed what it sends
  }
  depends_on = [aws_iam_role_policy.delivery]
}
