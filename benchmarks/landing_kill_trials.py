"""Kill builds, and the writers beside them, with signal 9; then count every line again.

    python benchmarks/landing_kill_trials.py --dbt 250 --plan 250

Real recorders append events while a build runs, so that files grow before, during and between
builds. A trial kills the builder, dbt's landing or `tokenest build`, and every third time the
writers with it: half of the trials at a random moment, half right before one chosen SQL statement
(begin and commit are statements too). Then the database is opened again: the lines that it holds
have to be the first ones of each file, each once, with a verdict. The next `tokenest build` has to
complete, whichever was killed; an event recorded after the kill has to land, and every line of
every file has to be accounted for, counted by reading the files. Every acknowledged event is there
exactly once. The same check has to catch a landing in two steps without a transaction: else it
could not see a loss.
"""

from __future__ import annotations

import argparse
import itertools
import mmap
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import duckdb
from dbt.cli.main import dbtRunner

from timing import plan_at_home
from tokenest_py import Recorder
from tokenest_py.__main__ import run
from tokenest_py.pipeline.plan.store import plan_name

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
PLACES = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT)]
LINES = "staging.base_tokenest__lines"
# The plan's build before it made the tables of the other sources, of which no file is there.
FOREIGN = [path for path in ROOT.glob("models/staging/*/") if path.name != "tokenest"]
LANDING = ["-s", "+files", "+rejected_lines", "+int_events",
           "--exclude", *(f"path:{path.relative_to(ROOT)}" for path in FOREIGN)]  # fmt: skip
SETTINGS = {
    "TOKENEST_DB": "tokenest.duckdb",
    "TOKENEST_EXPORTS": "exports",
    "TOKENEST_TELEMETRY": "telemetry/*.ndjson",
    "DO_NOT_TRACK": "1",
}
WRITERS = 2
SPAN = 50  # kills of one database: the next is new, so that the last kill costs what the first does
MOST_FAULTS = 20  # more of them say nothing new
PAUSE = 0.05  # seconds between two events of a writer
REQUIRED = {"phase_id": "kill-trial", "category": "testing", "actual_output_tokens": 7}

# The first lines of each file, each once, each with one verdict; and no account that is off.
ROWS = f"""
    select source_file, count(*), count(distinct line_no), max(line_no),
        count(case when is_blank or reject_reason is not null or event_key is not null then 1 end)
    from {LINES} group by source_file
"""
UNBALANCED = """
    select count(*) from marts.files
    where lines <> accepted + duplicate + quarantined + blank + other
"""


