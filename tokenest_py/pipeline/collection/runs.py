"""A run's folder: phases.ndjson, the lock, the logs, and which telemetry folder it went with."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tokenest_py.errors import CollectionError, RunBusyError
from tokenest_py.pipeline.collection.journal import Journal, journal_path
from tokenest_py.pipeline.collection.leases import live_leases
from tokenest_py.pipeline.collection.phases import Phase, read_phases
from tokenest_py.pipeline.collection.worker import end_orphan
from tokenest_py.pipeline.files import write_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

__all__ = ["RUNS_FOLDER", "Run", "create_run", "find_run"]

RUNS_FOLDER = Path("runs")
PHASES = "phases.ndjson"


@dataclass(frozen=True, slots=True)
class Run:
    """A planned run: its folder and its phases, by phase_index."""

    folder: Path
    run_id: str
    phases: tuple[Phase, ...]

    def log_path(self, phase_id: str, attempt: int) -> Path:
        """Return the file for the output of an attempt."""
        return self.folder / "logs" / f"{phase_id}-{attempt}.log"

    def phase_path(self, phase_id: str, attempt: int) -> Path:
        """Return the file in which the worker finds the phase."""
        return self.log_path(phase_id, attempt).with_suffix(".json")

    def journal(self, telemetry_folder: Path) -> Journal:
        """Return the run's journal.

        Raises:
            CollectionError: It is damaged, is gone, or the run went with another folder.
        """
        return Journal(self._journal_path(telemetry_folder), self.run_id)

    def _journal_path(self, telemetry_folder: Path) -> Path:
        """Return where the journal lies, unless the run went with another folder."""
        path = journal_path(telemetry_folder, self.run_id)
        pointer = self.folder / "telemetry-folder"
        with contextlib.suppress(FileNotFoundError):
            known = pointer.read_text(encoding="utf-8").strip()
            if known and Path(known) != telemetry_folder.absolute():
                reason = f"was drained into {known}; set TOKENEST_TELEMETRY_DIR to it"
                raise CollectionError(self.folder, reason)
            if known and not path.exists():
                reason = "its journal is gone; restore it, or plan a new run"
                raise CollectionError(path, reason)
        return path

    @contextmanager
    def drained_into(
        self,
        telemetry_folder: Path,
        say: Callable[[str], None] | None = None,
        *,
        with_leases: bool = False,
    ) -> Iterator[Journal]:
        """Hold the run for this process and yield its journal; end what a killed one left.

        `say` is told of each attempt that was left running. A service goes on with the leases
        that it has given.

        Raises:
            RunBusyError: Another process drains the run.
            CollectionError: As `journal()`, or the folder cannot be written.
        """
        with self._lock():
            out = [] if with_leases else live_leases(self.folder)
            if out:
                reason = f"is being drained through a service: {out[0].phase_id} is out"
                raise RunBusyError(self.folder, f"{reason}; wait, or drain with --api-url")
            path = self._journal_path(telemetry_folder)
            try:
                (self.folder / "logs").mkdir(mode=0o700, exist_ok=True)
                telemetry_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)
                pointer = self.folder / "telemetry-folder"
                write_beside(pointer, f"{telemetry_folder.absolute()}\n").replace(pointer)
            except OSError as error:
                raise CollectionError(
                    Path(error.filename or self.folder), f"cannot be written: {error.strerror}"
                ) from error
            with self._alone_in(path):
                journal = Journal(path, self.run_id)
                attempts = Counter(attempt.phase_id for attempt in journal.attempts)
                for phase in self.phases:
                    log = self.log_path(phase.phase_id, attempts[phase.phase_id] + 1)
                    if end_orphan(log) and say is not None:
                        what = f"an interrupted attempt at {phase.phase_id}"
                        say(f"ended what {what} had left running")
                yield journal

    def _alone_in(self, journal: Path) -> AbstractContextManager[int]:
        """Hold the journal, which goes by the run's id: a copy of the folder appends to it, too."""
        reason = f"holds run {self.run_id}, which is being drained from another folder"
        reason += "; wait for it, or give these phases a run_id of their own"
        return self._held(journal, os.O_RDWR, lambda _: reason)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        def busy(fd: int) -> str:
            holder = os.read(fd, 20).decode("ascii", "replace").strip() or "unknown"
            return f"is being drained by process {holder}; wait for it, or end it"

        with self._held(self.folder / "lock", os.O_RDWR | os.O_CREAT, busy) as fd:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
            yield

    @contextmanager
    def _held(self, path: Path, flags: int, busy: Callable[[int], str]) -> Iterator[int]:
        """Hold a file that one process holds at a time; `busy` says why another has it."""
        try:
            fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise CollectionError(path, f"cannot be written: {error.strerror}") from error
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunBusyError(self.folder, busy(fd)) from None
            yield fd
        finally:
            os.close(fd)


def create_run(folder: Path, phases: Sequence[Phase]) -> Path:
    """Write the phases to a new run's folder and return their file.

    Raises:
        CollectionError: The run is there already, or the folder cannot be written.
    """
    path = folder / PHASES
    text = "".join(json.dumps(phase.as_dict(), ensure_ascii=False) + "\n" for phase in phases)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A file that is linked in has its whole content from the first moment, and replaces none.
        temporary = write_beside(path, text)
        try:
            os.link(temporary, path)
        finally:
            temporary.unlink()
    except FileExistsError:
        raise CollectionError(path, "is there already; choose another --run") from None
    except OSError as error:
        raise CollectionError(path, f"cannot be written: {error.strerror}") from error
    return path


def find_run(name: str) -> Run:
    """Return the run in a folder, given by its path, that of its phases, or its name in runs/.

    Raises:
        CollectionError: There is none, or it is damaged.
    """
    given = Path(name)
    folder = given.parent if given.name == PHASES else given
    if not folder.is_dir() and (RUNS_FOLDER / name).is_dir():
        folder = RUNS_FOLDER / name
    phases = read_phases(folder / PHASES)
    return Run(folder, phases[0].run_id, phases)
