"""Reserved concurrency: a function that may have one environment has one, whoever calls."""

from concurrent.futures import ThreadPoolExecutor


def test_a_function_with_reserved_concurrency_has_no_more_environments(aws, tmp_path):
    (tmp_path / "slow_step.py").write_text("import time\n\ndef slow(event, context):\n    time.sleep(0.2)\n")
    for name, concurrency in (("one", 1), ("many", None)):
        aws.deploy_function(name, handler="slow_step.slow", code=tmp_path)
        if concurrency:
            aws.client("lambda").put_function_concurrency(
                FunctionName=name, ReservedConcurrentExecutions=concurrency
            )
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda number, name=name: aws.invoke(name, number), range(3)))
    streams = {
        name: {e.log_stream for e in aws.log_events() if e.log_group == f"/aws/lambda/{name}"}
        for name in ("one", "many")
    }
    assert len(streams["one"]) == 1
    assert len(streams["many"]) > 1
