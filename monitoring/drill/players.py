"""Run players in parallel: each has an embedded AWS in its own process, and takes the next fault of a queue.

Each fault is injected into an otherwise healthy application, so its result does not depend on the number of
players.
"""

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from monitoring.drill.breakages import Breakage
from monitoring.drill.jury import Verdict
from monitoring.drill.player import Part, Player
from monitoring.local_pipeline import PipelineOptions, start_pipeline

FAULTS_EACH = 16
"""The number of faults per player: fewer do not justify the start of another process."""
LARGEST = 4
END_SECONDS = 20.0


def number_of_players(faults: int) -> int:
    """Return the number of players for a number of faults: at most one more than processors."""
    return max(1, min(LARGEST, 1 + (os.cpu_count() or 1), faults // FAULTS_EACH))


class Helper:
    """A player in its own process, which starts at once and ends with `close`."""

    def __init__(self, options: PipelineOptions) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(options, there), daemon=True)
        self._process.start()
        there.close()

    def join(self, part: Part) -> None:
        """Select a state machine.

        Raises:
            RuntimeError: the process has not started.
        """
        self._ask("join", part)

    def play(self, name: str) -> Verdict:
        """Inject one fault and return the verdict."""
        verdict: Verdict = self._ask("play", name)
        return verdict

    def _ask(self, *question: Any) -> Any:
        try:
            self._here.send(question)
            fine, answer = self._here.recv()
        except (EOFError, OSError) as ended:
            raise RuntimeError("a process of the drill has ended") from ended
        if not fine:
            raise RuntimeError(answer)
        return answer

    def close(self) -> None:
        """End the process and all that it started."""
        with contextlib.suppress(OSError):
            self._process.terminate()
        self._process.join(END_SECONDS)
        if self._process.is_alive():
            self._process.kill()
        self._here.close()


def _serve(options: PipelineOptions, connection: Connection) -> None:
    """Execute a helper's requests until its connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command, which ends this process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(EOFError, BrokenPipeError), start_pipeline(options) as pipeline:
        player = Player(pipeline)
        while True:
            name, *arguments = connection.recv()
            try:
                connection.send((True, getattr(player, name)(*arguments)))
            except Exception as failed:  # noqa: BLE001  it is raised where it was asked
                connection.send((False, f"{type(failed).__name__}: {failed}"))


_Done = queue.Queue[tuple[Breakage, Verdict] | Exception]


def play(
    here: Player, helpers: Sequence[Helper], part: Part, faults: Sequence[Breakage]
) -> Iterator[tuple[Breakage, Verdict]]:
    """Yield each fault with its verdict as soon as it is judged, in any order.

    Args:
        here: the player in this process.
        helpers: players in other processes; if one does not start, the others do its work.
        part: the state machine.
        faults: the faults to inject.

    Raises:
        Exception: a fault could not be injected.
    """
    waiting, done = deque(faults), _Done()
    here.join(part)
    threads = [
        threading.Thread(target=_work, args=(player, part, waiting, done), name="drill", daemon=True)
        for player in (here, *helpers[: max(0, len(faults) - 1)])
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in faults:
            answer = done.get()
            if isinstance(answer, Exception):
                raise answer
            yield answer
    finally:
        waiting.clear()
    threads[0].join()


def _work(player: Player | Helper, part: Part, waiting: deque[Breakage], done: _Done) -> None:
    """Let a player inject faults until the queue is empty."""
    if isinstance(player, Helper):
        try:
            player.join(part)
        except RuntimeError:
            return
    with contextlib.suppress(IndexError):
        while True:
            breakage = waiting.popleft()
            try:
                done.put((breakage, player.play(breakage.name)))
            except Exception as failed:  # noqa: BLE001  raised in the thread that waits for it
                done.put(failed)
                return
