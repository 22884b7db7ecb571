"""moto's state, which it keeps for the whole process: the backends that the embedded AWS reaches into."""

import contextlib
import logging
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from monitoring.errors import InputError

try:
    from moto.awslambda.utils import get_backend as lambda_backend
    from moto.core.base_backend import BackendDict
    from moto.core.config import default_user_config
    from moto.core.utils import utcnow
    from moto.events.models import events_backends
    from moto.logs.models import logs_backends
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser, ASLParserException
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends
    from moto.stepfunctions.parser.utils import TMP_THREADS
except ImportError as missing:
    raise InputError(
        f"moto {version('moto')} is not one that the embedded AWS knows: {missing}",
        hint="install the version that constraints.txt names: pip install -c constraints.txt moto",
    ) from missing

ACCOUNT = "123456789012"

__all__ = [
    "ACCOUNT",
    "asl_problem",
    "events_backends",
    "join_executions",
    "lambda_backend",
    "logs_backends",
    "reset",
    "settings",
    "stop_executions",
]


def asl_problem(definition: str) -> str:
    """What moto's parser of Amazon States Language finds wrong with a definition, or nothing."""
    try:
        AmazonStateLanguageParser.parse(definition)
    except ASLParserException as wrong:
        return str(wrong.errors[0]) if wrong.errors else "it cannot be parsed"
    except Exception as wrong:  # noqa: BLE001  the parser has no type for what its second pass refuses
        return str(wrong)
    return ""


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """While the block runs, state machines are executed and functions are not echoed."""
    log = logging.getLogger("moto")
    before = {key: dict(default_user_config[key]) for key in ("lambda", "stepfunctions")}
    level = log.level
    log.setLevel(logging.CRITICAL)  # an execution that fails is an error to moto, and nothing unusual here
    default_user_config["lambda"] = {"use_docker": True}
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    try:
        yield
    finally:
        default_user_config.update(before)
        log.setLevel(level)


def reset() -> None:
    """Forgets everything that was deployed and stored."""
    BackendDict.reset()


def stop_executions() -> None:
    """Tells every execution that it is stopped."""
    for execution in _executions():
        worker = execution.exec_worker
        if worker is not None and worker.env is not None:
            execution.stop(stop_date=utcnow(), error=None, cause=None)
            for endpoint in list(worker.env.callback_pool_manager._pool.values()):
                endpoint.interrupt_all()


def join_executions(seconds: float) -> None:
    """Waits until the threads of executions have ended, so long at most."""
    deadline = time.monotonic() + seconds
    for thread in list(TMP_THREADS):
        thread.join(max(0.0, deadline - time.monotonic()))
    forget_ended_threads()


def forget_ended_threads() -> None:
    """moto keeps every thread it ever started."""
    TMP_THREADS[:] = [thread for thread in list(TMP_THREADS) if thread.is_alive()]


def _executions() -> Iterator[Any]:
    for backend in list(stepfunctions_parser_backends[ACCOUNT].values()):
        for machine in list(backend.state_machines):
            yield from list(machine.executions)
