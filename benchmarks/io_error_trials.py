"""Let one call that writes fail, as a full or a broken disk does, and look at what is left.

    python benchmarks/io_error_trials.py --landing 120 --export 80

A landing, or the writing of an export, runs in a process of its own in which a chosen write, flush
or rename below its folder fails with ENOSPC or EIO, once or from then on (failing_calls.c,
preloaded). It has to end with one line of error, or to have done its work; the database has to hold
the lines from before or those from after, the export has to be the whole old or the whole new one,
and the next run has to complete. A writer that does not look at what its calls say is caught.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from file_history_trials import landing_plan
from timing import plan_at_home
from tokenest_py.cli.frame import framed
from tokenest_py.errors import CoefficientsError
from tokenest_py.pipeline.calibration.export_guard import guarded
from tokenest_py.pipeline.plan.plan import Plan
from tokenest_py.pipeline.plan.run import run_plan
from tokenest_py.pipeline.settings import Settings
from tokenest_py.runtime.table import PACKAGED, load

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
LINES = "staging.base_tokenest__lines"
LIBRARY = "failing_calls.so"
ERRORS = (errno.ENOSPC, errno.EIO)
SAMPLES = HERE.parent / "telemetry" / "s0_production_samples.ndjson"


@dataclass(frozen=True)
class Kind:
    """What runs, and what it may leave behind.

    Attributes:
        before: A folder as it was before a run.
        after: What `state` gives after one in which nothing fails.
    """

    name: str
    before: Path
    state: Callable[[Path], object]
    after: object

    def faults(self, library: Path, draw: random.Random, calls: int) -> list[str]:
        """Run it once with a fault, look, run it again without, and look."""
        at, number, goes_on = draw.randint(1, calls), draw.choice(ERRORS), draw.random() < 0.5
        what = f"{self.name}, call {at} {errno.errorcode[number]}{' and all after' * goes_on}"
        with tempfile.TemporaryDirectory() as scratch:
            place = Path(scratch, "place").resolve()
            shutil.copytree(self.before, place)
            first = self.state(place)
            options = {"FAULT_AT": str(at), "FAULT_ERRNO": str(number)}
            done = self.run(
                place, library, **options, **({"FAULT_GOES_ON": "1"} if goes_on else {})
            )
            found = list(_wrong(done))
            try:
                left = self.state(place)
                if left not in (first, self.after):
                    found.append(f"neither before nor after: {left}")
                if done.returncode == 0 and left != self.after:
                    found.append("it says that it is done, and it is not")
                again = self.run(place)
                if again.returncode or self.state(place) != self.after:
                    found.append(f"the next run gives {again.returncode}: {again.stderr[-400:]}")
            except (duckdb.Error, CoefficientsError) as error:
                found.append(f"it cannot be read: {error}")
        return [f"{what}: {fault}" for fault in found]

    def run(
        self, place: Path, library: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it in a process of its own, with a library that lets calls fail."""
        given = os.environ | environment
        if library:
            given |= {"LD_PRELOAD": str(library), "FAULT_FOLDER": str(place)}
        words = [sys.executable, str(HERE / "io_error_trials.py"), "--run", self.name]
        return subprocess.run(words, cwd=place, env=given, capture_output=True, text=True,
                              check=False)  # fmt: skip

    def calls(self, library: Path) -> int:
        """How many calls there are to let fail."""
        with tempfile.TemporaryDirectory() as scratch:
            place = Path(scratch, "place").resolve()
            shutil.copytree(self.before, place)
            counted = Path(scratch, "counted")
            self.run(place, library, FAULT_COUNTED=str(counted))
            return int(counted.read_text(encoding="ascii"))


def _wrong(done: subprocess.CompletedProcess[str]) -> list[str]:
    errors = [text for text in done.stderr.splitlines() if text.startswith("tokenest: ")]
    found = []
    if "Traceback" in done.stderr or "unexpected" in done.stderr:
        found.append(f"a traceback: {done.stderr[-600:]}")
    if done.returncode not in (0, 1, 3) or len(errors) != (done.returncode != 0):
        found.append(f"exit code {done.returncode}, {done.stderr[-600:]}")
    return found


def landed(place: Path) -> object:
    """The lines of each file; raises where the database cannot be read."""
    with duckdb.connect(str(place / "tokenest.duckdb"), read_only=True) as connection:
        return connection.execute(
            f"select source_file, count(*), max(line_no) from {LINES} group by all order by all"
        ).fetchall()


