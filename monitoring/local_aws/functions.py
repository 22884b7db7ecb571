"""Manage the execution environments of Lambda functions: create, reuse and end them."""

import contextlib
import threading
from collections.abc import Iterator

from monitoring.local_aws.invocation import Environment, FunctionSettings, Invocation, PutLines, invoke
from monitoring.local_aws.sandbox import Sandbox


class Functions:
    """The execution environments of all functions of one embedded AWS.

    Args:
        put: writes log lines.
        environment: environment variables of every worker, such as the endpoint.
        max_workers: the maximum number of workers of a function without reserved concurrency; further
            invocations wait (AWS would start more).
    """

    def __init__(self, put: PutLines, environment: dict[str, str], max_workers: int = 8) -> None:
        self._put = put
        self._environment = environment
        self._max_workers = max_workers
        self._changed = threading.Condition()
        self._idle: dict[str, list[Environment]] = {}
        self._busy: dict[str, list[Environment]] = {}
        self._closed = False

    def invoke(self, settings: FunctionSettings, event: bytes) -> Invocation:
        """Run the handler on an event (JSON), in an idle worker or a new one."""
        with self._acquired(settings) as environment:
            environment.lines.clear()
            return invoke(environment, event, self._open)

    def workers(self) -> dict[str, int]:
        """Return function -> number of worker processes."""
        with self._changed:
            both = [*self._idle.items(), *self._busy.items()]
            return {name: sum(len(envs) for key, envs in both if key == name) for name, _ in both}

    @contextlib.contextmanager
    def set_aside(self, name: str) -> Iterator[None]:
        """Set idle environments of a function aside while the block runs; environments started in it end."""
        with self._changed:
            kept = self._idle.pop(name, [])
        try:
            yield
        finally:
            with self._changed:
                stale = self._idle.pop(name, [])
                if self._closed:
                    stale += kept
                else:
                    self._idle[name] = kept
            for environment in stale:
                self._discard(environment)

    def close(self) -> None:
        """Kill every worker; running invocations end as if their process had been killed."""
        with self._changed:
            self._closed = True
            environments = [e for pool in (self._idle, self._busy) for envs in pool.values() for e in envs]
            self._idle.clear()
            self._changed.notify_all()
        for environment in environments:
            self._discard(environment)

    def _open(self, environment: Environment) -> Sandbox:
        """Start a new process for the environment."""
        settings = environment.settings
        variables = {**self._environment, **_variables(settings, environment.log_stream)}
        with self._changed:
            if self._closed:
                raise RuntimeError(f"the embedded AWS is closed; {settings.name} cannot run")
            environment.sandbox = Sandbox(
                settings.handler,
                variables,
                settings.code,
                settings.memory_mb,
                environment.write,
                settings.runtime,
            )
        return environment.sandbox

    @contextlib.contextmanager
    def _acquired(self, settings: FunctionSettings) -> Iterator[Environment]:
        environment = self._acquire(settings)
        try:
            yield environment
        finally:
            self._release(environment)

    def _acquire(self, settings: FunctionSettings) -> Environment:
        stale: list[Environment] = []
        with self._changed:
            idle = self._idle.setdefault(settings.name, [])
            busy = self._busy.setdefault(settings.name, [])
            while not idle and len(busy) >= (settings.concurrency or self._max_workers) and not self._closed:
                self._changed.wait()
            while idle and not _usable(idle[-1], settings):
                stale.append(idle.pop())
            environment = idle.pop() if idle else Environment(settings, settings.new_log_stream(), self._put)
            busy.append(environment)
        for old in stale:
            self._discard(old)
        return environment

    def _release(self, environment: Environment) -> None:
        name = environment.settings.name
        with self._changed:
            self._busy[name].remove(environment)
            reusable = not self._closed and _usable(environment, environment.settings)
            if reusable:
                self._idle[name].append(environment)
            self._changed.notify()
        if not reusable:
            self._discard(environment)

    def _discard(self, environment: Environment) -> None:
        sandbox = environment.sandbox
        if sandbox is None:
            return
        with self._changed:
            in_use = any(environment in envs for envs in self._busy.values())
        if in_use:
            sandbox.signal_kill()  # the waiting thread notices the end and closes it
        else:
            sandbox.close()


def _usable(environment: Environment, settings: FunctionSettings) -> bool:
    sandbox = environment.sandbox
    return environment.settings == settings and sandbox is not None and sandbox.running()


def _variables(settings: FunctionSettings, log_stream: str) -> dict[str, str]:
    """Return the environment variables of Lambda and of the function."""
    level = {"AWS_LAMBDA_LOG_LEVEL": "INFO"} if settings.log_format == "JSON" else {}
    return {
        "AWS_LAMBDA_FUNCTION_NAME": settings.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(settings.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": settings.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_LOG_FORMAT": settings.log_format,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{settings.runtime}",
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,
        "LAMBDA_TASK_ROOT": str(settings.code),
        "PYTHONPATH": str(settings.code),
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        **level,
        **({"AWS_ACCESS_KEY_ID": settings.access_key} if settings.access_key else {}),
        **dict(settings.environment),
    }
