output "forwarder_arn" {
  description = "Send it events of buckets and streams of your own."
  value       = aws_lambda_function.forwarder["forwarder"].arn
}

output "states_forwarder_arn" {
  value = var.states_concurrency == null ? null : aws_lambda_function.forwarder["states-forwarder"].arn
}

output "subscriber_arn" {
  value = aws_lambda_function.subscriber.arn
}

output "filter_name" {
  description = "The name of each of its subscription filters."
  value       = "stepscope-${var.name}"
}

output "spool_queue" {
  value = aws_sqs_queue.spool.url
}

output "spool_bucket_name" {
  value = aws_s3_bucket.spool.bucket
}

output "dead_letter_queue" {
  value = aws_sqs_queue.dead_letters.url
}

output "forwarder_log_group" {
  value = aws_cloudwatch_log_group.forwarder.name
}