@dataclass
class Place:
    """A database, its telemetry, its writers, and what went wrong with them so far."""

    folder: Path
    writers: dict[str, tuple[int, mmap.mmap]] = field(default_factory=dict)
    acknowledged: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    fresh: int = 0
    kills: int = 0

    @property
    def database(self) -> Path:
        """The file that builds write to."""
        return self.folder / "tokenest.duckdb"

    def newlines(self) -> dict[str, int]:
        """Complete lines of each file, counted by reading the bytes."""
        files = (self.folder / "telemetry").glob("*.ndjson")
        return {f"telemetry/{file.name}": file.read_bytes().count(b"\n") for file in files}

    def start_writer(self, name: str) -> None:
        """Fork a process that records events until it is killed."""
        memory = mmap.mmap(-1, 8)
        child = os.fork()
        if child == 0:
            recorder = Recorder(self.folder / "telemetry", enabled=True, max_bytes=64 * 1024)
            while True:
                number = struct.unpack_from("<q", memory)[0] + 1
                if recorder.record(run_id=name, attempt=number, **REQUIRED):
                    struct.pack_into("<q", memory, 0, number)
                time.sleep(PAUSE)
        self.writers[name] = (child, memory)

    def kill_writers(self) -> None:
        """End them as a crash would."""
        for child, _ in self.writers.values():
            os.kill(child, signal.SIGKILL)
        for name, (child, memory) in self.writers.items():
            os.waitpid(child, 0)
            self.acknowledged[name] = struct.unpack_from("<q", memory)[0]
        self.writers.clear()

    def acknowledged_now(self) -> dict[str, int]:
        """How many events of each run were acknowledged until now."""
        living = {name: struct.unpack_from("<q", m)[0] for name, (_, m) in self.writers.items()}
        return self.acknowledged | living | {"fresh": self.fresh}

    def record_fresh(self) -> None:
        """Record one event from a process that nobody kills."""
        recorder = Recorder(self.folder / "telemetry", enabled=True)
        if not recorder.record(run_id="fresh", attempt=self.fresh + 1, **REQUIRED):
            sys.exit(f"the fresh event was not recorded: {recorder.status()}")
        recorder.close()
        self.fresh += 1

    def start_build(self, kind: str, *, kill_before: int = 0) -> int:
        """Fork a build that notes each SQL statement and kills itself before a chosen one."""
        child = os.fork()
        if child == 0:
            log = os.open("build.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            note_statements(kill_before)
            os._exit(BUILDS[kind]())
        return child

    def build(self, kind: str = "plan") -> list[str]:
        """Run a build that has to complete; return its SQL statements."""
        _, status = os.waitpid(self.start_build(kind), 0)
        if os.waitstatus_to_exitcode(status) != 0:
            log = (self.folder / "build.log").read_text(encoding="utf-8")
            self.faults.append(f"a build after a kill did not complete: {log[-600:]}")
        return (self.folder / "statements").read_text(encoding="utf-8").splitlines()


def land() -> int:
    """Run the part of dbt's build that lands; return its exit code."""
    options = ["--exclude-resource-type", "test", "unit_test"]  # they write nothing
    outcome = dbtRunner().invoke(["--no-write-json", "build", *LANDING, *options, *PLACES])
    sys.stdout.flush()
    return 0 if outcome.success else 1


BUILDS: dict[str, Callable[[], int]] = {"dbt": land, "plan": lambda: run(["build"])}


def note_statements(kill_before: int) -> None:
    """Write each SQL statement of this process to a file, and kill it before the chosen one."""
    execute = duckdb.DuckDBPyConnection.execute  # of dbt's connections as of the plan's
    numbers = itertools.count(1)
    notes = os.open("statements", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def noted(
        self: duckdb.DuckDBPyConnection, sql: str, *bindings: object
    ) -> duckdb.DuckDBPyConnection:
        if next(numbers) == kill_before:
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(notes, " ".join(sql.split())[-300:].encode() + b"\n")
        return execute(self, sql, *bindings)

    mock.patch.object(duckdb.DuckDBPyConnection, "execute", noted).start()


def examine_reopened(place: Place, database: Path | None = None) -> list[str]:
    """Open the database as the kill left it; return what is wrong with its lines."""
    database = database or place.database
    if not database.exists():
        return []
    counted = place.newlines()
    found = []
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = {row[0] for row in connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
        ).fetchall()}  # fmt: skip
        if LINES in tables:
            for file, rows, distinct, last, judged in connection.execute(ROWS).fetchall():
                if not rows == distinct == last == judged or last > counted[file]:
                    found.append(f"{file}: {rows} rows for the lines to {last} of {counted[file]}")
        if "marts.files" in tables:
            unbalanced = connection.execute(UNBALANCED).fetchone()
            if unbalanced != (0,):
                found.append(f"{unbalanced} accounts do not add up")
    return found


def examine_built(place: Place, before: dict[str, int], acknowledged: dict[str, int]) -> list[str]:
    """Compare a completed build with the files and the acknowledged events from before it."""
    now, found = place.newlines(), []
    with duckdb.connect(str(place.database), read_only=True) as connection:
        accounts = connection.execute(
            "select source_file, lines, accepted, quarantined + duplicate + blank + other"
            " from marts.files"
        ).fetchall()
        events = dict(
            connection.execute(
                "select run_id, struct_pack(rows := count(*), numbers := count(distinct attempt),"
                " last := max(attempt)) from events.int_events group by run_id"
            ).fetchall()
        )
    for file, lines, accepted, other in accounts:
        if not before.get(file, 0) <= lines <= now[file] or (accepted, other) != (lines, 0):
            found.append(f"{file}: {lines} lines, {accepted} accepted; {now[file]} in the file")
    if missing := set(before) - {file for file, *_ in accounts}:
        found.append(f"no account of {missing}")
    for name, count in acknowledged.items():
        seen = events.get(name, {"rows": 0, "numbers": 0, "last": 0})
        if count and not (seen["rows"] == seen["numbers"] == seen["last"] >= count):
            found.append(f"{name}: {count} events acknowledged, {seen} landed")
    return found


def trial(place: Place, number: int, kind: str, *, seconds: float, targets: list[int]) -> bool:
    """Kill one build, look, build again, look; return whether it was killed in time."""
    while len(place.writers) < WRITERS:
        place.start_writer(f"writer-{len(place.acknowledged) + len(place.writers)}")
    chosen = random.choice(targets) if number % 2 else 0
    child = place.start_build(kind, kill_before=chosen)
    if not chosen:
        time.sleep(random.uniform(0, seconds))
    if number % 3 == 0:
        place.kill_writers()
    if not chosen:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if chosen and not killed:
        place.faults.append(f"{kind} ended before statement {chosen}, which was to kill it")
    place.faults += examine_reopened(place)
    place.record_fresh()
    before, acknowledged = place.newlines(), place.acknowledged_now()
    place.build()
    place.faults += examine_built(place, before, acknowledged)
    return killed


def killed_often(place: Place, kind: str, kills: int) -> list[str]:
    """Kill builds until so many were killed in time; return the statements of one that was not."""
    place.folder.mkdir()
    os.chdir(place.folder)
    place.record_fresh()
    place.build()
    place.record_fresh()
    started = time.monotonic()
    statements = place.build(kind)
    seconds, killed = time.monotonic() - started, 0
    targets = targets_of(statements)
    for number in itertools.count(1):
        if killed == kills or len(place.faults) > MOST_FAULTS:
            break
        killed += trial(place, number, kind, seconds=seconds, targets=targets)
    place.kills = killed
    place.kill_writers()
    place.build(kind)
    place.faults += examine_built(place, place.newlines(), place.acknowledged_now())
    return statements


def trials(root: Path, kind: str, kills: int) -> list[Place]:
    """Kill builds of a kind, many of each database, and print what came of it."""
    places: list[Place] = []
    statements: list[str] = []
    faults = 0
    for first in range(0, kills, SPAN):
        places.append(Place(root / f"{kind}-{first}"))
        statements = killed_often(places[-1], kind, min(SPAN, kills - first))
        faults = sum(len(place.faults) for place in places)
        said = f"{kind}: {sum(place.kills for place in places)} of {kills} kills, {faults} faults"
        print(said, file=sys.stderr, flush=True)
    killed = sum(place.kills for place in places)
    events = sum(sum(place.acknowledged_now().values()) for place in places)
    print(f"{kind:8} {killed:5} {len(statements):10} {events:8,} {faults:6}", flush=True)
    return places


def landing_without_transaction(place: Place) -> list[str]:
    """Land what is there in two committed steps, killed between; return what the check sees."""
    control = place.folder / "control.duckdb"
    for suffix in ("", ".wal"):
        if (log := Path(f"{place.database}{suffix}")).exists():
            shutil.copy(log, f"{control}{suffix}")
    child = os.fork()
    if child == 0:
        connection = duckdb.connect(str(control))
        connection.execute(f"create temp table landed as from {LINES}")
        connection.execute(f"truncate {LINES}")
        connection.execute(f"insert into {LINES} from landed where line_no % 2 = 0")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    return examine_reopened(place, control)


def targets_of(statements: list[str]) -> list[int]:
    """Numbers of the statements to kill before: all, and those around the landing many times."""
    near = [
        number + step
        for number, sql in enumerate(statements, start=1)
        if "base_tokenest__lines" in sql
        for step in (0, 1)
    ]
    return [*range(1, len(statements) + 1), *near * (len(statements) // max(1, len(near)))]


def main(arguments: list[str] | None = None) -> int:
    """Run the trials and print a line for each kind; return 0 when all went as promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dbt", type=int, default=250, help="kills of dbt's landing")
    parser.add_argument("--plan", type=int, default=250, help="kills of `tokenest build`")
    parser.add_argument("--directory", type=Path, help="where to work (default: temporary)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.directory) as scratch:
        root = Path(scratch).resolve()
        places = {"DBT_TARGET_PATH": str(root / "target"), "DBT_LOG_PATH": str(root / "logs")}
        os.environ.update(SETTINGS | places)
        plan_at_home({}).write(root / "target" / plan_name({}))
        # Every build is forked from here: dbt has been imported and has read the project.
        dbtRunner().invoke(["--log-level", "none", "parse", *PLACES])
        print(f"{'build':8} {'kills':>5} {'statements':>10} {'events':>8} {'faults':>6}")
        killed = [*trials(root, "dbt", options.dbt), *trials(root, "plan", options.plan)]
        seen = landing_without_transaction(killed[-1])
    faults = [fault for place in killed for fault in place.faults]
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"control  {len(seen):5} files whose landing in two steps, without a transaction, shows")
    kept = bool(seen) and not faults
    print(
        "kept: nothing was lost or counted twice, and the control shows it" if kept else "NOT kept"
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
