"""What a build costs on Spark and on DuckDB, by the number of lines.

    make spark-sizes LINES='100000 1000000'

Spark has a master and two workers of one core and 2 GB each on this machine; DuckDB runs the plan
with a limit of 2 GB. Both build the same generated telemetry, then once more with 1 % new lines.
CPU seconds and peaks are those that Linux counts for each process, so other work on the machine
changes the wall seconds alone. Without tests on Spark.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from session import Cluster, Session

from timing import Work, fresh

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILD = ("build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
TICKS = os.sysconf("SC_CLK_TCK")
# Larger data than the tests': compiled code pays, and Spark may choose its own partitions.
AT_SIZE = {
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
    "spark.executor.extraJavaOptions": "-XX:+UseSerialGC",
}


@dataclass(frozen=True, slots=True)
class Used:
    """CPU seconds until now, and the largest memory of one process, in megabytes."""

    cpu: float
    megabytes: float


def used(root: int) -> Used:
    """Return what a process and all that it started have taken."""
    cpu, peak = 0.0, 0.0
    for pid in _tree(root):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        cpu += (int(fields[11]) + int(fields[12])) / TICKS
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                peak = max(peak, int(line.split()[1]) / 1024)
    return Used(cpu, peak)


def _tree(root: int) -> Iterator[int]:
    yield root
    for thread in Path(f"/proc/{root}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _tree(int(child))


def on_duckdb(work: Work, lines: int, globs: list[str]) -> None:
    """Build twice by the plan, and print both."""
    database = fresh(work.folder / f"duckdb-{lines}" / "tokenest.duckdb")
    for telemetry, what in zip(globs, ("all", "1 % more"), strict=True):
        cost = work.build(database, telemetry)
        print(
            f"{lines:>10,}  DuckDB  {what:9} {cost.wall:8.0f} {cost.cpu:8.0f}"
            f" {cost.megabytes:31.0f}",
            flush=True,
        )


def on_spark(python: Path, work: Work, lines: int, folders: list[Path]) -> None:
    """Build twice on a cluster of its own; print both, and what driver and executors took."""
    folder = work.folder / f"spark-{lines}"
    shutil.rmtree(folder, ignore_errors=True)
    telemetry = folder / "telemetry"
    telemetry.mkdir(parents=True)
    [home] = python.parents[1].glob("lib/python3*/site-packages/pyspark")
    cluster = Cluster(home, folder)
    session = Session(python, folder, f"{telemetry}/*.ndjson", cluster, settings=AT_SIZE)
    try:
        cluster.start()
        session.start()
        before = [used(session.pid), *(used(worker.pid) for worker in cluster.workers)]
        for new, what in zip(folders, ("all", "1 % more"), strict=True):
            for file in new.glob("*.ndjson"):
                (telemetry / f"{new.name}-{file.name}").hardlink_to(file)
            started = time.monotonic()
            session.dbt(*BUILD)
            wall = time.monotonic() - started
            now = [used(session.pid), *(used(worker.pid) for worker in cluster.workers)]
            driver, *executors = (a.cpu - b.cpu for a, b in zip(now, before, strict=True))
            print(
                f"{lines:>10,}  Spark   {what:9} {wall:8.0f} {driver + sum(executors):8.0f}"
                f" {driver:9.0f} {sum(executors):9.0f} {now[0].megabytes:11.0f}"
                f" {max(one.megabytes for one in now[1:]):9.0f}",
                flush=True,
            )
            before = now
    finally:
        session.stop()
        cluster.stop()
        shutil.rmtree(folder / "warehouse", ignore_errors=True)


def main() -> None:
    """Print a table: a line for each engine, size and build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", type=Path, help="the Python that has dbt-spark and pyspark")
    parser.add_argument("--lines", type=int, action="append", help="100000 and 1000000 by default")
    parser.add_argument("--folder", type=Path, help="kept, with its telemetry, for the next run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Work((options.folder or Path(scratch)).absolute())
        print(f"{'lines':>10}  engine  build       wall s    CPU s    driver executors")
        print(f"{'':72} MB driver  executor", flush=True)
        for lines in options.lines or [100_000, 1_000_000]:
            new = max(1, lines // 100)
            folders = [
                work.telemetry(lines),
                work.telemetry(new, prefix=f"new-{lines}", first=lines, seed=7),
            ]
            globs = [f"{folders[0]}/*.ndjson", ",".join(f"{one}/*.ndjson" for one in folders)]
            on_duckdb(work, lines, globs)
            on_spark(options.python.absolute(), work, lines, folders)


if __name__ == "__main__":
    main()
