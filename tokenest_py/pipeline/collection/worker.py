"""One attempt: the user's own command, in a process group of its own, with a time limit."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tokenest_py.errors import CollectionError, LeaseLostError, UsageError

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

__all__ = ["Ending", "end_orphan", "parse_command", "run"]

GRACE_SECONDS = 5.0  # between the request to end and the kill
LOG_BYTES = 16 << 20  # a log that grows beyond is cut to its head, and goes on from there
LOG_HEAD_BYTES = 1 << 20
LOOK_SECONDS = 0.2  # between two looks at the log, and at whether the phase is still ours

# The shell writes its process id, which the worker inherits, before the worker begins: a
# controller that is killed at any moment leaves the id of whatever it started.
_ANNOUNCE = 'echo $$ >"$0" && exec "$@"'


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended. `exit_code` is None when the time limit ended it."""

    exit_code: int | None
    seconds: float


def parse_command(command: str) -> tuple[str, ...]:
    """Return the words of the worker's command.

    Raises:
        UsageError: It is empty, is not quoted properly, or names no program.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError("--worker", command, f"a command with matched quotes ({error})") from error
    if not words or shutil.which(words[0]) is None:
        raise UsageError("--worker", command, "a command whose program exists and may be run")
    return tuple(words)


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    time_limit: float,
    umask: int = -1,
    lost: threading.Event | None = None,
) -> Ending:
    """Run the command to its end, its output in `log`, and end whatever it leaves running.

    Args:
        command: Program and arguments; no shell reads them.
        environment: Variables on top of this process's own.
        log: The file for standard output and standard error, replaced.
        time_limit: Seconds after which the whole process group is ended.
        umask: The umask of the command; -1 leaves this process's own.
        lost: Set when the phase is no longer this process's.

    Raises:
        LeaseLostError: It was set.
    """
    pid_file = log.with_suffix(".pid")
    started = time.monotonic()
    log.unlink(missing_ok=True)
    with log.open("ab") as output:  # to append is what lets a log be cut while it is written
        fcntl.flock(output, fcntl.LOCK_EX)  # held as long as anything of the attempt runs
        process = subprocess.Popen(
            ["/bin/sh", "-c", _ANNOUNCE, str(pid_file), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | dict(environment),
            start_new_session=True,
            umask=umask,
        )
        try:
            code = _waited_for(process, started + time_limit, output.fileno(), lost)
        finally:
            seconds = time.monotonic() - started
            _end_group(process)
            _end_holders(log)
    pid_file.unlink(missing_ok=True)
    if code is not None and code < 0:
        code = 128 - code  # as a shell says it
    return Ending(code, seconds)


def end_orphan(log: Path) -> bool:
    """End what a killed controller left running of the attempt with this log.

    Returns whether anything ran.

    Raises:
        CollectionError: It does not end, or does not say what it is.
    """
    pid_file = log.with_suffix(".pid")
    try:
        file = log.open("rb")
    except FileNotFoundError:
        return False
    with file:
        if _lock_within(file.fileno(), 0):
            pid_file.unlink(missing_ok=True)
            return False
        group = _announced(pid_file)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if group is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, number)
            if _lock_within(file.fileno(), GRACE_SECONDS):
                pid_file.unlink(missing_ok=True)
                return True
    who = "a process" if group is None else f"process group {group}"
    raise CollectionError(log, f"{who} of an interrupted attempt still runs; end it and try again")


def _waited_for(
    process: subprocess.Popen[bytes], deadline: float, log: int, lost: threading.Event | None
) -> int | None:
    """Return the exit code; None when the time is over. The log stays within its bound."""
    while True:
        left = deadline - time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=max(0.0, min(left, LOOK_SECONDS)))
        if os.fstat(log).st_size > LOG_BYTES:
            os.ftruncate(log, LOG_HEAD_BYTES)
        if lost is not None and lost.is_set():
            raise LeaseLostError(process.args, "was ended: its lease is lost")
        if left <= 0:
            return None


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the leader, if it still runs, and then whatever is left of its group."""
    if process.poll() is None:
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE_SECONDS)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _end_holders(log: Path) -> None:
    """Kill what left the group and still writes to the log, where the system lists open files."""
    for link in Path("/proc").glob("[0-9]*/fd/[12]"):
        with contextlib.suppress(OSError):
            if link.stat().st_ino == log.stat().st_ino and link.readlink() == log.absolute():
                os.kill(int(link.parts[2]), signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _lock_within(fd: int, seconds: float) -> bool:
    """Take the lock, which is free once nothing of the attempt runs; False after the time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def _announced(pid_file: Path) -> int | None:
    """Return the process group that the shell announced, if it is one that leads a session."""
    for _ in range(40):
        with contextlib.suppress(OSError, ValueError):
            group = int(pid_file.read_text(encoding="ascii"))
            try:
                # A process with this number that leads no session is a later, foreign one.
                return group if group > 1 and os.getsid(group) == group else None
            except ProcessLookupError:
                return group  # the leader is gone, others of its group are not
        time.sleep(0.05)
    return None
