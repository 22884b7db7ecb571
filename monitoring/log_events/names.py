"""List the metrics that the forwarder generates: name, type, unit and origin.

`docs/forwarder-metrics.md` shows this table; dashboards and monitors depend on it.
All are submitted as distributions; those of type `count` are queried with `sum`. Durations of
`aws.lambda.enhanced.*` are in seconds and those of `aws.states.enhanced.*` in nanoseconds, as at Datadog;
those of `stepscope.*` are in seconds.
"""

from typing import NamedTuple


class Metric(NamedTuple):
    """A metric of the table.

    Attributes:
        family: the line or event that it is generated from.
        tags: tag keys in addition to those of its family; a tag without a value is omitted.
    """

    name: str
    type: str
    unit: str
    family: str
    meaning: str
    tags: tuple[str, ...] = ()


_REPORT, _LINES, _STATES, _STATUS, _DURABLE, _SELF = (
    "REPORT",
    "Lambda",
    "Step Functions log",
    "status change",
    "durable status change",
    "forwarder",
)

_FUNCTION = (
    "functionname",
    "function_name",
    "region",
    "account_id",
    "aws_account",
    "executedversion",
    "service",
    "resource",
)
_MACHINE = ("statemachinearn", "statemachinename", "region", "account_id")

FAMILY_TAGS: dict[str, tuple[str, ...]] = {
    _REPORT: (*_FUNCTION, "memorysize", "cold_start"),
    _LINES: _FUNCTION,
    _STATES: _MACHINE,
    _STATUS: _MACHINE,
    _DURABLE: _FUNCTION,
    _SELF: ("functionname", "function_name"),
}
"""Tag keys of every metric of a family; a tag without a value is omitted, and `DD_TAGS` are added."""

