# The example pipeline for Terraform: the same as deploy/template.yaml. The functions come from ../functions.json and the
# state machine from handlers/slides/state_machine.asl.json.
#
#   make bundles && cd deploy/terraform && terraform init && terraform apply -var secret=ARN
#
# tests/deploy/test_four_ways.py compares it with the others. docs/deploy.md says what was run.
terraform {
  required_providers {
    aws     = { source = "hashicorp/aws", version = ">= 5.80" }
    archive = { source = "hashicorp/archive", version = ">= 2.4" }
  }
}

variable "name" {
  type    = string
  default = "slides"
}

variable "environment" {
  type    = string
  default = "dev"
}

variable "site" {
  type    = string
  default = "datadoghq.com"
}

variable "secret" {
  type        = string
  description = "The ARN of the secret in Secrets Manager that holds the Datadog API key."
  default     = "arn:aws:secretsmanager:us-east-1:123456789012:secret:datadog"
}

locals {
  functions = jsondecode(file("${path.module}/../functions.json"))
  shared = {
    DD_ENV                  = var.environment
    DD_SERVICE              = "slides"
    POWERTOOLS_SERVICE_NAME = "slides"
  }
  # What functions.json calls the resources: the names that functions are given, and the ARNs of their statements.
  names = {
    PhotoBucket    = aws_s3_bucket.photo.bucket
    ModelBucket    = aws_s3_bucket.model.bucket
    DocumentBucket = aws_s3_bucket.document.bucket
    SiteBucket     = aws_s3_bucket.site.bucket
    SlideTable     = aws_dynamodb_table.slide.name
    StateTable     = aws_dynamodb_table.state.name
    Topic          = aws_sns_topic.topic.arn
    Distribution   = aws_cloudfront_distribution.site.id
    BuildProject   = aws_codebuild_project.site.name
  }
  arns = {
    "PhotoBucket"      = aws_s3_bucket.photo.arn
    "PhotoBucket/*"    = "${aws_s3_bucket.photo.arn}/*"
    "ModelBucket"      = aws_s3_bucket.model.arn
    "ModelBucket/*"    = "${aws_s3_bucket.model.arn}/*"
    "DocumentBucket"   = aws_s3_bucket.document.arn
    "DocumentBucket/*" = "${aws_s3_bucket.document.arn}/*"
    "SiteBucket"       = aws_s3_bucket.site.arn
    "SiteBucket/*"     = "${aws_s3_bucket.site.arn}/*"
    "SlideTable"       = aws_dynamodb_table.slide.arn
    "StateTable"       = aws_dynamodb_table.state.arn
    "Topic"            = aws_sns_topic.topic.arn
    "Distribution"     = aws_cloudfront_distribution.site.arn
    "BuildProject"     = aws_codebuild_project.site.arn
  }
}

# What the pipeline works on.
resource "aws_s3_bucket" "photo" {
  bucket_prefix = "${var.name}-photo"
}

resource "aws_s3_bucket_notification" "photo" {
  bucket      = aws_s3_bucket.photo.id
  eventbridge = true
}

resource "aws_s3_bucket" "model" {
  bucket_prefix = "${var.name}-model"
}

resource "aws_s3_bucket" "document" {
  bucket_prefix = "${var.name}-document"
}

resource "aws_s3_bucket" "site" {
  bucket_prefix = "${var.name}-site"
}

resource "aws_dynamodb_table" "slide" {
  name         = "${var.name}-slides"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "talk"
  range_key    = "slide"
  attribute {
    name = "talk"
    type = "S"
  }
  attribute {
    name = "slide"
    type = "S"
  }
}

resource "aws_dynamodb_table" "state" {
  name         = "${var.name}-state"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "talk"
  attribute {
    name = "talk"
    type = "S"
  }
}

resource "aws_sns_topic" "topic" {
  name = var.name
}

# The site, and the project that builds it.
resource "aws_cloudfront_origin_access_control" "site" {
  name                              = "${var.name}-site"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_distribution" "site" {
  enabled = true
  origin {
    origin_id                = "site"
    domain_name              = aws_s3_bucket.site.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.site.id
  }
  default_cache_behavior {
    target_origin_id       = "site"
    viewer_protocol_policy = "redirect-to-https"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    cache_policy_id        = "658327ea-f89d-4fab-a63d-7e88639e58f6" # AWS's own: CachingOptimized
  }
  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }
  viewer_certificate {
    cloudfront_default_certificate = true
  }
}

resource "aws_s3_bucket_policy" "site" {
  bucket = aws_s3_bucket.site.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "cloudfront.amazonaws.com" }
      Action    = "s3:GetObject"
      Resource  = "${aws_s3_bucket.site.arn}/*"
      Condition = { StringEquals = { "AWS:SourceArn" = aws_cloudfront_distribution.site.arn } }
    }]
  })
}

resource "aws_iam_role" "build" {
  name = "${var.name}-build"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "codebuild.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "build" {
  role = aws_iam_role.build.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:ListBucket"]
        Resource = [aws_s3_bucket.document.arn, "${aws_s3_bucket.document.arn}/*", "${aws_s3_bucket.model.arn}/*"]
      },
      { Effect = "Allow", Action = "s3:PutObject", Resource = "${aws_s3_bucket.site.arn}/*" },
      { Effect = "Allow", Action = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], Resource = "*" },
    ]
  })
}