def exported(place: Path) -> object:
    """The bytes of the exported table, which the runtime reads."""
    path = place / "exports" / "coefficients.ndjson"
    load(str(path))
    return path.read_bytes()


def run_here(name: str) -> int:
    """Do the work of a kind in the working folder, within the frame of a command."""

    def command() -> int:
        settings = Settings.read({}, TOKENEST_TELEMETRY="telemetry/*.ndjson")
        plan = Plan.read(Path(f"{name}.json"), {})
        connect = duckdb.connect(str(settings.database))
        with connect as connection, guarded(settings.exported_table) as guard:
            run_plan(plan, settings, connection)
        if guard.fault:
            print(guard.fault)
        return 0

    return framed(command)


def careless_here() -> int:
    """Write lines beside a ledger of them, and look at nothing: the control."""
    lines = b"a line of a ledger\n" * 100
    descriptors = [os.open(name, os.O_WRONLY | os.O_CREAT) for name in ("lines", "ledger")]
    for descriptor in descriptors * 20:
        try:
            os.write(descriptor, lines)
        except OSError:
            continue
    return 0


def careless(place: Path) -> object:
    """What it left."""
    return [len((place / name).read_bytes()) for name in ("lines", "ledger")]


def prepare(folder: Path) -> dict[str, Kind]:
    """Databases with something to do, and what that gives."""
    whole = plan_at_home({})
    landing, before = folder / "landing", folder / "export"
    (landing / "telemetry").mkdir(parents=True)
    record = ('{"event_id": "e-%d", "occurred_at": "2026-01-02T03:04:05Z", "phase_id": "p",'
              ' "actual_output_tokens": 7, "model": "%s"}\n')  # fmt: skip
    lines = [record % (n, "m" * (n % 300)) for n in range(4000)]
    file = landing / "telemetry" / "events.ndjson"
    file.write_text("".join(lines[:2000]), encoding="utf-8")
    landing_plan().write(landing / "landing.json")
    _run(landing, "landing")
    file.write_text("".join(lines), encoding="utf-8")
    (before / "telemetry").mkdir(parents=True)
    (before / "exports").mkdir()
    shutil.copy(SAMPLES, before / "telemetry")
    whole.write(before / "whole.json")
    _run(before, "whole")
    shutil.copy(PACKAGED, before / "exports" / "coefficients.ndjson")  # an export that differs
    whole.only({"coefficients"}, exports=True).write(before / "export.json")
    (folder / "careless").mkdir()
    after = {"landing": _after(landing, "landing", landed),
             "export": _after(before, "export", exported)}  # fmt: skip
    states = {"landing": (landing, landed), "export": (before, exported)}
    kinds = {name: Kind(name, place, state, after[name]) for name, (place, state) in states.items()}
    (folder / "careless" / "lines").touch()
    (folder / "careless" / "ledger").touch()
    kinds["careless"] = Kind("careless", folder / "careless", careless, [38_000, 38_000])
    return kinds


def _run(place: Path, name: str) -> None:
    done = Kind(name, place, landed, None).run(place)
    if done.returncode:
        sys.exit(f"{name} without a fault: {done.stderr}")


def _after(before: Path, name: str, state: Callable[[Path], object]) -> object:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch, "place").resolve()
        shutil.copytree(before, place)
        _run(place, name)
        return state(place)


def main(arguments: list[str] | None = None) -> int:
    """Run the trials; return 0 when each left a sound state, and the control did not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--landing", type=int, default=120)
    parser.add_argument("--export", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.run:
        return careless_here() if options.run == "careless" else run_here(options.run)
    with tempfile.TemporaryDirectory() as scratch:
        library = Path(scratch, LIBRARY).resolve()
        source = HERE / "failing_calls.c"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        kinds = prepare(Path(scratch, "kinds").resolve())
        draw, faults = random.Random(options.seed), []
        for name, count in (("landing", options.landing), ("export", options.export)):
            calls = kinds[name].calls(library)
            found = [kinds[name].faults(library, draw, calls) for _ in range(count)]
            faults += [fault for each in found for fault in each]
            print(f"{name:8} {count:4} faults at {calls} calls, {sum(map(bool, found))} went wrong")
        seen = sum(bool(kinds["careless"].faults(library, draw, 40)) for _ in range(9))
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"control: a writer that looks at nothing is seen in {seen} of 9")
    return 0 if seen and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
