"""One execution environment of a function: a worker process under AWS's runtime client, and its watch.

Whoever invokes waits in one loop over the worker's output, its Runtime API sockets and its end; there are no
threads here. Killing takes the whole process group, so that what a handler started goes with it.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from monitoring.local_aws.output import Line, OutputReader
from monitoring.local_aws.runtime_api import Connection, Request, listen
from monitoring.local_aws.runtime_clients import command

LOOK_SECONDS = 0.02
"""How often the worker's memory is looked at, and, where the system cannot tell, whether it has ended."""

_API = "/2018-06-01/runtime/"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Describe a worker's step: it asks for the `next` event, answers, fails, or ends."""

    kind: Literal["next", "response", "error", "init_error", "exit", "memory", "timeout"]
    body: bytes = b""
    error_type: str = ""
    exit_code: int = 0


class Sandbox:
    """A worker process.

    Args:
        handler: `package.module.function`.
        environment: its whole environment, but for what the runtime client itself needs.
        folder: where its code lies; its working directory.
        memory_mb: it is killed when it holds more; only Linux can tell.
        on_lines: called with what it writes, as it comes.
        runtime: the function's, which says what runs the handler.
    """

    def __init__(
        self,
        handler: str,
        environment: Mapping[str, str],
        folder: Path,
        memory_mb: int,
        on_lines: Callable[[list[Line]], None],
        runtime: str = "python",
    ) -> None:
        self._on_lines = on_lines
        self._memory_mb = memory_mb
        self._reader = OutputReader()
        self._requests: list[Request] = []
        self._waiting: Connection | None = None
        self._connections: list[Connection] = []
        self.peak_mb = 0
        self.alive = True
        self._killed = False
        self._closing = threading.Lock()
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._listener = listen()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._process = self._spawn(command(runtime, handler), {**environment, "_HANDLER": handler}, folder)
        self._end = _process_end(self._process.pid)
        if self._end is not None:
            self._selector.register(self._end, selectors.EVENT_READ, lambda: None)

    def _spawn(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> "subprocess.Popen[bytes]":
        output, write_end = os.pipe()
        frames = os.dup(write_end)
        port = self._listener.getsockname()[1]
        runtime = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "_LAMBDA_TELEMETRY_LOG_FD": str(frames),
        }
        try:
            process = subprocess.Popen(  # noqa: S603  an interpreter, with the user's own handler
                arguments,
                cwd=folder,
                env={**environment, **runtime},
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                pass_fds=(frames,),
                start_new_session=True,  # Ctrl-C at the terminal is ours to handle, not the worker's
            )
        except OSError:
            os.close(output)
            self._listener.close()
            self._selector.close()
            raise
        finally:
            os.close(write_end)
            os.close(frames)
        os.set_blocking(output, False)
        self._output = output
        self._selector.register(output, selectors.EVENT_READ, self._read)
        return process

    def wait(self, seconds: float) -> Outcome:
        """Wait for the worker's next step, at most for this time."""
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            for key, _ in self._selector.select(max(0.0, min(left, LOOK_SECONDS))):
                key.data()
            if self._requests:
                return self._outcome(self._requests.pop(0))
            if self._process.poll() is not None:
                return self._ended()
            if self._over_memory():
                self.kill()
                return Outcome("memory")
            if left <= 0:
                return Outcome("timeout")

    def send(self, event: bytes, headers: dict[str, str]) -> None:
        """Send the next event to the worker that asked for it."""
        if self._waiting is not None:
            self._waiting.answer(200, event, {"Content-Type": "application/json", **headers})
            self._waiting = None

    def kill(self) -> None:
        """Kill the worker and all that it started, and read what it had written."""
        if not self._killed:  # afterwards its number may be another's
            self.signal_kill()
            self._killed = True
        self._process.wait()
        self._ended()

    def signal_kill(self) -> None:
        """Kills the worker from another thread than the one that waits for it; that one sees its end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def running(self) -> bool:
        """Return whether the worker can take another event."""
        return self.alive and self._waiting is not None and self._process.poll() is None

    def close(self) -> None:
        """Kills the worker and gives back its sockets and pipes; harmless when done twice, also at once."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self.kill()
        for connection in self._connections:
            connection.close()
        self._listener.close()
        self._selector.close()
        os.close(self._output)
        if self._end is not None:
            os.close(self._end)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            peer, _ = self._listener.accept()
            peer.settimeout(30)
            connection = Connection(peer)
            self._connections.append(connection)
            self._selector.register(peer, selectors.EVENT_READ, lambda: self._receive(connection))

    def _receive(self, connection: Connection) -> None:
        requests, closed = connection.receive()
        self._requests.extend(requests)
        if closed:
            self._selector.unregister(connection.socket)
            self._connections.remove(connection)
            connection.close()

    def _outcome(self, request: Request) -> Outcome:
        path = request.path.removeprefix(_API)
        if path == "invocation/next":
            self._waiting = request.connection
            self._drain()
            return Outcome("next")
        request.connection.answer(202, b'{"status":"OK"}')
        self._drain()  # the worker writes its lines before it answers, so they are all here
        self._emit(self._reader.flush())
        self._look()
        error_type = request.headers.get("lambda-runtime-function-error-type", "")
        if path == "init/error":
            return Outcome("init_error", request.body, error_type)
        return Outcome("error" if path.endswith("/error") else "response", request.body, error_type)

    def _ended(self) -> Outcome:
        if self.alive:
            self.alive = False
            self._drain()
            self._emit(self._reader.flush())
        return Outcome("exit", exit_code=self._process.returncode)

    def _read(self) -> bool:
        """Return whether there was anything to read."""
        try:
            data = os.read(self._output, 1 << 18)
        except BlockingIOError:
            return False
        if data:
            self._emit(self._reader.feed(data))
        elif self._output in self._selector.get_map():
            self._selector.unregister(self._output)
        return bool(data)

    def _drain(self) -> None:
        while self._read():
            pass

    def _emit(self, lines: list[Line]) -> None:
        if lines:
            self._on_lines(lines)

    def _over_memory(self) -> bool:
        return self._look() > self._memory_mb

    def _look(self) -> int:
        used = memory_mb(self._process.pid)
        self.peak_mb = max(self.peak_mb, used)
        return used


def memory_mb(pid: int) -> int:
    """Megabytes that are a process's own (libraries read from files are not); 0 where nobody can tell."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE") >> 20


def _process_end(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends, where the system has such a thing."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None
