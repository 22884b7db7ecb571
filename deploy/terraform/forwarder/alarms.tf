# Alarms on the forwarder itself, in CloudWatch: they come also where Datadog is what fails.
locals {
  function_alarms = merge(
    {
      ForwarderErrors    = ["Errors", aws_lambda_function.forwarder["forwarder"].function_name, "Sum", 1, 0]
      ForwarderThrottles = ["Throttles", aws_lambda_function.forwarder["forwarder"].function_name, "Sum", 3, 0]
      ForwarderBehind    = ["AsyncEventAge", aws_lambda_function.forwarder["forwarder"].function_name, "Maximum", 1, 900000]
      SubscriberErrors   = ["Errors", aws_lambda_function.subscriber.function_name, "Sum", 1, 0]
    },
    var.transport != "kinesis" ? {} : {
      StreamBehind = ["IteratorAge", aws_lambda_function.forwarder["forwarder"].function_name, "Maximum", 1, 900000]
    },
    var.states_concurrency == null ? {} : {
      StatesForwarderErrors = ["Errors", aws_lambda_function.forwarder["states-forwarder"].function_name, "Sum", 1, 0]
      StatesForwarderBehind = ["AsyncEventAge", aws_lambda_function.forwarder["states-forwarder"].function_name, "Maximum", 1, 900000]
    },
  )
  queue_alarms = merge(
    {
      SpoolAge        = ["ApproximateAgeOfOldestMessage", aws_sqs_queue.spool.name, "Maximum", 1, 1800]
      DeadLetterAlarm = ["ApproximateNumberOfMessagesVisible", aws_sqs_queue.dead_letters.name, "Maximum", 1, 0]
    },
    var.transport != "firehose" ? {} : {
      ObjectsBehind = ["ApproximateAgeOfOldestMessage", aws_sqs_queue.objects[0].name, "Maximum", 1, 900]
    },
  )
  descriptions = {
    ForwarderErrors       = "The forwarder could neither deliver nor spool something; Lambda tries again twice, then it is in DeadLetters."
    StatesForwarderErrors = "The forwarder of state machines' logs could neither deliver nor spool something."
    ForwarderThrottles    = "The forwarder is throttled; raise Concurrency or the account's limit."
    ForwarderBehind       = "Events wait more than 15 minutes before the forwarder gets them."
    StatesForwarderBehind = "State machines' logs wait more than 15 minutes; StatesConcurrency is too small for them."
    StreamBehind          = "Records wait more than 15 minutes in the stream; raise ParallelizationFactor, StreamShards or Concurrency."
    ObjectsBehind         = "Objects wait more than 15 minutes for the forwarder; raise Concurrency or the account's limit."
    SubscriberErrors      = "A log group could not be subscribed; the subscriber's log names it and the reason."
    SpoolAge              = "An entry of the spool has waited for more than 30 minutes; Datadog or the way to it is down."
    DeadLetterAlarm       = "Something was given up; docs/forwarder-install.md says how it is sent again."
    DeadEntryAlarm        = "Datadog refused an entry of the spool ten times; it is in the bucket's spool/dead/."
  }
  # Namespace, metric, dimensions, statistic, periods of five minutes, threshold.
  alarms = merge(
    { for name, row in local.function_alarms : name => ["AWS/Lambda", row[0], { FunctionName = row[1] }, row[2], row[3], row[4]] },
    { for name, row in local.queue_alarms : name => ["AWS/SQS", row[0], { QueueName = row[1] }, row[2], row[3], row[4]] },
    { DeadEntryAlarm = ["${var.name}/forwarder", "DeadEntries", {}, "Sum", 1, 0] },
  )
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = local.descriptions[each.key]
  namespace           = each.value[0]
  metric_name         = each.value[1]
  dimensions          = each.value[2]
  statistic           = each.value[3]
  period              = 300
  evaluation_periods  = each.value[4]
  threshold           = each.value[5]
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
}

resource "aws_cloudwatch_log_metric_filter" "dead_entries" {
  name           = "${var.name}-dead-entries"
  log_group_name = aws_cloudwatch_log_group.forwarder.name
  pattern        = "\"\\\"dead\\\":\"" # the summary line has this key only where an entry died
  metric_transformation {
    namespace = "${var.name}/forwarder"
    name      = "DeadEntries"
    value     = "1"
  }
}
