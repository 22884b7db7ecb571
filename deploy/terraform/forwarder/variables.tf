# The parameters of deploy/forwarder.yaml, by the names that Terraform gives them; docs/forwarder-install.md says what each does.

variable "name" {
  type        = string
  description = "What the names of its resources begin with."
  default     = "stepscope"
}

variable "code_file" {
  type        = string
  description = "The forwarder's zip on this machine (make forwarder), instead of code_bucket and code_key."
  default     = ""
}

variable "code_bucket" {
  type        = string
  description = "The bucket that holds the forwarder's zip, in this region."
  default     = ""
}

variable "code_key" {
  type        = string
  description = "docs/forwarder-install.md"
  default     = "stepscope-forwarder.zip"
}

variable "code_version" {
  type        = string
  description = "The version of the object, where the bucket is versioned; a new one updates the function."
  default     = ""
}

variable "runtime" {
  type        = string
  description = "What the zip was built for (stepscope-forwarder.json in it says so)."
  default     = "python3.13"
  validation {
    condition     = contains(["python3.12", "python3.13"], var.runtime)
    error_message = "One of python3.12, python3.13."
  }
}

variable "architecture" {
  type        = string
  description = "docs/forwarder-install.md"
  default     = "arm64"
  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "One of arm64, x86_64."
  }
}

variable "datadog_site" {
  type        = string
  description = "docs/forwarder-install.md"
  default     = "datadoghq.com"
}

variable "datadog_url" {
  type        = string
  description = "One address for metrics, traces and logs instead of the site's."
  default     = ""
}

variable "api_key_secret_arn" {
  type        = string
  description = "The ARN of the secret in Secrets Manager that holds the API key. One of three ways."
  default     = ""
}

variable "api_key_parameter" {
  type        = string
  description = "The name of the SecureString in Parameter Store that holds the API key."
  default     = ""
}

variable "api_key_ciphertext" {
  type        = string
  description = "The API key encrypted by KMS, in base64."
  default     = ""
  sensitive   = true
}

variable "api_key_kms_key_arn" {
  type        = string
  description = "The customer managed key that the API key is encrypted with, if there is one."
  default     = ""
}

variable "environment" {
  type        = string
  description = "The tag `env`."
  default     = ""
}

variable "service" {
  type        = string
  description = "The tag `service` of everything; without it, the function or the log group."
  default     = ""
}

variable "tags" {
  type        = string
  description = "Tags for everything, separated by commas."
  default     = ""
}

variable "fetch_tags" {
  type        = bool
  description = "Whether tags of functions, state machines and log groups are read from AWS."
  default     = false
}

variable "enhanced_metrics" {
  type        = string
  description = "aws.lambda.enhanced.*. A maintainer of Datadog's forwarder wrote on 2023-08-14 that customers are billed for serverless by aws.lambda.enhanced.invocations: docs/forwarder.md, \"Switches of metric families\"."
  validation {
    condition     = contains(["all", "without-invocations", "none"], var.enhanced_metrics)
    error_message = "One of all, without-invocations, none."
  }
}

variable "lambda_metrics" {
  type        = bool
  description = "docs/forwarder-install.md"
  default     = true
}

variable "states_metrics" {
  type        = bool
  description = "docs/forwarder-install.md"
  default     = true
}

variable "execution_metrics" {
  type        = bool
  description = "docs/forwarder-install.md"
  default     = true
}

variable "own_metrics" {
  type        = bool
  description = "docs/forwarder-install.md"
  default     = true
}

variable "metric_form" {
  type        = string
  description = "docs/forwarder-install.md"
  default     = "distribution"
  validation {
    condition     = contains(["distribution", "native"], var.metric_form)
    error_message = "One of distribution, native."
  }
}

variable "log_group_names" {
  type        = list(string)
  description = "Log groups by their names."
  default     = []
}

variable "log_group_prefixes" {
  type        = list(string)
  description = "Log groups by the beginning of their names, as /aws/lambda/shop-; * is all of them."
  default     = []
}

variable "log_group_tags" {
  type        = list(string)
  description = "Log groups by a tag of theirs, as team:payments, or team for any value."
  default     = []
}

