"""Speed of landing and of the whole build, each figure beside its yardstick in one run.

    python benchmarks/pipeline.py --lines 1000000 --lines 10000000 --folder /somewhere/large

Whole processes are timed, one at a time, in turn with their yardsticks, with what the operating
system says of them: CPU and wall seconds, and peak memory. DuckDB may take 2 GB, and dbt has
parsed the project before. Its start (the same command on a few lines) is measured too and taken
off where the table says so. The yardsticks:

read_json   one typed `create table as select from read_json(...)`: no line numbers, bad lines
            dropped, types coerced
script      the SELECT of every model in one DuckDB session, in order, without dbt, its tests
            and its contracts (benchmarks/one_script.py)
sqlite      calibration row by row in Python over SQLite (benchmarks/row_by_row.py)

Ratios are the figures, single times are not. Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import generate

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DBT = Path(sys.executable).with_name("dbt")
CALIBRATION = ["int_counted_replays", "int_prediction_ratios", "calibration_multipliers"]
LANDING = ["base_telemetry__files", "base_tokenest__lines", "base_tokenest__repeated_lines"]
GOALS = {  # the figure, its goal by lines (the largest entry that is not above them)
    "landing / read_json, CPU": {1_000_000: 1.6},
    "landing / read_json, wall": {1_000_000: 2.0},
    "build / script, CPU": {1_000_000: 2.0, 10_000_000: 1.25},
    "landing, peak GB": {0: 2.5},
    "build, peak GB": {0: 2.5},
    "new 100k: landing share": {10_000_000: 0.02},
    "new 100k: build share": {10_000_000: 0.15},
    "sqlite / calibration, CPU": {1_000_000: 20.0},
    "calibration / sqlite, memory": {1_000_000: 0.1},
    "landed bytes an event": {0: 90.0},
}
AT_LEAST = {"sqlite / calibration, CPU"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: CPU and wall seconds, peak memory in megabytes."""

    cpu: float
    wall: float
    megabytes: float

    def less(self, other: Cost) -> Cost:
        """What is left without the other one's time; the peak stays."""
        return Cost(self.cpu - other.cpu, self.wall - other.wall, self.megabytes)


class Work:
    """A folder with telemetry and databases, and the commands that are timed on them."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; every process is started in it."""
        self.folder = folder
        (folder / "exports").mkdir(parents=True, exist_ok=True)

    def telemetry(self, lines: int, *, prefix: str = "ev", first: int = 0, seed: int = 1) -> Path:
        """Return the folder of generated files; made once."""
        folder = self.folder / f"{prefix}-{lines}"
        if not folder.exists():
            unfinished = folder.with_suffix(".part")
            shutil.rmtree(unfinished, ignore_errors=True)
            generate.write(unfinished, lines, seed=seed, prefix=prefix, first=first)
            unfinished.rename(folder)
        return folder

    def timed(self, *command: str | Path, database: Path, globs: str = "") -> Cost:
        """Run the command and return what it took; raise when it fails."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TOKENEST_", "DBT_"))}
        environment = kept | {
            "TOKENEST_DB": str(database),
            "TOKENEST_EXPORTS": str(self.folder / "exports"),
            "TOKENEST_TELEMETRY": globs,
            "TOKENEST_MEMORY_LIMIT": "2GB",
            "DO_NOT_TRACK": "1",
        }
        log = self.folder / "output.txt"
        began = time.monotonic()
        pid = os.posix_spawn(
            command[0], [str(part) for part in command], environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )  # fmt: skip
        _, status, usage = os.wait4(pid, 0)
        wall = time.monotonic() - began
        if status:
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{log.read_text()[-3000:]}")
        return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)

    def dbt(self, *arguments: str, database: Path, globs: str) -> Cost:
        """Time a dbt command on the checkout's project; it was parsed before, for this database."""
        places = ["--project-dir", ROOT, "--profiles-dir", ROOT]
        scratch = ["--target-path", self.folder / "target", "--log-path", self.folder / "logs"]
        for command in (["parse"], arguments):
            cost = self.timed(
                DBT, "--quiet", *command, *places, *scratch, database=database, globs=globs
            )
        return cost

    def land(self, database: Path, globs: str) -> Cost:
        """Time the landing with its line numbers, verdicts and repetitions."""
        return self.dbt("run", "-s", *LANDING, database=database, globs=globs)

    def build(self, database: Path, globs: str) -> Cost:
        """Time `dbt build` with everything that `tokenest build` runs."""
        return self.dbt(
            "build", "--exclude-resource-type", "unit_test", database=database, globs=globs
        )

    def python(self, script: str, *arguments: object, database: Path) -> Cost:
        """Time one of the yardsticks."""
        return self.timed(sys.executable, HERE / script, *map(str, arguments), database=database)