METRICS: tuple[Metric, ...] = (
    Metric("aws.lambda.enhanced.invocations", "count", "invocation", _REPORT, "one for each REPORT"),
    Metric("aws.lambda.enhanced.duration", "distribution", "second", _REPORT, "Duration"),
    Metric("aws.lambda.enhanced.billed_duration", "distribution", "second", _REPORT, "Billed Duration"),
    Metric(
        "aws.lambda.enhanced.init_duration",
        "distribution",
        "second",
        _REPORT,
        "Init Duration, on cold starts",
    ),
    Metric("aws.lambda.enhanced.max_memory_used", "distribution", "megabyte", _REPORT, "Max Memory Used"),
    Metric("aws.lambda.enhanced.memorysize", "distribution", "megabyte", _REPORT, "Memory Size"),
    Metric(
        "aws.lambda.enhanced.estimated_cost",
        "distribution",
        "dollar",
        _REPORT,
        "billed memory time and request",
    ),
    Metric(
        "aws.lambda.enhanced.errors",
        "count",
        "error",
        _REPORT,
        "invocations whose REPORT tells of an error; in the Text format that is not an exception",
    ),
    Metric(
        "aws.lambda.enhanced.timeouts", "count", "timeout", _LINES, "invocations that timed out, counted once"
    ),
    Metric(
        "aws.lambda.enhanced.out_of_memory",
        "count",
        "error",
        _LINES,
        "invocations out of memory, counted once",
    ),
    Metric(
        "stepscope.lambda.init_errors",
        "count",
        "error",
        _LINES,
        "INIT_REPORT with a status",
        ("status", "phase", "error_type"),
    ),
    Metric(
        "stepscope.lambda.restore_duration", "distribution", "second", _LINES, "Restore Duration of SnapStart"
    ),
    Metric(
        "stepscope.lambda.restore_errors",
        "count",
        "error",
        _LINES,
        "RESTORE_REPORT with a status",
        ("status", "error_type"),
    ),
    Metric(
        "stepscope.lambda.extension_errors",
        "count",
        "error",
        _LINES,
        "EXTENSION",
        ("status", "extension", "error_type"),
    ),
    Metric("stepscope.lambda.image_errors", "count", "error", _LINES, "IMAGE Launch error"),
    Metric("stepscope.lambda.logs_dropped", "count", "", _LINES, "lines that Lambda itself dropped"),
    Metric("aws.states.enhanced.execution.started", "count", "execution", _STATES, "ExecutionStarted"),
    Metric("aws.states.enhanced.execution.succeeded", "count", "execution", _STATES, "ExecutionSucceeded"),
    Metric(
        "aws.states.enhanced.execution.failed", "count", "execution", _STATES, "ExecutionFailed", ("error",)
    ),
    Metric(
        "aws.states.enhanced.execution.timed_out",
        "count",
        "execution",
        _STATES,
        "ExecutionTimedOut",
        ("error",),
    ),
    Metric(
        "aws.states.enhanced.execution.aborted", "count", "execution", _STATES, "ExecutionAborted", ("error",)
    ),
    Metric("aws.states.enhanced.execution.redriven", "count", "execution", _STATES, "ExecutionRedriven"),
    Metric(
        "aws.states.enhanced.execution.execution_time",
        "distribution",
        "nanosecond",
        _STATES,
        "start to end",
        ("status",),
    ),
    Metric(
        "aws.states.enhanced.state.entered", "count", "", _STATES, "…StateEntered", ("statename", "statetype")
    ),
    Metric(
        "aws.states.enhanced.state.exited", "count", "", _STATES, "…StateExited", ("statename", "statetype")
    ),
    Metric(
        "aws.states.enhanced.state.failed",
        "count",
        "error",
        _STATES,
        "states left by an error",
        ("statename", "statetype", "error"),
    ),
    Metric(
        "aws.states.enhanced.state.duration",
        "distribution",
        "nanosecond",
        _STATES,
        "entered to left",
        ("statename", "statetype", "status"),
    ),
    Metric(
        "aws.states.enhanced.task.execution.task_started",
        "count",
        "",
        _STATES,
        "attempts that started",
        ("statename", "resource"),
    ),
    Metric(
        "aws.states.enhanced.task.execution.task_succeeded",
        "count",
        "",
        _STATES,
        "attempts that succeeded",
        ("statename", "resource"),
    ),
    Metric(
        "aws.states.enhanced.task.execution.task_failed",
        "count",
        "error",
        _STATES,
        "attempts that failed",
        ("statename", "resource", "error"),
    ),
    Metric(
        "aws.states.enhanced.task.execution.task_timed_out",
        "count",
        "timeout",
        _STATES,
        "attempts that timed out",
        ("statename", "resource", "error"),
    ),
    Metric(
        "aws.states.enhanced.task.execution.task_retried",
        "count",
        "",
        _STATES,
        "second and later attempts",
        ("statename", "resource"),
    ),
    Metric(
        "aws.states.enhanced.task.execution.task_duration",
        "distribution",
        "nanosecond",
        _STATES,
        "scheduled to ended, one attempt",
        ("statename", "resource", "status"),
    ),
    Metric("stepscope.execution.started", "count", "execution", _STATUS, "RUNNING, unless it was redriven"),
    Metric("stepscope.execution.redriven", "count", "execution", _STATUS, "RUNNING after a redrive"),
    Metric("stepscope.execution.succeeded", "count", "execution", _STATUS, "SUCCEEDED"),
    Metric("stepscope.execution.failed", "count", "execution", _STATUS, "FAILED"),
    Metric("stepscope.execution.timed_out", "count", "execution", _STATUS, "TIMED_OUT"),
    Metric("stepscope.execution.aborted", "count", "execution", _STATUS, "ABORTED"),
    Metric(
        "stepscope.execution.duration",
        "distribution",
        "second",
        _STATUS,
        "startDate, or redriveDate, to stopDate",
        ("status",),
    ),
    Metric("stepscope.durable_execution.started", "count", "execution", _DURABLE, "RUNNING"),
    Metric("stepscope.durable_execution.succeeded", "count", "execution", _DURABLE, "SUCCEEDED"),
    Metric("stepscope.durable_execution.failed", "count", "execution", _DURABLE, "FAILED"),
    Metric("stepscope.durable_execution.timed_out", "count", "execution", _DURABLE, "TIMED_OUT"),
    Metric("stepscope.durable_execution.stopped", "count", "execution", _DURABLE, "STOPPED"),
    Metric(
        "stepscope.durable_execution.duration",
        "distribution",
        "second",
        _DURABLE,
        "startTimestamp to endTimestamp",
        ("status",),
    ),
    Metric("stepscope.forwarder.events", "count", "event", _SELF, "log events read", ("kind",)),
    Metric("stepscope.forwarder.points", "count", "", _SELF, "points understood"),
    Metric("stepscope.forwarder.points_late", "count", "", _SELF, "points Datadog will ignore", ("reason",)),
    Metric("stepscope.forwarder.spans", "count", "span", _SELF, "spans understood"),
    Metric("stepscope.forwarder.logs", "count", "", _SELF, "log entries"),
    Metric("stepscope.forwarder.refused", "count", "error", _SELF, "what was set aside", ("reason",)),
    Metric("stepscope.forwarder.batches", "count", "request", _SELF, "batches", ("kind", "outcome")),
    Metric("stepscope.forwarder.retries", "count", "request", _SELF, "requests sent again", ("reason",)),
    Metric(
        "stepscope.forwarder.spooled", "count", "request", _SELF, "batches put into the spool", ("reason",)
    ),
    Metric("stepscope.forwarder.redriven", "count", "request", _SELF, "batches sent from the spool"),
    Metric("stepscope.forwarder.dead", "count", "request", _SELF, "entries moved to the dead letters"),
    Metric("stepscope.forwarder.bytes", "count", "byte", _SELF, "bytes sent, compressed", ("kind",)),
    Metric("stepscope.forwarder.lag", "distribution", "second", _SELF, "oldest log event to its submission"),
)
