"""Builds the same telemetry on DuckDB and on Spark, in two batches, and compares every table.

The first lands; the second follows with new, late, repeated, conflicting and bad lines, and builds
everything. Prints every difference; ends with 1 when there is any. With --cluster Spark runs on a
master and two workers, one of which is killed in the middle of the second build, and lands the
samples of every source; without, of one of each kind.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from batches import GROWS, ONE_OF_A_KIND, first_batch, second_batch
from compare import LAYERS, compare, compare_exports
from session import Cluster, Session, java_version, tasks_by_executor

from dbt_project import Project, all_sources_but

JAVA = 17
# Samples of foreign sources land in the first build, and of one of them more in the second.
# On Spark the landing alone follows, so the first build lands, and the second builds everything but
# the seeds and runs every data test. Unit tests try formulas, not data: they run on DuckDB.
LANDED = ("staging",)
FIRST = ("--indirect-selection", "empty", "--select", "resource_type:seed", "staging")
# The samples are months newer than the other calls, which have to count beside them.
VARIABLES = {"history_days": 365, "recent_days": 150}
KILL_AT = "START sql table model intermediate.int_demand_survival"


def _build(batch: int, project: Project, session: Session, cluster: Cluster | None) -> int:
    """Build the batch on both engines; return the number of differences."""
    started = time.monotonic()
    project.build(telemetry=session.telemetry, **VARIABLES)
    built = time.monotonic()
    killed: list[str] = []

    def kill(line: str) -> None:
        if cluster and KILL_AT in line and not killed:
            killed.append(line)
            threading.Timer(0.5, cluster.kill_a_worker).start()

    absent = [] if cluster else all_sources_but(*ONE_OF_A_KIND)
    session.dbt(*_words(batch, absent), watch=kill if batch == 2 else None)
    ended = time.monotonic()
    print(
        f"\nbatch {batch}: DuckDB {built - started:.0f} s, Spark {ended - built:.0f} s", flush=True
    )
    if batch == 2 and cluster:
        print("a worker and its executor were killed in the middle of Spark's build")
        if not killed or cluster.workers[0].poll() is None:
            print("DIFFERS: no worker was killed")
            return 1
    if batch == 1:
        return compare(project.database, session.warehouse, LANDED, absent)
    differing = compare(project.database, session.warehouse, LAYERS, absent)
    return differing + compare_exports(project.coefficients, session.coefficients)


def _words(batch: int, absent: list[str]) -> list[str]:
    """What dbt is told on Spark, where a source that is absent is none."""
    selected, left_out = (
        (FIRST, absent) if batch == 1 else ((), ["seed", *all_sources_but("tokenest", GROWS)])
    )
    sources = {"sources": ONE_OF_A_KIND} if absent else {}
    return [
        "build", "--exclude-resource-type", "unit_test", *selected,
        *(["--exclude", *left_out] if left_out else []),
        "--vars", f"'{json.dumps(VARIABLES | sources)}'",
    ]  # fmt: skip


def _check(folder: Path, python: Path, cluster: Cluster | None) -> int:
    telemetry = folder / "telemetry"
    (folder / "duckdb").mkdir()
    project = Project(folder / "duckdb")
    session = Session(python, folder / "spark", f"{telemetry}/**/*.ndjson", cluster)
    started = time.monotonic()
    try:
        if cluster:
            cluster.start()
            print(f"cluster up after {time.monotonic() - started:.1f} s", flush=True)
        started = time.monotonic()
        session.start()
        print(f"Spark session up after {time.monotonic() - started:.1f} s", flush=True)
        telemetry.mkdir()
        first_batch(telemetry, None if cluster else ONE_OF_A_KIND)
        differing = _build(1, project, session, cluster)
        second_batch(telemetry)
        differing += _build(2, project, session, cluster)
    finally:
        session.stop()
        if cluster:
            cluster.stop()
    if cluster:
        tasks = tasks_by_executor(session.events)
        print("tasks by executor:", ", ".join(f"{name}: {n}" for name, n in sorted(tasks.items())))
        if len([name for name in tasks if name != "driver"]) < 2:
            print("DIFFERS: the work was not split between two executors")
            differing += 1
    return differing


def main() -> None:
    """Run the check that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", type=Path, help="the Python that has dbt-spark and pyspark")
    parser.add_argument("--cluster", action="store_true", help="a master and two workers")
    arguments = parser.parse_args()
    if java_version() < JAVA:
        sys.exit(f"Spark needs Java {JAVA} or newer on the path: found {java_version() or 'none'}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    python = arguments.python.absolute()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tokenest-spark-") as name:
        folder = Path(name).resolve()
        [home] = python.parents[1].glob("lib/python3*/site-packages/pyspark")
        cluster = Cluster(home, folder) if arguments.cluster else None
        differing = _check(folder, python, cluster)
    print(f"{differing} differences, {time.monotonic() - started:.0f} s", flush=True)
    os._exit(bool(differing))  # DuckDB 2.0's binding prints a page of leaks when Python ends


if __name__ == "__main__":
    main()
