"""The injected faults, and the days without a fault."""

from monitoring.drill import inject, inject_forwarder
from monitoring.drill.fault import LOG, POLLED, Fault

_FAILED = {"execution-errors": LOG, "executions-failed": POLLED}
_ERRORS = {**_FAILED, "lambda-error-rate": POLLED, "lambda-tasks-failed": POLLED}
_CRASHES = {**_ERRORS, "lambda-crashes": LOG}
_SILENT = {"forwarder-silent": 35}

INJECTED: tuple[Fault, ...] = (
    Fault(
        "handler-raises",
        "A deployment brings a mistake: the step Store raises, every time.",
        {**_ERRORS, "state-failures": LOG, "pipeline-down": 50},
        inject.step("raises"),
        minutes=60,
    ),
    Fault(
        "one-in-five-raises",
        "The step Store raises for one order in five.",
        {"execution-errors": LOG, "executions-failed": 25, "lambda-error-rate": 35},
        inject.step("raises"),
        quiet=("pipeline-down",),
        share=0.2,
        minutes=60,
    ),
    Fault(
        "error-burst",
        "Ten times the usual orders arrive, and the step Store raises for all of them.",
        {**_ERRORS, "lambda-error-burst": LOG},
        inject.step("raises"),
        rate=10,
        minutes=10,
    ),
    Fault(
        "handler-exits",
        "The step Store ends its process: Runtime.ExitError.",
        _CRASHES,
        inject.step("exits", runs=1),
    ),
    Fault(
        "handler-hangs",
        "The step Store waits for a server that never answers, until Lambda kills it.",
        {
            "execution-errors": LOG,
            "lambda-timeouts": LOG,
            "lambda-duration-near-timeout": POLLED,
            "lambda-error-rate": POLLED,
        },
        inject.step("hangs", runs=1, timeout=1),
    ),
    Fault(
        "out-of-memory",
        "The step Store needs more memory than it has, and is killed.",
        {**_CRASHES, "lambda-out-of-memory": LOG},
        inject.step("eats_memory", runs=1),
    ),
    Fault("syntax-error", "A deployment of Store cannot be imported.", _CRASHES, inject.syntax_error),
    Fault(
        "missing-handler",
        "The settings of Store name a handler that is not there.",
        _CRASHES,
        inject.missing_handler,
    ),
    Fault(
        "throttled",
        "The reserved concurrency of Store is 0: Lambda refuses every call.",
        {"lambda-throttles": POLLED, "execution-errors": LOG, "executions-failed": POLLED},
        inject.throttled,
    ),
    Fault(
        "slow-step",
        "The step Store takes 95 % of the time that it has.",
        {"lambda-duration-near-timeout": POLLED},
        inject.step("slow", timeout=1, environment={"SHARE": "0.95"}),
    ),
    Fault(
        "cold-starts",
        "Every call finds a cold environment.",
        {"lambda-cold-starts": 45},
        inject.always_cold,
        minutes=90,
    ),
    Fault(
        "silent-retries",
        "The first attempt of Store fails each time, the second succeeds.",
        {"state-retries": 15},
        inject.step("flaky"),
        quiet=("executions-failed", "execution-errors"),
        minutes=60,
    ),
    Fault(
        "claim-broken",
        "Store says that the order is stored, and the object is not in S3.",
        {"claims-broken": LOG},
        inject.step("forgets"),
    ),
    Fault(
        "stuck-executions",
        "What an order waits for never comes, and nothing limits the execution.",
        {"executions-stuck": 25},
        inject.stuck,
        watch=300,
    ),
    Fault(
        "slow-executions",
        "What an order waits for takes ten times as long.",
        {"executions-slow": 120},
        inject.slow_executions,
        minutes=300,
        watch=360,
    ),
    Fault(
        "execution-times-out",
        "Executions reach their TimeoutSeconds.",
        {"executions-timed-out": POLLED},
        inject.execution_timeout,
    ),
    Fault(
        "executions-stopped",
        "A script stops every execution.",
        {"executions-aborted": POLLED},
        inject.aborted,
    ),
    Fault(
        "table-gone",
        "The DynamoDB table that Record writes to is gone.",
        {**_FAILED, "integrations-failed": POLLED},
        inject.without_table,
    ),
    Fault(
        "topic-gone",
        "The SNS topic that Tell publishes to is gone.",
        {**_FAILED, "integrations-failed": POLLED},
        inject.without_topic,
    ),
    Fault(
        "access-denied",
        "A bucket policy denies what Store does: S3 answers 403.",
        _ERRORS,
        inject.access_denied,
    ),
    Fault(
        "build-fails", "The build that the pipeline starts ends with an error.", _FAILED, inject.failed_build
    ),
    Fault(
        "task-times-out",
        "Check takes longer than its state's TimeoutSeconds (lambda:invoke).",
        {"execution-errors": LOG, "integrations-timed-out": POLLED},
        inject.task_timeout("Check"),
    ),
    Fault(
        "function-task-times-out",
        "Store takes longer than its state's TimeoutSeconds (function ARN).",
        {"execution-errors": LOG, "lambda-tasks-timed-out": POLLED},
        inject.task_timeout("Store"),
    ),
    Fault(
        "callback-silent",
        "Whoever has the task's token stops sending its heartbeat.",
        {"execution-errors": LOG, "integrations-timed-out": POLLED},
        inject.callback_heartbeat,
    ),
    Fault(
        "events-dropped",
        "An asynchronous event fails at all three attempts, and is dropped.",
        {"lambda-async-events-dropped": POLLED},
        inject.dropped_events,
    ),
    Fault(
        "trigger-disabled",
        "The rule that starts executions is disabled: nothing starts.",
        {"nothing-started": 80},
        inject.disabled_trigger,
        quiet=("forwarder-silent", "pipeline-down"),
        minutes=120,
        rate=0,
    ),
    Fault(
        "forwarder-off",
        "The forwarder's reserved concurrency is 0: Lambda refuses to run it.",
        _SILENT,
        inject_forwarder.switched_off,
        minutes=60,
        forwarder=True,
    ),
    Fault(
        "subscriptions-gone",
        "The log groups' subscriptions are gone, and the rule with the status changes.",
        _SILENT,
        inject_forwarder.unsubscribed,
        minutes=60,
        forwarder=True,
    ),
    Fault(
        "wrong-api-key",
        "Datadog answers 403: the API key is not valid any more.",
        _SILENT,
        inject_forwarder.refused("/", 403),
        minutes=60,
        forwarder=True,
    ),
    Fault(
        "datadog-down",
        "Datadog cannot be reached for an hour: everything is spooled.",
        _SILENT,
        inject_forwarder.refused("/", 0),
        minutes=60,
        forwarder=True,
    ),
    Fault(
        "intake-fails",
        "Datadog's logs intake answers 503, the others work: logs are spooled.",
        {"forwarder-spool": LOG},
        inject_forwarder.refused("/api/v2/logs", 503),
        forwarder=True,
    ),
    Fault(
        "telemetry-given-up",
        "What was spooled in an outage is refused at its last attempt, and becomes a dead letter.",
        {"forwarder-dead-letters": LOG},
        inject_forwarder.given_up,
        forwarder=True,
    ),
    Fault(
        "forwarder-lags",
        "The forwarder gets log events a quarter of an hour after they were written.",
        {"forwarder-lag": LOG},
        inject_forwarder.late,
        forwarder=True,
    ),
    Fault(
        "unreadable-lines",
        "A deployment prints metric lines that nobody can read.",
        {"forwarder-refused": 8},
        inject.step("prints_rubbish"),
        forwarder=True,
    ),
)

ORDINARY: tuple[Fault, ...] = (
    Fault("healthy-day", "A day like any other.", run=inject.healthy, minutes=360, control=True),
    Fault(
        "quiet-night",
        "Two orders an hour for eight hours.",
        run=inject.healthy,
        minutes=480,
        rate=1 / 60,
        control=True,
    ),
    Fault(
        "busy-hour",
        "Five times the usual orders for an hour.",
        run=inject.healthy,
        rate=5,
        minutes=60,
        control=True,
    ),
    Fault(
        "deployment",
        "A deployment, a cold start, and one connection that is reset: a retry succeeds.",
        run=inject.step("flaky", runs=1),
        minutes=1,
        control=True,
    ),
    Fault(
        "one-slow-call",
        "One call takes 60 % of the time that it has.",
        run=inject.step("slow", runs=1, timeout=2, environment={"SHARE": "0.6"}),
        minutes=1,
        control=True,
    ),
)
