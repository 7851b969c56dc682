"""Spark beside DuckDB by size: a full build, and one with 1 % more, on a cluster of two workers.

    python benchmarks/spark.py .venv-spark/bin/python --lines 1000000 --lines 3000000

Needs Java 17, and PYTHONPATH=tests/support:tests/spark. CPU seconds are those of whole processes,
from the operating system; the driver is Python with its JVM, an executor the JVM below a worker.
Ratios are the figures, single times are not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from session import Cluster, Session

from timing import Cost, Work, fresh, show

if TYPE_CHECKING:
    from collections.abc import Iterable

MODELS = (
    "build",
    "--select",
    "resource_type:model",
    "resource_type:seed",
    "--indirect-selection",
    "empty",
)
# The tests of parity plan many small queries; here rows weigh more than plans.
SETTINGS = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
    "spark.driver.extraJavaOptions": "",
    "spark.executor.extraJavaOptions": "",
    "spark.eventLog.enabled": "false",
}
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What processes took so far: CPU seconds, and the peak of the largest in megabytes."""

    cpu: float
    megabytes: float


def usage(pids: Iterable[int]) -> Usage:
    """Return what these processes took since each of them began."""
    cpu, peak = 0.0, 0.0
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        cpu += (int(stat[11]) + int(stat[12])) / TICK
        status = Path(f"/proc/{pid}/status").read_text()
        peak = max(peak, int(status.partition("VmHWM:")[2].split()[0]) / 1024)
    return Usage(cpu, peak)


def children(pid: int) -> list[int]:
    """Return the processes that this one started, and theirs."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    own = [int(text) for text in found.stdout.split()]
    return own + [below for one in own for below in children(one)]


class OnSpark:
    """Builds on a cluster of its own, until it is stopped."""

    def __init__(self, python: Path, folder: Path) -> None:
        """Start the cluster and the session."""
        [home] = python.parents[1].glob("lib/python3*/site-packages/pyspark")
        folder.mkdir()
        self.cluster = Cluster(home, folder)
        self.session = Session(python, folder / "spark", "", self.cluster, SETTINGS)
        self.cluster.start()

    def start(self, globs: str) -> None:
        """Start the session over this telemetry."""
        self.session.telemetry = globs
        self.session.start()

    def build(self) -> tuple[float, Usage, Usage]:
        """Build all models; return the wall seconds, the driver's cost and the executors'."""
        before = self._driver(), self._executors()
        began = time.monotonic()
        self.session.dbt(*MODELS)
        wall = time.monotonic() - began
        after = self._driver(), self._executors()
        driver, executors = (
            Usage(now.cpu - then.cpu, now.megabytes)
            for then, now in zip(before, after, strict=True)
        )
        return wall, driver, executors

    def stop(self) -> None:
        """Stop the session and the cluster."""
        self.session.stop()
        self.cluster.stop()

    def _driver(self) -> Usage:
        pid = self.session.pid
        return usage([pid, *children(pid)])

    def _executors(self) -> Usage:
        return usage([below for worker in self.cluster.workers for below in children(worker.pid)])


def measure(work: Work, python: Path, lines: int) -> None:
    """Print what so many lines cost on each, and 1 % more of them."""
    first = work.telemetry(lines)
    more = work.telemetry(lines // 100, prefix=f"more-{lines}", first=lines, seed=7)
    telemetry = fresh(work.folder / f"seen-{lines}" / "none").parent
    for path in first.iterdir():
        (telemetry / path.name).hardlink_to(path)
    globs = f"{telemetry}/*.ndjson"
    database = fresh(work.folder / "duckdb" / "tokenest.duckdb")
    spark = OnSpark(python, work.folder / f"spark-{lines}")
    try:
        spark.start(globs)
        for what in ("full build", "1 % more"):
            cost = work.build(database, globs)
            show(f"DuckDB, {what}", cost)
            wall, driver, executors = spark.build()
            show(f"Spark's driver, {what}", Cost(driver.cpu, wall, driver.megabytes))
            show(f"Spark's executors, {what}", Cost(executors.cpu, wall, executors.megabytes))
            cpu = driver.cpu + executors.cpu
            print(
                f"  {what}: {cpu / cost.cpu:.1f} times DuckDB's CPU,"
                f" {1e6 * cpu / lines:.0f} µs of CPU a line that is there,"
                f" the driver's share {driver.cpu / cpu:.0%}",
                flush=True,
            )
            for path in more.iterdir():
                (telemetry / f"more-{path.name}").hardlink_to(path)
    finally:
        spark.stop()


def main() -> None:
    """Print a block for each size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("python", type=Path, help="the Python that has dbt-spark and pyspark")
    parser.add_argument("--lines", type=int, action="append", help="100000 and 300000 by default")
    parser.add_argument("--folder", type=Path, help="kept, with its telemetry, for the next run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Work((options.folder or Path(scratch)).absolute())
        print(f"{'':46} CPU s   wall s   peak MB")
        for lines in options.lines or [100_000, 300_000]:
            print(f"{lines:,} lines")
            measure(work, options.python.absolute(), lines)


if __name__ == "__main__":
    main()
