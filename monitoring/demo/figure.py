"""An HTTP server that is too slow: it sends a byte now and then, and never completes its response."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

BYTE_SECONDS = 0.5
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"


class SlowFigure:
    """Serve on loopback while the `with` block runs; `.url` is the address."""

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.2)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/cost"
        self._threads = [threading.Thread(target=self._accept, name="slow figure", daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._drip, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _drip(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(_HEAD)
            while not self._ended.wait(BYTE_SECONDS):
                connection.sendall(b"0")
