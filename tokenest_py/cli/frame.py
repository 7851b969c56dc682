"""The outermost frame of a command: signals, standard streams and exit codes, in one place.

Exit codes: 0 ok, 1 error, 2 usage, 3 a gate failed, 4 no data or not enough, 75 database busy,
129, 130 and 143 interrupted. Results go to standard output, progress and errors to standard error;
an error is one line. It is loaded before everything else, so that a signal finds it in its place.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import signal
import sys
from typing import TYPE_CHECKING

from tokenest_py.errors import TokenestError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from _typeshed import ReadableBuffer

__all__ = ["framed"]

# The last one a terminal sends that is closed; Windows has none.
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Interrupted(KeyboardInterrupt):
    """Of its own kind: once a KeyboardInterrupt has left an exec(), `python -m` dies of SIGINT."""


class Interrupts:
    """Turns the first signal into KeyboardInterrupt, and remembers it: libraries swallow some."""

    def __init__(self) -> None:
        """Listen, unless who started this process ignores the signal, as a shell's `&` or nohup."""
        self.number = 0
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._interrupt)

    def stop(self) -> None:
        """Listen no more: what is left to do is to say how it ended."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _interrupt(self, number: int, _frame: FrameType | None) -> None:
        self.number = number
        # An interrupt within a destructor would be printed with its traceback.
        sys.unraisablehook = lambda _: None
        raise Interrupted


class Output(io.FileIO):
    """Standard output, whose faults say that they are its own.

    Where its reader (head, less) has gone, the rest is dropped: what else a command does is done,
    and how it ended is said.
    """

    reader_has_gone = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write bytes; raises TokenestError when it takes none."""
        try:
            return super().write(data)
        except BrokenPipeError:
            Output.reader_has_gone = True
            return memoryview(data).nbytes
        except OSError as error:
            reason = f"standard output cannot be written: {error.strerror}"
            raise TokenestError(reason) from error


class Messages(io.FileIO):
    """Standard error, which drops what cannot be written.

    That nobody listens, or that the disk of the log is full, is no reason to stop.
    """

    def write(self, data: ReadableBuffer, /) -> int:
        """Write bytes, or let them go; never raises."""
        with contextlib.suppress(OSError):
            return super().write(data) or memoryview(data).nbytes
        return memoryview(data).nbytes


def framed(command: Callable[[], int]) -> int:
    """Run a command and return its exit code; never raises, and prints no traceback."""
    interrupts = Interrupts()
    message = ""
    try:
        _prepare_streams()
        # Files that this process creates (database, exports, reports) are the user's own.
        os.umask(0o077)
        exit_code = command()
        sys.stdout.flush()
    except KeyboardInterrupt:
        exit_code, message = 128 + signal.SIGINT, "interrupted"
    except TokenestError as error:
        exit_code, message = error.exit_code, str(error)
    except Exception as error:  # noqa: BLE001 - the outermost frame: nothing is above it
        exit_code, message = 1, _unexpected(error)
    interrupts.stop()
    if interrupts.number:
        exit_code, message = 128 + interrupts.number, "interrupted"
    if message:
        print(f"tokenest: {' '.join(message.split())}", file=sys.stderr, flush=True)
    _close_output()
    return exit_code


def _prepare_streams() -> None:
    """Have three streams, and let no character that their encoding lacks stop a result."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # else the next file that is opened would take its place
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8")
    encoding = sys.stderr.encoding if sys.stderr else "utf-8"
    messages = io.BufferedWriter(Messages(2, "wb", closefd=False))
    sys.stderr = io.TextIOWrapper(messages, encoding, "backslashreplace", line_buffering=True)
    encoding = sys.stdout.encoding if sys.stdout else "utf-8"
    output = io.BufferedWriter(Output(1, "wb", closefd=False))
    codecs.register_error("escaped", _escaped)
    sys.stdout = io.TextIOWrapper(output, encoding, "escaped", line_buffering=output.isatty())


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Return characters that an encoding lacks as JSON escapes them: a result stays JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    digits = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{digits[i : i + 4]}" for i in range(0, len(digits), 4)), error.end


def _close_output() -> None:
    """Leave nothing to write: Python would try again while it exits, and print a traceback."""
    with contextlib.suppress(OSError, TokenestError):
        sys.stdout.flush()
        return
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _unexpected(error: Exception) -> str:
    """Write the traceback to a file of its own and return the line that names it."""
    import tempfile
    import traceback

    what = f"unexpected {type(error).__name__}: {error}"
    try:
        descriptor, path = tempfile.mkstemp(prefix="tokenest-", suffix=".log")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return what
    return f"{what}; please report it with {path}"