resource "aws_codebuild_project" "site" {
  name          = "${var.name}-site"
  service_role  = aws_iam_role.build.arn
  build_timeout = 10
  artifacts {
    type = "NO_ARTIFACTS"
  }
  source {
    type      = "S3"
    location  = "${aws_s3_bucket.model.bucket}/slides/site.zip"
    buildspec = <<-YAML
      version: 0.2
      phases:
        install:
          runtime-versions: {python: 3.12}
        build:
          commands:
            - python3 -m handlers.slides.site
    YAML
  }
  environment {
    type         = "LINUX_CONTAINER"
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
    environment_variable {
      name  = "DOCUMENTS_BUCKET"
      value = aws_s3_bucket.document.bucket
    }
    environment_variable {
      name  = "SITE_BUCKET"
      value = aws_s3_bucket.site.bucket
    }
  }
}

# The steps: one function each, with its own role and log group, which goes to the forwarder.
data "archive_file" "step" {
  for_each    = toset(["steps", "identify"])
  type        = "zip"
  source_dir  = "${path.module}/../../build/${each.key}"
  output_path = "${path.module}/../../build/${each.key}.zip"
}

resource "aws_iam_role" "step" {
  for_each = local.functions
  name     = "${var.name}-${each.key}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
  managed_policy_arns = ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]
}

resource "aws_iam_role_policy" "step" {
  for_each = local.functions
  role     = aws_iam_role.step[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for statement in each.value.allow : {
      Effect   = "Allow"
      Action   = statement.actions
      Resource = [for item in statement.on : local.arns[item]]
    }]
  })
}

resource "aws_cloudwatch_log_group" "step" {
  for_each          = local.functions
  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = 14
}

resource "aws_lambda_function" "step" {
  for_each         = local.functions
  function_name    = "${var.name}-${each.key}"
  role             = aws_iam_role.step[each.key].arn
  handler          = each.value.handler
  runtime          = "python3.12"
  architectures    = ["x86_64"]
  memory_size      = each.value.memory
  timeout          = each.value.timeout
  filename         = data.archive_file.step[each.value.code].output_path
  source_code_hash = data.archive_file.step[each.value.code].output_base64sha256
  environment {
    variables = merge(local.shared, { for key, value in each.value.environment : key => lookup(local.names, value, value) })
  }
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.step[each.key].name
  }
}

resource "aws_cloudwatch_log_subscription_filter" "step" {
  for_each        = local.functions
  name            = "forwarder"
  log_group_name  = aws_cloudwatch_log_group.step[each.key].name
  filter_pattern  = ""
  destination_arn = aws_lambda_function.forwarder.arn
  depends_on      = [aws_lambda_permission.forwarder]
}

# The state machine, which starts with every photo that arrives.
resource "aws_cloudwatch_log_group" "pipeline" {
  name              = "/aws/vendedlogs/states/${var.name}-slides"
  retention_in_days = 14
}

resource "aws_iam_role" "pipeline" {
  name = "${var.name}-pipeline"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "states.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "pipeline" {
  role = aws_iam_role.pipeline.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "lambda:InvokeFunction", Resource = [for key, body in local.functions : aws_lambda_function.step[key].arn] },
      {
        Effect = "Allow"
        Action = [
          "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
          "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
        ]
        Resource = "*"
      },
    ]
  })
}

resource "aws_sfn_state_machine" "pipeline" {
  name     = "${var.name}-slides"
  role_arn = aws_iam_role.pipeline.arn
  type     = "STANDARD"
  definition = templatefile("${path.module}/../../handlers/slides/state_machine.asl.json", {
    IdentifyFunctionArn   = aws_lambda_function.step["identify"].arn
    CompareFunctionArn    = aws_lambda_function.step["compare"].arn
    PullFunctionArn       = aws_lambda_function.step["pull"].arn
    DocumentFunctionArn   = aws_lambda_function.step["document"].arn
    BuildFunctionArn      = aws_lambda_function.step["build"].arn
    BuiltFunctionArn      = aws_lambda_function.step["built"].arn
    RememberFunctionArn   = aws_lambda_function.step["remember"].arn
    TellFunctionArn       = aws_lambda_function.step["tell"].arn
    InvalidateFunctionArn = aws_lambda_function.step["invalidate"].arn
  })
  logging_configuration {
    level                  = "ALL"
    include_execution_data = true
    log_destination        = "${aws_cloudwatch_log_group.pipeline.arn}:*"
  }
}

resource "aws_cloudwatch_log_subscription_filter" "pipeline" {
  name            = "forwarder"
  log_group_name  = aws_cloudwatch_log_group.pipeline.name
  filter_pattern  = ""
  destination_arn = aws_lambda_function.states_forwarder.arn
  depends_on      = [aws_lambda_permission.states_forwarder]
}

resource "aws_iam_role" "events" {
  name = "${var.name}-events"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "events" {
  role = aws_iam_role.events.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "states:StartExecution", Resource = aws_sfn_state_machine.pipeline.arn }]
  })
}

resource "aws_cloudwatch_event_rule" "photo" {
  name = "${var.name}-photo"
  event_pattern = jsonencode({
    source        = ["aws.s3"]
    "detail-type" = ["Object Created"]
    detail        = { bucket = { name = [aws_s3_bucket.photo.bucket] } }
  })
}

resource "aws_cloudwatch_event_target" "photo" {
  rule     = aws_cloudwatch_event_rule.photo.name
  arn      = aws_sfn_state_machine.pipeline.arn
  role_arn = aws_iam_role.events.arn
}
