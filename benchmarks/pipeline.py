"""Speed of landing and of the whole build, each figure beside its yardstick in one run.

    python benchmarks/pipeline.py --lines 1000000 --lines 10000000 --folder /somewhere/large

Whole processes are timed, one at a time, in turn with their yardsticks, with what the operating
system says of them: CPU and wall seconds, and peak memory. DuckDB may take 2 GB, and the plan is
there. The yardsticks:

dbt         `dbt --version`, the least that anything with dbt takes
read_json   one typed `create table as select from read_json(...)`: no line numbers, bad lines
            dropped, types coerced
script      the SELECT of every model in one DuckDB session, in order, without the tests, the
            contracts and the keys of a plan (benchmarks/one_script.py)
sqlite      calibration row by row in Python over SQLite (benchmarks/row_by_row.py)

Ratios are the figures, single times are not. Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from timing import ROOT, Cost, Work, fresh, median, show

DBT = Path(sys.executable).with_name("dbt")
CALIBRATION = ["int_counted_replays", "int_prediction_ratios", "multipliers"]
BAD = (0.0, 0.001, 0.05)
GOALS = {  # the figure, its goal by lines (the largest entry that is not above them)
    "26 lines, wall seconds": {0: 3.0},
    "26 lines / dbt --version, CPU": {0: 1.5},
    "nothing new / 26 lines, wall": {0: 0.5},
    "landing / read_json, CPU": {1_000_000: 2.0},
    "landing / read_json, wall": {1_000_000: 2.0},
    "landing / read_json, 0.0% bad": {100_000: 2.0},
    "landing / read_json, 0.1% bad": {100_000: 2.0},
    "landing / read_json, 5.0% bad": {100_000: 3.0},
    "build / script, CPU": {1_000_000: 1.25},
    "landing, peak GB": {0: 2.5},
    "build, peak GB": {0: 2.5},
    "new 100k: landing share": {10_000_000: 0.02},
    "new 100k: build share": {10_000_000: 0.05},
    "sqlite / calibration, CPU": {1_000_000: 20.0},
    "calibration / sqlite, memory": {1_000_000: 0.1},
    "landed bytes an event": {0: 90.0},
}
AT_LEAST = {"sqlite / calibration, CPU"}


def few_lines(work: Work, rounds: int) -> dict[str, float]:
    """Return the figures of the sample telemetry, 26 lines: what everybody sees first."""
    globs, database = f"{ROOT}/telemetry/**/*.ndjson", work.folder / "few" / "tokenest.duckdb"
    first, again, version_ = [], [], []
    for _ in range(rounds):
        first.append(work.build(fresh(database), globs))
        again.append(work.build(database, globs))
        version_.append(work.timed(DBT, "--version", database=database))
    show("26 lines", median(first))
    show("26 lines, nothing new", median(again))
    show("dbt --version", median(version_))
    return {
        "26 lines, wall seconds": median(first).wall,
        "26 lines / dbt --version, CPU": median(first).cpu / median(version_).cpu,
        "nothing new / 26 lines, wall": median(again).wall / median(first).wall,
    }


def bad_lines(work: Work, lines: int, rounds: int) -> dict[str, float]:
    """Return what the landing takes beside a typed read, by the share of bad lines."""
    figures = {}
    for bad in BAD:
        globs = f"{work.telemetry(lines, prefix=f'bad{bad:g}', bad=bad)}/*.ndjson"
        ratios = []
        for _ in range(rounds):
            database = fresh(work.folder / "typed.duckdb")
            typed = work.python("typed_read.py", globs, database=database)
            landing = work.land(fresh(work.folder / "landed" / "tokenest.duckdb"), globs)
            ratios.append(landing.cpu / typed.cpu)
        show(f"typed read_json, {bad:.1%} bad", typed)
        show(f"landing, {bad:.1%} bad", landing)
        figures[f"landing / read_json, {bad:.1%} bad"] = sorted(ratios)[rounds // 2]
    return figures


def measure(work: Work, lines: int, new_lines: int, rounds: int) -> dict[str, float]:
    """Return the figures for so many lines."""
    globs = f"{work.telemetry(lines)}/*.ndjson"
    figures: dict[str, float] = {}

    landed = work.folder / "landed" / "tokenest.duckdb"
    all_landed: list[Cost] = []
    ratios: list[tuple[float, float]] = []
    for _ in range(rounds):
        typed = work.python("typed_read.py", globs, database=fresh(work.folder / "typed.duckdb"))
        show("typed read_json", typed)
        landing = work.land(fresh(landed), globs)
        show("landing", landing)
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
        "one_script.py", work.plan,
        database=fresh(work.folder / "script" / "tokenest.duckdb"), globs=globs,
    )  # fmt: skip
    show("the same models, one script", script)
    figures["build / script, CPU"] = whole.cpu / script.cpu
    figures["build, peak GB"] = whole.megabytes / 1024
    figures["built bytes an event"] = built.stat().st_size / lines

    calibration = work.python("one_script.py", work.plan, *CALIBRATION, database=built)
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
        landings.append(work.land(landed, globs))
        show(f"landing {new_lines} more", landings[-1])
        builds.append(work.build(built, globs))
        show(f"build with {new_lines} more", builds[-1])
    figures["new 100k: landing share"] = median(landings).cpu / median(all_landed).cpu
    figures["new 100k: build share"] = median(builds).cpu / whole.cpu
    return figures


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
        sizes = options.lines or [100_000, 1_000_000]
        results = {26: few_lines(work, options.rounds)}
        for lines in sizes:
            print(f"{lines:,} lines")
            results[lines] = measure(work, lines, options.new_lines, options.rounds)
        results[min(sizes)] |= bad_lines(work, min(sizes), options.rounds)
        met = [judge(figures, lines) for lines, figures in results.items()]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
