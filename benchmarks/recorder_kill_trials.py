"""Kill writers with signal 9 at random moments, and look for acknowledged events that are gone.

    python benchmarks/recorder_kill_trials.py --kills 2000

Each writer notes in shared memory, which outlives it, the number of the last event for which
`record()` returned True. After the kill, every event up to that number has to be in the writer's
files, each on a line of its own, and only the last line of a file may be torn. The same trial
with a buffered writer has to lose events: else the trial could not see a loss. Ends with 1 when
the recorder lost one or the buffered writer did not.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tokenest_py import Recorder

SIZES = (700, 3000)
WRITERS = 4  # at once, each in a folder of its own
MAX_FILE_BYTES = 256 * 1024  # small, so that files change during the trials
LONGEST_LIFE = 0.03  # seconds after a writer's first event
MAX_DELIVERABLES = 20

Append = Callable[[int], bool]


@dataclass
class Tally:
    """What the trials found so far."""

    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    torn_tails: int = 0
    torn_within: int = 0
    repeated: int = 0
    files: int = 0

    def holds(self) -> bool:
        """Whether the promise was kept."""
        return self.lost == self.torn_within == self.repeated == 0


def padding(size: int) -> list[str]:
    """Deliverables that bring a line of the recorder close to `size` bytes."""
    count = min(MAX_DELIVERABLES, max(1, (size - 400) // 100))
    length = (size - 400) // count
    return [f"src/{'x' * (length - 7)}" for _ in range(count)]


def recorder(folder: Path, size: int) -> Append:
    """The writer under test."""
    writer = Recorder(folder, enabled=True, max_bytes=MAX_FILE_BYTES)
    deliverables = padding(size)
    return lambda number: writer.record(
        run_id="kill-trial",
        phase_id=f"phase-{number}",
        attempt=number,
        category="implementation",
        complexity="low",
        model="claude-sonnet-4-5",
        deliverables=deliverables,
        actual_output_tokens=number,
        success=True,
    )


def buffered(folder: Path, size: int) -> Append:
    """The negative control: the same lines through a file object's buffer."""
    folder.mkdir()
    file = (folder / "events.ndjson").open("ab")
    filling = "x" * (size - 30)

    def append(number: int) -> bool:
        file.write(json.dumps({"attempt": number, "filling": filling}).encode() + b"\n")
        return True

    return append


def write_until_killed(append: Append, acknowledged: mmap.mmap) -> None:
    """Append events 1, 2, 3, ... and note each one that was acknowledged."""
    number = 0
    while True:
        number += 1
        if append(number):
            struct.pack_into("<q", acknowledged, 0, number)


def start(make: Callable[[Path, int], Append], folder: Path, size: int, memory: mmap.mmap) -> int:
    """Fork a writer and return its process id."""
    child = os.fork()
    if child == 0:
        try:
            write_until_killed(make(folder, size), memory)
        finally:
            os._exit(1)
    return child


def kill_after_a_while(child: int, memory: mmap.mmap) -> None:
    """Kill the writer at a random moment after its first event, and wait for its end."""
    deadline = time.monotonic() + 30
    while struct.unpack_from("<q", memory)[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.0005)
    time.sleep(random.uniform(0, LONGEST_LIFE))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
        sys.exit(f"a writer ended by itself with status {status}")


def examine(folder: Path, acknowledged: int, tally: Tally) -> None:
    """Compare the files with what was acknowledged."""
    found: list[int] = []
    for file in sorted(folder.glob("**/*.ndjson")):
        *lines, tail = file.read_bytes().split(b"\n")
        tally.files += 1
        tally.torn_tails += tail != b""
        for line in lines:
            try:
                found.append(json.loads(line)["attempt"])
            except ValueError:
                tally.torn_within += 1
        file.unlink()
    tally.kills += 1
    tally.acknowledged += acknowledged
    tally.lost += len(set(range(1, acknowledged + 1)) - set(found))
    tally.repeated += len(found) - len(set(found))


def trial(make: Callable[[Path, int], Append], kills: int, size: int, directory: Path) -> Tally:
    """Kill that many writers, WRITERS at a time, and return what was found."""
    tally = Tally()
    memories = [mmap.mmap(-1, 8) for _ in range(WRITERS)]
    while tally.kills < kills:
        round_size = min(WRITERS, kills - tally.kills)
        with tempfile.TemporaryDirectory(dir=directory) as root:
            folders = [Path(root) / str(number) for number in range(round_size)]
            writers = []
            for folder, memory in zip(folders, memories, strict=False):
                struct.pack_into("<q", memory, 0, 0)
                writers.append((start(make, folder, size, memory), folder, memory))
            for child, _, memory in writers:
                kill_after_a_while(child, memory)
            for _, folder, memory in writers:
                examine(folder, struct.unpack_from("<q", memory)[0], tally)
    return tally


def main(arguments: list[str] | None = None) -> int:
    """Run the trials and print one line for each; return 0 when all went as promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=2000, help="kills over all record sizes")
    parser.add_argument("--control-kills", type=int, default=20, help="of the buffered writer")
    parser.add_argument("--directory", type=Path, help="where to write (default: temporary)")
    options = parser.parse_args(arguments)
    print(
        f"{'writer':9} {'bytes':>5} {'kills':>5} {'acknowledged':>12} {'lost':>6}"
        f" {'torn tails':>10} {'torn within':>11} {'files':>6}"
    )
    kept = True
    for make, kills in ((recorder, options.kills), (buffered, options.control_kills)):
        lost = 0
        for size in SIZES:
            tally = trial(make, kills // len(SIZES), size, options.directory)
            print(
                f"{make.__name__:9} {size:5} {tally.kills:5} {tally.acknowledged:12,}"
                f" {tally.lost:6,} {tally.torn_tails:10} {tally.torn_within:11} {tally.files:6}"
            )
            kept &= make is buffered or tally.holds()
            lost += tally.lost
        kept &= make is recorder or lost > 0
    print(
        "kept: no acknowledged event was lost, and the control shows that the trial sees losses"
        if kept
        else "NOT kept"
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
