"""Define the command `stepscope`: each subcommand is a module that is imported when it is called.

This module needs only the standard library, to report which extra is missing.
"""

import errno
import gc
import os
import sys
from collections.abc import Sequence

from monitoring.cli.commands import COMMANDS
from monitoring.cli.failure import print_error, wants_json
from monitoring.errors import InputError, missing_module

__all__ = ["COMMANDS", "main"]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 fine, 1 found something, 2 wrong usage or input, 3 a bug."""
    _travel_light()
    status = _run(sys.argv[1:] if argv is None else argv)
    if status == INTERRUPTED and argv is None:
        # All that was started has ended. Native modules would report objects that the interruption left.
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


INTERRUPTED = 130
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Error numbers of a full disk, quota or file, which are not bugs of this program."""


def _travel_light() -> None:
    """Reduce the time to start a short process."""
    gc.set_threshold(20_000)  # imports create hardly any garbage
    # The library behind numpy's matrices starts a thread a processor, which spin; no matrix here is large.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _run(argv: Sequence[str]) -> int:
    try:
        from monitoring.cli.group import run

        status = run(argv)
        sys.stdout.flush()
        return status
    except InputError as error:
        return _fail_for_input(error, argv)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        _close_output()
        return 0
    except Exception as error:  # the last line of defence: said as the bug that it is
        if os.environ.get("MONITORING_DEBUG"):
            raise
        return _fail_unexpectedly(error, argv)


def _fail_unexpectedly(error: Exception, argv: Sequence[str]) -> int:
    if full := _full(error):
        return _fail(full, 2)
    missing = _missing(error, argv) if isinstance(error, ImportError) else None
    if missing:
        return _fail_for_input(missing, argv)
    bug = InputError(
        f"a bug: {type(error).__name__}: {error}",
        hint="Run it again with MONITORING_DEBUG=1 and report what it prints.",
    )
    return _fail_for_input(bug, argv, 3)


def _fail_for_input(error: InputError, argv: Sequence[str], status: int = 2) -> int:
    if wants_json(argv):
        print_error(error)
    return _fail(str(error), status)


def _full(error: Exception) -> str:
    """Return what cannot be written because a disk is full, or "" for another error."""
    if isinstance(error, OSError) and error.errno in _FULL:
        _close_output()
        return f"{error.filename or 'the output'}: cannot be written: {error.strerror}"
    if any(
        os.strerror(code) in str(error) for code in _FULL
    ):  # in the words of DuckDB, whose errors have no number
        return f"{error}\n  Make room on the disk. What was acknowledged is in the journal and is not lost."
    return ""


def _close_output() -> None:
    """Discard buffered output, because flushing it at the end of the process would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _missing(error: ImportError, argv: Sequence[str]) -> InputError | None:
    """Return the error that names the extra to install, if an import failed because of a missing extra."""
    name = next((word for word in argv if word in COMMANDS), "")
    needed_by = f"`stepscope {name}`" if name else "`stepscope`"
    return missing_module(error, needed_by, COMMANDS[name][0] if name else "tools")


def _fail(message: str, status: int) -> int:
    from monitoring.terminal import printable

    print(f"stepscope: {printable(message)}", file=sys.stderr)
    return status
