"""What the peers do today where this package does better: each test fails for the peer that its name gives.

They run where the peers are installed (`pip install 'stepscope[bench]'`).
"""

import asyncio
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitoring import count, monitored
from monitoring.capture import LambdaContext, capture

ROOT = Path(__file__).parents[2]


def with_datadog_lambda(code):
    pytest.importorskip("datadog_lambda")
    environ = {
        **os.environ,
        "DD_FLUSH_TO_LOG": "true",
        "DD_TRACE_ENABLED": "false",
        "DD_LAMBDA_HANDLER": "x.y",
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        "PYTHONPATH": str(ROOT),
    }
    code = (
        "import asyncio\nfrom monitoring.capture import LambdaContext\n"
        "from datadog_lambda.wrapper import datadog_lambda_wrapper as wrap\ncontext = LambdaContext()\n"
        + code
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environ, timeout=90
    )


def test_a_system_exit_keeps_its_way_where_datadog_lambda_swallows_it():
    with capture(), pytest.raises(SystemExit):
        monitored(lambda event, context: sys.exit(3))({}, LambdaContext())
    peer = with_datadog_lambda(
        "import sys\nprint('swallowed', wrap(lambda e, c: sys.exit(3))({}, context))\n"
    )
    assert peer.returncode == 0
    assert "swallowed None" in peer.stdout


def test_an_async_handler_is_timed_to_its_end_where_datadog_lambda_ends_before_it_began():
    code = (
        "from datadog_lambda.metric import lambda_metric\n"
        "import datadog_lambda.wrapper as w\n"
        "async def handler(e, c):\n    print('began')\n"
        "handler = wrap(handler)\n"
        "after = handler._after\n"
        "handler._after = lambda e, c: (print('ended'), after(e, c))\n"
        "asyncio.run(handler({}, context))\n"
    )
    peer = with_datadog_lambda(code)
    assert peer.stdout.index("ended") < peer.stdout.index("began")

    @monitored
    async def handler(event, context):
        count("began")

    with capture() as emitted:
        asyncio.run(handler({}, LambdaContext()))
    names = [point.metric for point in emitted.points()]
    assert names.index("began") < names.index("stepscope.duration")


def test_a_method_is_wrapped_where_datadog_lambda_passes_no_self():
    peer = with_datadog_lambda(
        "class Slides:\n    @wrap\n    def handle(self, event, context):\n        return 1\n"
        "try:\n    Slides().handle({}, context)\nexcept TypeError as error:\n    print('refused', error)\n"
    )
    assert "refused" in peer.stdout

    class Slides:
        @monitored
        def handle(self, event, context):
            return 1

    with capture():
        assert Slides().handle({}, LambdaContext()) == 1


def test_the_signature_survives_where_datadog_lambda_hides_it():
    import inspect

    peer = with_datadog_lambda(
        "import inspect\ndef handler(event, context, /):\n    'Says so.'\nprint(inspect.signature(wrap(handler)), wrap(handler).__doc__ == 'Says so.')\n"
    )
    assert "(event, context, /)" not in peer.stdout
    assert "True" not in peer.stdout

    def handler(event, context, /):
        """Says so."""

    assert inspect.signature(monitored(handler)) == inspect.signature(handler)


def powertools():
    metrics = pytest.importorskip("aws_lambda_powertools.metrics.provider.datadog")
    return metrics.DatadogMetrics(namespace="slides", flush_to_log=True)


def test_a_closed_standard_output_leaves_the_result_where_powertools_raises(monkeypatch):
    closed = io.StringIO()
    closed.close()
    metrics = powertools()

    def add(event, context):
        metrics.add_metric(name="a", value=1)
        return 42

    monkeypatch.setattr(sys, "stdout", closed)
    try:
        metrics.log_metrics(add)({}, LambdaContext())
        raised = None
    except ValueError as error:
        raised = error
    assert raised is not None
    assert monitored(lambda event, context: count("a") or 42)({}, LambdaContext()) == 42


def test_a_name_of_any_type_leaves_the_result_where_powertools_raises():
    metrics = powertools()
    with pytest.raises(Exception):  # noqa: B017, PT011 - whichever it is, it reaches the handler
        metrics.log_metrics(lambda event, context: metrics.add_metric(name=None, value=1))(
            {}, LambdaContext()
        )
    with capture():
        assert monitored(lambda event, context: count(None) or 42)({}, LambdaContext()) == 42


def test_an_async_handler_is_counted_after_it_is_done_where_powertools_is_before():
    metrics = powertools()

    async def handler(event, context):
        metrics.add_metric(name="late", value=1)

    with capture() as emitted, pytest.warns(UserWarning, match="No application metrics"):
        asyncio.run(metrics.log_metrics(handler)({}, LambdaContext()))
    assert "late" not in emitted.text
    metrics.clear_metrics()


def test_a_metric_of_one_call_does_not_leak_into_the_next_as_it_does_with_powertools(
    monkeypatch,
):
    metrics = powertools()
    closed = io.StringIO()
    closed.close()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", closed)
        with pytest.raises(ValueError, match="closed"):
            metrics.log_metrics(lambda event, context: metrics.add_metric(name="first", value=1))(
                {}, LambdaContext()
            )
    with capture() as emitted:
        metrics.log_metrics(lambda event, context: metrics.add_metric(name="second", value=1))(
            {}, LambdaContext()
        )
    assert "slides.first" in emitted.text
    metrics.clear_metrics()
