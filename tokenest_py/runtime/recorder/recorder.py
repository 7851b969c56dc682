"""Telemetry that cannot harm the application: one event, one line, one write.

What `record()` promises, and every field, is in docs/recorder.md.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, NamedTuple

from tokenest_py.errors import DroppedEventError, UsageError
from tokenest_py.runtime.arguments import check_flag, check_number, path_in_environment, path_of
from tokenest_py.runtime.log import warn
from tokenest_py.runtime.providers import call_fields
from tokenest_py.runtime.providers.members import is_partial
from tokenest_py.runtime.recorder import record as event_record
from tokenest_py.runtime.recorder.file import EventFile
from tokenest_py.runtime.recorder.guardrails import Guardrails

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any, Unpack

    from tokenest_py.runtime.estimator import Estimator
    from tokenest_py.runtime.recorder.record import EventFields

DEFAULT_DIRECTORY = "telemetry/recorded"
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_FILE_SECONDS = 86_400.0


class RecorderStatus(NamedTuple):
    """What became of the events of this process so far.

    Attributes:
        enabled: Whether events are written at all. While off, nothing is counted.
        attempts: Events handed over: `written` and the sum of `dropped`.
        written: Events for which `record()` returned True.
        dropped: Events for which it did not, by reason: the name of the system's error
            (ENOSPC), missing_actual_output_tokens, invalid_<field>, or what docs/recorder.md lists.
        unknown_fields: Fields left out because the event record has none of that name.
        guardrails: Calls with deliverables and a prediction (`predicted`), and how many of them
            broke each rule of `marts.alerts` about single calls.
        file: The file that took the last event; None before the first.
    """

    enabled: bool
    attempts: int
    written: int
    dropped: Mapping[str, int]
    unknown_fields: int
    guardrails: Mapping[str, int]
    file: Path | None


class Recorder:
    """Appends events to a file of this process. Make one for each process and keep it.

    Safe to use from many threads and across forks: a forked child writes a file of its own and
    counts from zero.
    """

    _out_of_stack = 0  # drops where the host's stack had no room left to count them

    def __init__(
        self,
        directory: str | os.PathLike[str] = DEFAULT_DIRECTORY,
        *,
        enabled: bool | None = None,
        fsync: bool = False,
        paths: str = "full",
        path_key: str | bytes | None = None,
        max_bytes: int = MAX_FILE_BYTES,
        max_age_seconds: float = MAX_FILE_SECONDS,
        lock_timeout: float = 2,
    ) -> None:
        """Prepare a recorder; folder and file are made by the first event.

        Args:
            directory: The folder, made with mode 0700 where there is none.
            enabled: None reads TELEMETRY_DB_ENABLED.
            fsync: Wait for the disk with each event, so that it survives a power cut.
            paths: What is kept of each deliverable: "full", "basename", "hash" or "none".
            path_key: The key of "hash". Without one it is random, so that the codes of two
                recorders do not compare.
            max_bytes: Size at which a new file is begun.
            max_age_seconds: Age at which a new file is begun.
            lock_timeout: Seconds after which an event is dropped because another thread's
                write hangs.

        Raises:
            UsageError: An option with which every event would be dropped, or kept in the open.
        """
        place = path_of("directory", directory)
        if paths not in event_record.PATH_MODES:
            raise UsageError("paths", paths, event_record.PATH_MODES)
        if not isinstance(path_key, (str, bytes, type(None))):
            raise UsageError("path_key", path_key, "a text or bytes")
        for name, flag in (("enabled", enabled), ("fsync", fsync)):
            if flag is not None:
                check_flag(name, flag)
        check_number("max_bytes", max_bytes)
        check_number("max_age_seconds", max_age_seconds)
        check_number("lock_timeout", lock_timeout, threading.TIMEOUT_MAX)
        self.enabled = _is_on("TELEMETRY_DB_ENABLED") if enabled is None else enabled
        if not self.enabled:
            return
        from pathlib import Path  # a recorder that is off costs no import

        folder = Path(place)
        with contextlib.suppress(OSError):  # the working directory may be gone
            folder = folder.absolute()  # the host may change its working directory
        self._file_options = (folder, fsync, max_bytes, max_age_seconds)
        self._lock_timeout = lock_timeout
        self._path_privacy = event_record.path_privacy(paths, path_key)
        self._start()
        _recorders.add(self)

    def __getstate__(self) -> dict[str, object]:
        """Its options: what is unpickled writes a file of its own, as a forked child does."""
        options = ("enabled", "_file_options", "_lock_timeout", "_path_privacy")
        return {name: value for name, value in vars(self).items() if name in options}

    def __setstate__(self, options: dict[str, object]) -> None:
        """Begin with a new file and no counts."""
        vars(self).update(options)
        if self.enabled:
            self._start()
            _recorders.add(self)

    @classmethod
    def from_env(cls) -> Recorder:
        """Return the recorder that the environment asks for. Never raises.

        TELEMETRY_DB_ENABLED switches it on, TOKENEST_TELEMETRY_DIR is its folder,
        TOKENEST_TELEMETRY_FSYNC is on for 1, true or yes, TOKENEST_TELEMETRY_PATHS is the mode
        of `paths` (an unknown one counts as "none") and TOKENEST_TELEMETRY_PATH_KEY its key.
        """
        paths = os.environ.get("TOKENEST_TELEMETRY_PATHS") or "full"
        return cls(
            path_in_environment("TOKENEST_TELEMETRY_DIR") or DEFAULT_DIRECTORY,
            fsync=_is_on("TOKENEST_TELEMETRY_FSYNC"),
            paths=paths if paths in event_record.PATH_MODES else "none",
            path_key=os.environ.get("TOKENEST_TELEMETRY_PATH_KEY"),
        )

    def record(self, **fields: Unpack[EventFields]) -> bool:
        """Write one event, given as fields of the event record by name. Never raises.

        `actual_output_tokens` is required. `event_id` and `occurred_at` are filled in; without
        `run_id` the run is "unknown", without `phase_id` the call is a phase of its own.

        Returns:
            True when the event is written and survives a kill of this process; False when
            recording is off, or when the event was dropped and counted in `status()`.
        """
        if not self.enabled:
            return False
        try:
            self._write(fields)
        except BaseException as error:
            is_interrupt = False
            try:
                is_interrupt = self._count_drop(error)
            except RecursionError:
                self._out_of_stack += 1
            if is_interrupt:
                raise
            return False
        return True

    def record_response(
        self,
        estimate: object,
        response: object,
        *,
        budget: object = None,
        estimator: Estimator | None = None,
        **fields: Unpack[EventFields],
    ) -> bool:
        """Write one event from an estimate and a provider's response. Never raises.

        Args:
            estimate: The TokenEstimate, or None.
            response: What a provider that docs/recorder.md names returned, as an object or a
                dictionary, or the list of a stream's events. No text of it is read.
            budget: The Budget whose `max_tokens` was sent.
            estimator: The Estimator that made it, which is told of the outcome (`observe()`), with
                recording off too.
            fields: Fields as in `record()`, `run_id` and `phase_id` among them. They win over
                what the estimate, the budget and the response say.

        Returns:
            As `record()`.
        """
        if not self.enabled and estimator is None:
            return False
        try:
            found: dict[str, Any] = {**call_fields(estimate, budget, response), **fields}
            if estimator is not None and isinstance(budget, tuple) and not is_partial(found):
                told: Any = budget
                estimator.observe(  # before the write: a full disk keeps no budget from learning
                    told,
                    output_tokens=found.get("actual_output_tokens", 0),
                    stop_reason=found.get("stop_reason"),
                    run_id=found.get("run_id"),
                )
            if self.enabled:
                self._write(found)
        except BaseException as error:  # again: a shared method's frame could overflow the stack
            is_interrupt = False
            try:
                is_interrupt = self._count_drop(error)
            except RecursionError:
                self._out_of_stack += 1
            if is_interrupt:
                raise
            return False
        return self.enabled

    def status(self) -> RecorderStatus:
        """Return the counts so far. `attempts - written` is the number of dropped events."""
        if not self.enabled:
            return RecorderStatus(
                enabled=False,
                attempts=0,
                written=0,
                dropped={},
                unknown_fields=0,
                guardrails={},
                file=None,
            )
        with self._counts_lock:
            written, dropped = self._written, dict(self._dropped)
            guardrails = dict(self._guardrails.counts)
        if self._out_of_stack:
            dropped["RecursionError"] = dropped.get("RecursionError", 0) + self._out_of_stack
        return RecorderStatus(
            enabled=True,
            attempts=written + sum(dropped.values()),
            written=written,
            dropped=dropped,
            unknown_fields=self._unknown_fields,
            guardrails=guardrails,
            file=self._file.path,
        )

    def close(self) -> None:
        """End the file. An event after that begins a new one."""
        if self.enabled:
            with self._lock:
                if not self._is_writing:
                    self._file.close()

    def restart_after_fork(self) -> None:
        """Begin anew in a forked child, leaving the parent's file alone.

        Called by itself after `os.fork()`; only a fork that bypasses Python has to call it.
        """
        if self.enabled:
            self._file.abandon()
            self._start()

    def _start(self) -> None:
        """Begin with a new file, new locks and no counts: at first, and in a forked child."""
        folder, fsync, max_bytes, max_age_seconds = self._file_options
        self._file = EventFile(
            folder, fsync=fsync, max_bytes=max_bytes, max_age_seconds=max_age_seconds
        )
        self._lock = threading.RLock()
        self._is_writing = False
        self._counts_lock = threading.RLock()
        self._written = 0
        self._dropped: dict[str, int] = {}
        self._out_of_stack = 0
        self._unknown_fields = 0
        self._guardrails = Guardrails()
        self._id_prefix = os.urandom(12).hex()
        self._id_numbers = itertools.count(1)

    def _write(self, fields: Mapping[str, object]) -> None:
        event_id = f"{self._id_prefix}{next(self._id_numbers):08x}"
        line, unknown = event_record.encode_event(fields, event_id, self._path_privacy)
        if unknown:
            self._count_unknown_fields(unknown)
        self._append(line)
        if "predicted_output_tokens" in fields:
            self._judge(fields)

    def _judge(self, fields: Mapping[str, object]) -> None:
        """Hold the prediction against what came of it; the event is written whatever this does."""
        with contextlib.suppress(Exception), self._counts_lock:
            warning = self._guardrails.judge(fields)
            if warning:
                warn(warning)

    def _append(self, line: bytes) -> None:
        lock, is_ours = self._lock, True
        try:
            if lock.acquire(timeout=self._lock_timeout):
                if self._is_writing:  # by a signal handler or a destructor within our own write
                    raise DroppedEventError("reentrant")
                self._is_writing = True
                try:
                    self._file.append(line)
                    self._written += 1
                finally:
                    self._is_writing = False
        finally:
            try:  # a flag set after acquire() would miss an interrupt between the two
                lock.release()
            except RuntimeError:
                is_ours = False
        if not is_ours:
            raise DroppedEventError("lock_timeout")

    def _count_drop(self, error: BaseException) -> bool:
        """Count the event, and return whether the error is for the host: an interrupt, an exit."""
        reason, is_interrupt = _reason(error), _is_for_the_host(error)
        if not self.enabled:
            return is_interrupt
        if reason not in self._dropped:
            self._dropped[reason] = 0
            place = f" in {str(self._file_options[0])!r}" if isinstance(error, OSError) else ""
            warn(f"telemetry events are dropped: {reason}{place}")
        with self._counts_lock:
            self._dropped[reason] += 1
        return is_interrupt

    def _count_unknown_fields(self, count: int) -> None:
        if not self._unknown_fields:
            warn("telemetry events have fields that the event record does not know")
        with self._counts_lock:
            self._unknown_fields += count


_OFF = ("", "0", "false", "no", "off")  # said as such; whoever writes more may mean on
_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _restart_all() -> None:
    for recorder in tuple(_recorders):
        recorder.restart_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_all)


def _is_for_the_host(error: BaseException) -> bool:
    """Whether it stops more than the event. Nothing here awaits or yields: a value raised those."""
    asyncio = sys.modules.get("asyncio")
    raised_by_values = (Exception, GeneratorExit, *((asyncio.CancelledError,) if asyncio else ()))
    return not isinstance(error, raised_by_values)


def _reason(error: BaseException) -> str:
    if isinstance(error, DroppedEventError):
        return str(error.args[0])
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, "OSError")
    return type(error).__name__


def is_on(value: str) -> bool:
    """Return whether the value of a setting switches it on."""
    return value.strip().lower() in ("1", "true", "yes")


def _is_on(variable: str) -> bool:
    value = os.environ.get(variable, "")
    if not is_on(value) and value.strip().lower() not in _OFF:
        warn(f"{variable}={value!r:.50} is not 1, true or yes: it is off")
    return is_on(value)