variable "state_machines" {
  type        = list(string)
  description = "The log groups of state machines of these names; * stands for any characters."
  default     = []
}

variable "exclude_log_groups" {
  type        = list(string)
  description = "Log groups that are never subscribed; * stands for any characters."
  default     = []
}

variable "subscription_schedule" {
  type        = string
  description = "How often log groups are looked for that no event of CloudTrail announced."
  default     = "rate(5 minutes)"
}

variable "status_changes" {
  type        = bool
  description = "Whether the status changes of executions are forwarded."
  default     = true
}

variable "read_bucket_arns" {
  type        = list(string)
  description = "Buckets whose objects the forwarder may read; send it their events yourself."
  default     = []
}

variable "forward_logs" {
  type        = bool
  description = "docs/forwarder-install.md"
  default     = true
}

variable "filter_pattern" {
  type        = string
  description = "The filter pattern of the subscriptions; without one, every event."
  default     = ""
}

variable "include_at_match" {
  type        = string
  description = "A regular expression; only logs that match go on."
  default     = ""
}

variable "exclude_at_match" {
  type        = string
  description = "docs/forwarder-install.md"
  default     = ""
}

variable "redact_ip" {
  type        = bool
  description = "docs/forwarder-install.md"
  default     = false
}

variable "redact_email" {
  type        = bool
  description = "docs/forwarder-install.md"
  default     = false
}

variable "scrubbing_rule" {
  type        = string
  description = "docs/forwarder-install.md"
  default     = ""
}

variable "scrubbing_replacement" {
  type        = string
  description = "docs/forwarder-install.md"
  default     = "xxxxx"
}

variable "memory_size" {
  type        = number
  description = "docs/forwarder-install.md"
  default     = 512
}

variable "timeout" {
  type        = number
  description = "docs/forwarder-install.md"
  default     = 120
}

variable "concurrency" {
  type        = number
  description = "Reserved concurrency of the forwarder; without it, none is reserved."
  default     = null
}

variable "states_concurrency" {
  type        = number
  description = "1 gives state machines' logs a function of their own, one environment at a time, so that each state's two ends meet. It takes 1 of the account's concurrency, of which 100 must stay unreserved."
  default     = null
}

variable "transport" {
  type        = string
  description = "What log groups are subscribed to: the forwarder (direct), a Kinesis stream (kinesis), or a Firehose stream that writes objects to S3 (firehose)."
  default     = "direct"
  validation {
    condition     = contains(["direct", "kinesis", "firehose"], var.transport)
    error_message = "Give direct, kinesis or firehose."
  }
}

variable "stream_shards" {
  type        = number
  description = "Shards of the Kinesis stream, each 1 MB a second; without it, the stream is on demand."
  default     = null
}

variable "parallelization_factor" {
  type        = number
  description = "How many batches of one shard the forwarder works on at once."
  default     = 1
}

variable "execution_state" {
  type        = string
  description = "Where executions that span payloads are held, in the table for all environments or in each one's memory."
  default     = "table"
  validation {
    condition     = contains(["table", "memory"], var.execution_state)
    error_message = "Give table or memory."
  }
}

variable "log_retention_days" {
  type        = number
  description = "docs/forwarder-install.md"
  default     = 14
}

variable "subnet_ids" {
  type        = list(string)
  description = "Subnets of a VPC, with a way to Datadog and to the services of AWS."
  default     = []
}

variable "security_group_ids" {
  type        = list(string)
  description = "docs/forwarder-install.md"
  default     = []
}

variable "proxy" {
  type        = string
  description = "The address of a proxy on the way to Datadog, as http://proxy:3128."
  default     = ""
  sensitive   = true
}

variable "no_proxy" {
  type        = string
  description = "Hosts that are reached without the proxy."
  default     = ".amazonaws.com,.amazonaws.com.cn"
}

variable "kms_key_arn" {
  type        = string
  description = "A customer managed key for the spool, the table, the environment and the logs; its policy must allow their services."
  default     = ""
}

variable "permissions_boundary_arn" {
  type        = string
  description = "docs/forwarder-install.md"
  default     = ""
}

variable "alarm_topic_arn" {
  type        = string
  description = "The SNS topic that the alarms notify."
  default     = ""
}
