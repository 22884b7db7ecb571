"""Functions of the embedded AWS: what handlers see, return and leave in the log."""

from collections.abc import Callable

from monitoring.local_aws import LocalAws

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def test_a_handler_returns_its_result_and_its_process_is_used_again(aws: LocalAws, deploy: Callable) -> None:
    name = deploy("environment")
    first, second = aws.invoke(name, []), aws.invoke(name, [])
    assert first["pid"] == second["pid"]
    assert first["request_id"] != second["request_id"]
    assert first["log_stream"] == second["log_stream"]
    assert aws.functions.workers()[name] == 1