def fresh(path: Path) -> Path:
    """Return the path, without what was there."""
    for leftover in (path, path.with_name(path.name + ".wal")):
        leftover.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def median(costs: list[Cost]) -> Cost:
    """Return the one in the middle by CPU time."""
    return sorted(costs, key=lambda cost: cost.cpu)[len(costs) // 2]


def starts(work: Work) -> dict[str, Cost]:
    """Return what dbt itself takes for each command: of three times the middle one."""
    few = f"{work.telemetry(1000, prefix='few')}/*.ndjson"
    small = work.folder / "few" / "tokenest.duckdb"
    commands: dict[str, Callable[[], Cost]] = {
        "landing": lambda: work.land(fresh(small), few),
        "nothing new to land": lambda: work.land(small, few),
        "build": lambda: work.build(fresh(small), few),
        "nothing new to build": lambda: work.build(small, few),
    }
    found = {name: median([command() for _ in range(3)]) for name, command in commands.items()}
    for name, cost in found.items():
        show(f"dbt on 1,000 lines: {name}", cost)
    return found


def measure(
    work: Work, lines: int, new_lines: int, rounds: int, start: dict[str, Cost]
) -> dict[str, float]:
    """Return the figures for so many lines."""
    globs = f"{work.telemetry(lines)}/*.ndjson"
    figures: dict[str, float] = {}

    landed = work.folder / "landed" / "tokenest.duckdb"
    all_landed: list[Cost] = []
    ratios: list[tuple[float, float]] = []
    for _ in range(rounds):
        typed = work.python("typed_read.py", globs, database=fresh(work.folder / "typed.duckdb"))
        show("typed read_json", typed)
        landing = work.land(fresh(landed), globs).less(start["landing"])
        show("landing, less the start", landing)
        all_landed.append(landing)
        ratios.append((landing.cpu / typed.cpu, landing.wall / typed.wall))
    figures["landing / read_json, CPU"] = sorted(r[0] for r in ratios)[rounds // 2]
    figures["landing / read_json, wall"] = sorted(r[1] for r in ratios)[rounds // 2]
    figures["landing, peak GB"] = landing.megabytes / 1024
    figures["landed bytes an event"] = landed.stat().st_size / lines

    built = work.folder / "built" / "tokenest.duckdb"
    whole = work.build(fresh(built), globs)
    show("whole build", whole)
    script = work.python(
        "one_script.py", work.folder / "target", built,
        database=fresh(work.folder / "script" / "tokenest.duckdb"),
    )  # fmt: skip
    show("the same models, one script", script)
    figures["build / script, CPU"] = whole.cpu / script.cpu
    figures["build less start / script, CPU"] = whole.less(start["build"]).cpu / script.cpu
    figures["build, peak GB"] = whole.megabytes / 1024
    figures["built bytes an event"] = built.stat().st_size / lines

    calibration = work.python(
        "one_script.py", work.folder / "target", built, *CALIBRATION, database=built
    )
    show("calibration, in SQL", calibration)
    if lines <= 1_000_000:
        rows = fresh(work.folder / "rows.sqlite")
        work.python("row_by_row.py", "load", built, rows, database=built)
        peer = work.python("row_by_row.py", "calibrate", rows, database=built)
        work.python("row_by_row.py", "compare", rows, built, database=built)
        show("calibration, row by row over SQLite", peer)
        figures["sqlite / calibration, CPU"] = peer.cpu / calibration.cpu
        figures["calibration / sqlite, memory"] = calibration.megabytes / peer.megabytes

    landings, builds = [], []
    late = new_lines // 100  # of the new events this many are of phases that are there
    for number in range(rounds):
        first = lines - late + number * (new_lines - late)
        new = work.telemetry(new_lines, prefix=f"new{number}-{lines}", first=first, seed=7 + number)
        globs = f"{globs},{new}/*.ndjson"
        landings.append(work.land(landed, globs).less(start["nothing new to land"]))
        show(f"landing {new_lines} more, less the start", landings[-1])
        builds.append(work.build(built, globs).less(start["nothing new to build"]))
        show(f"build with {new_lines} more, less the start", builds[-1])
    figures["new 100k: landing share"] = median(landings).cpu / median(all_landed).cpu
    figures["new 100k: build share"] = median(builds).cpu / whole.less(start["build"]).cpu
    return figures


def show(what: str, cost: Cost) -> None:
    """Print one timing as it comes."""
    print(f"  {what:44} {cost.cpu:8.1f} {cost.wall:8.1f} {cost.megabytes:9.0f}", flush=True)


def judge(figures: dict[str, float], lines: int) -> bool:
    """Print the figures with their goals; return whether all are met."""
    met = True
    for name, value in figures.items():
        goals = [goal for size, goal in GOALS.get(name, {}).items() if size <= lines]
        verdict = ""
        if goals:
            is_met = value >= goals[-1] if name in AT_LEAST else value <= goals[-1]
            met = met and is_met
            sign = ">=" if name in AT_LEAST else "<="
            verdict = f"{sign} {goals[-1]:g}  {'met' if is_met else 'MISSED'}"
        print(f"{lines:>10,}  {name:34} {value:9.3f}  {verdict}")
    return met


def main() -> int:
    """Print the timings and the table of figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, action="append", help="100000 and 1000000 by default")
    parser.add_argument("--new-lines", type=int, default=100_000)
    parser.add_argument(
        "--rounds", type=int, default=3, help="of landing beside read_json, and of new lines"
    )
    parser.add_argument("--folder", type=Path, help="kept, with its telemetry, for the next run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Work((options.folder or Path(scratch)).absolute())
        versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "dbt-core"))
        print(f"{versions}, {platform.machine()}, {os.cpu_count()} cores")
        print(f"{'':50} CPU s   wall s   peak MB")
        start = starts(work)
        results = {}
        for lines in options.lines or [100_000, 1_000_000]:
            print(f"{lines:,} lines")
            results[lines] = measure(work, lines, options.new_lines, options.rounds, start)
        met = [judge(figures, lines) for lines, figures in results.items()]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
