"""What the tests of pages look at."""

EVIL = "<script>document.title='taken'</script>"
FAILED = "sum:aws.states.executions_failed{*} by {statemachinearn}.as_count()"

MONITOR = {
    "type": "query alert",
    "name": "{{statemachinearn.name}}: executions fail",
    "query": "sum(last_5m):sum:aws.states.executions_failed{*} by {statemachinearn}.as_count() > 0",
    "message": "{{#is_alert}}It failed {{value}} times @slack-ops{{/is_alert}}{{#is_recovery}}Fine again @slack-ops{{/is_recovery}}",
    "options": {"thresholds": {"critical": 0}},
}


def dashboard():
    """One widget of most kinds, one of them broken."""
    variables = [
        {"name": "env", "prefix": "env", "defaults": ["prod"]},
        {"name": "statemachine", "prefix": "statemachinearn", "defaults": ["*"]},
    ]
    scoped = "{$env,$statemachine}"
    widgets = [
        {"type": "note", "content": f"# What to do\n\nLook **here**. {EVIL}"},
        {
            "type": "query_value",
            "title": "Failed",
            "requests": [{"q": f"sum:aws.states.executions_failed{scoped}.as_count()", "aggregator": "sum"}],
        },
        {
            "type": "timeseries",
            "title": "Executions",
            "requests": [
                {
                    "q": f"sum:aws.states.executions_succeeded{scoped} by {{statemachinearn}}.as_count()",
                    "display_type": "bars",
                }
            ],
        },
        {
            "type": "toplist",
            "title": EVIL,
            "requests": [{"q": "top(avg:aws.lambda.duration{*} by {functionname}, 10, 'mean', 'desc')"}],
        },
        {
            "type": "timeseries",
            "title": "Broken",
            "requests": [{"q": "sum:aws.states.executions_failed{*}.as_cuont()"}],
        },
        {"type": "alert_graph", "title": "Monitor", "alert_id": "${monitor:failed}"},
    ]
    return {
        "title": "Slides pipeline",
        "layout_type": "ordered",
        "template_variables": variables,
        "widgets": [{"definition": one} for one in widgets],
    }


def execution(now):
    """The spans of one execution that failed after a retry."""
    second = 10**9

    def span(number, parent, name, resource, start, duration, error=0, **meta):
        times = {"start": (now - 60) * second + int(start * second), "duration": int(duration * second)}
        ids = {"trace_id": "00000000000000aa", "span_id": f"{number:016x}", "parent_id": f"{parent:016x}"}
        rest = {"service": "slides", "type": "serverless", "error": error, "meta": meta, "metrics": {}}
        return {**ids, **times, **rest, "name": name, "resource": resource}

    arn = "arn:aws:states:eu-west-1:123456789012:execution:slides:run-7"
    return [
        span(1, 0, "aws.stepfunctions", "slides", 0, 9, 1, executionarn=arn, status="failed"),
        span(2, 1, "aws.stepfunctions.state", "Identify", 0.1, 2),
        span(3, 2, "aws.lambda", "identify-slide", 0.2, 1.7, request_id="r-1"),
        span(4, 3, "dynamodb.get_item", "slides", 0.4, 0.3),
        span(5, 1, "aws.stepfunctions.state", "Build", 2.2, 6, 1, **{"error.message": EVIL}),
        span(6, 5, "aws.stepfunctions.attempt", "Build", 2.3, 2, 1),
        span(7, 5, "aws.stepfunctions.attempt", "Build", 4.5, 3.5, 1),
    ]
