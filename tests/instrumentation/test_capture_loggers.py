"""Capture what loggers write to standard output, and leave their handlers unchanged."""

import io
import logging
import sys
from collections.abc import Iterator

import pytest
from aws_lambda_powertools import Logger

from monitoring import count, monitored
from monitoring.capture import LambdaContext, capture


@pytest.fixture
def standard() -> Iterator[logging.Logger]:
    """A logger of the standard library with a handler to standard output and one to a stream of its own."""
    logger = logging.getLogger("captured")
    logger.propagate = False
    logger.setLevel("INFO")
    logger.handlers = [logging.StreamHandler(sys.stdout), logging.StreamHandler(io.StringIO())]
    yield logger
    logger.handlers = []


def test_a_loggers_lines_are_lines(standard: logging.Logger) -> None:
    powertools = Logger(service="captured-by-powertools", logger_handler=logging.StreamHandler(sys.stdout))
    with capture() as emitted:
        powertools.info("powertools says")
        standard.info("the standard library says")
        print("print says")
    assert ["says" in line for line in emitted.lines] == [True, True, True]


def test_points_that_a_logger_prints_are_points(standard: logging.Logger) -> None:
    with capture() as emitted:
        standard.info("MONITORING|1795428000|2|count|shop.orders|#zone:a")
        monitored(lambda event, context: count("shop.orders"))({}, LambdaContext())
    emitted.assert_count("shop.orders", 3)


def test_a_handler_is_as_before_afterwards(standard: logging.Logger) -> None:
    streams = [handler.stream for handler in standard.handlers]
    with pytest.raises(KeyError), capture():
        raise KeyError
    assert [handler.stream for handler in standard.handlers] == streams


def test_a_capture_within_a_capture_gets_its_own_part(standard: logging.Logger) -> None:
    with capture() as outer:
        standard.info("first")
        with capture() as inner:
            standard.info("second")
        standard.info("third")
    assert (outer.lines, inner.lines) == (["first", "second", "third"], ["second"])


def test_standard_output_is_as_before_whatever_the_block_puts_there() -> None:
    before = sys.stdout
    with capture():
        sys.stdout = io.StringIO()
    assert sys.stdout is before
