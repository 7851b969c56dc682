"""Kill processes that publish a table with signal 9, and look at what the runtime would read.

    python benchmarks/publishing_kill_trials.py --kills 100

After each kill the target is the one table or the other, whole; the history holds whole tables
alone, rolling back works, and no half-written file is left. A writer in place is caught.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tokenest_py.pipeline.calibration.history import history
from tokenest_py.pipeline.calibration.promotion import roll_back

SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"
WRITER = """
import sys
from pathlib import Path
from tokenest_py.pipeline.calibration.promotion import publish
from tokenest_py.pipeline.calibration.tables import read_table
tables = [read_table(path) for path in sys.argv[2:]]
print("ready", flush=True)
while True:
    for table in tables:
        publish(table, Path(sys.argv[1]))
"""
CARELESS_WRITER = """
import sys
from pathlib import Path
contents = [Path(path).read_bytes() for path in sys.argv[2:]]
print("ready", flush=True)
while True:
    for content in contents:
        with open(sys.argv[1], "wb", buffering=0) as file:
            for start in range(0, len(content), 512):
                file.write(content[start:start + 512])
"""


def killed(writer: str, target: Path, tables: list[Path], kills: int) -> list[bytes]:
    """What the target holds after each kill of a process that publishes without pause."""
    chance = random.Random(5)
    found = []
    for _ in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", writer, target, *tables], stdout=subprocess.PIPE
        )
        if process.stdout:
            process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found.append(target.read_bytes())
    return found


def faults(folder: Path, tables: list[Path], kills: int) -> list[str]:
    """What is wrong after so many kills."""
    target = folder / "coefficients.ndjson"
    whole = {path.read_bytes() for path in tables}
    target.write_bytes(tables[0].read_bytes())
    torn = [content for content in killed(WRITER, target, tables, kills) if content not in whole]
    found = [f"{len(torn)} times the target was neither table"] * bool(torn)
    kept = history(target)
    if not kept or not {path.read_bytes() for path in kept} <= whole:
        found.append(f"the history holds {len(kept)} tables, not all of them whole")
    roll_back(target)
    if target.read_bytes() not in whole:
        found.append("rolling back gave neither table")
    if left := [*target.parent.rglob(".*.tmp")]:
        found.append(f"left half-written: {left}")
    return found


def is_careless_seen(folder: Path, tables: list[Path], kills: int) -> bool:
    """Whether a writer in place is caught: the control."""
    target = folder / "careless.ndjson"
    whole = {path.read_bytes() for path in tables}
    target.write_bytes(tables[0].read_bytes())
    return bool(set(killed(CARELESS_WRITER, target, tables, kills)) - whole)


def main(arguments: list[str] | None = None) -> int:
    """Run the trials; return 0 when nothing was torn, and the control was."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(SUPPORT))
    import vintages

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tables = [vintages.one_budget(folder, tokens) for tokens in (1000, 2000)]
        found = faults(folder, tables, options.kills)
        seen = is_careless_seen(folder, tables, 25)
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{options.kills} kills while publishing, {len(found)} faults")
    print(f"control: a writer in place is {'seen' if seen else 'NOT seen'}")
    return 0 if seen and not found else 1


if __name__ == "__main__":
    sys.exit(main())
