"""Poll a database while builds write it: a reader meets the state before or after, nothing between.

    python benchmarks/reader_trials.py --builds 50

Readers open the database, ask several tables how far they have come, and close it, over and over,
while builds land a file each. All answers of one look have to be of one build, and no look may be
of an older build than the one before. A build in two transactions is caught.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from file_history_trials import landing_plan
from tokenest_py.errors import DatabaseError
from tokenest_py.pipeline.database import wait_for
from tokenest_py.pipeline.plan.run import run_plan
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from tokenest_py.pipeline.plan.plan import Plan

READERS = 2
LINES = 20  # of each file
LOOK = (
    "select count(*) from staging.base_tokenest__lines",
    "select count(*) from staging.stg_tokenest__events",
    "select sum(accepted) from marts.files",
    f"select {LINES} * count(*) from marts.files",
    f"select {LINES} * count(*) from staging.base_telemetry__files",
)


def poll(database: Path) -> int:
    """Look until standard input ends; print each answer that differs from the one before."""
    last: list[int] = []
    looks = 0
    while not (database.parent / "over").exists():
        time.sleep(0.02)  # or no build would ever find it free
        try:
            with wait_for(database, 0, read_only=True) as connection:
                found = [connection.execute(query).fetchone() for query in LOOK]
        except DatabaseError:
            continue  # a build holds it
        answer = [int((row or (0,))[0] or 0) for row in found]
        looks += 1
        if answer != last:
            print(json.dumps(answer), flush=True)
        last = answer
    print(json.dumps({"looks": looks}), flush=True)
    return 0


def land(folder: Path, plan: Plan, number: int) -> None:
    """Land one more file."""
    record = {"occurred_at": "2026-01-02T03:04:05Z", "phase_id": "p", "actual_output_tokens": 7}
    lines = [json.dumps({**record, "event_id": f"{number}-{n}"}) + "\n" for n in range(LINES)]
    path = folder / "telemetry" / f"{number:03}.ndjson"
    path.write_text("".join(lines), encoding="utf-8")
    settings = Settings.read({}, TOKENEST_TELEMETRY=f"{folder}/telemetry/*.ndjson")
    with wait_for(folder / "tokenest.duckdb", 60, read_only=False) as connection:
        run_plan(plan, settings, connection)


def land_in_two(folder: Path, number: int) -> None:
    """The control: the lines first, and what is made of them in a second transaction."""
    lines = "staging.base_tokenest__lines"
    insert = (
        f"insert into {lines} by name select * replace ('{number}' as source_file) from {lines}"
        " where source_file like '%/000.ndjson'"
    )
    for query in (insert, "update marts.files set accepted = accepted"):
        with wait_for(folder / "tokenest.duckdb", 60, read_only=False) as connection:
            connection.execute(query)
        time.sleep(0.3)


def wrong(answers: list[list[int]]) -> list[str]:
    """Looks that are of no build, or of one before the last that was seen."""
    found = [f"of no build: {answer}" for answer in answers if len(set(answer)) > 1]
    firsts = [answer[0] for answer in answers]
    return found + [f"back from {a} to {b}" for a, b in itertools.pairwise(firsts) if b < a]


def main(arguments: list[str] | None = None) -> int:
    """Run the trials; return 0 when every look was of one build, and the control's were not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--builds", type=int, default=50)
    parser.add_argument("--poll", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.poll:
        return poll(options.poll)
    plan = landing_plan()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "telemetry").mkdir()
        land(folder, plan, 0)
        words = [sys.executable, __file__, "--poll", folder / "tokenest.duckdb"]
        readers = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
                   for _ in range(READERS)]  # fmt: skip
        for number in range(1, options.builds + 1):
            land(folder, plan, number)
            time.sleep(0.05)  # or no reader would ever find it free
        time.sleep(0.5)
        land_in_two(folder, options.builds + 1)
        (folder / "over").touch()
        said = [[json.loads(text) for text in reader.communicate()[0].splitlines()]
                for reader in readers]  # fmt: skip
    most = LINES * (options.builds + 1)
    answers = [[a for a in each if isinstance(a, list) and a[0] <= most] for each in said]
    faults = [fault for each in answers for fault in wrong(each)]
    later = [a for each in said for a in each if isinstance(a, list) and a[0] > most]
    controls = sum(len(set(answer)) > 1 for answer in later)
    looks = sum(a["looks"] for each in said for a in each if isinstance(a, dict))
    states = len({a[0] for each in answers for a in each})
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{options.builds} builds, {looks} looks at {states} states, {len(faults)} faults")
    print(f"control: a build in two transactions is seen by {controls} looks")
    return 0 if controls and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
