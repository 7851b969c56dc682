"""What `record()` costs beside a bare `os.write` of the same line, in the same run.

    python benchmarks/recorder.py

Rounds of both alternate, so that a busy machine slows both. Times include those of the clock.
The floor is what no recorder of JSON can leave out that survives a host closing its descriptor:
the standard library's encoding, the write, a look at the descriptor before and after it. The row
"off" is a recorder that is switched off: one call, without the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenest_py import Recorder

ROUNDS = 10
EVENT: dict[str, Any] = {
    "run_id": "run-2026-11-21",
    "phase_id": "phase-7",
    "attempt": 1,
    "category": "implementation",
    "complexity": "low",
    "deliverables": [f"src/package/module_{number}.py" for number in range(5)],
    "provider": "anthropic",
    "model": "claude-opus-4-7",
    "input_tokens": 5000,
    "coefficients_id": "0123456789abcdef",
    "estimator_version": "1",
    "predicted_output_tokens": 5200,
    "selected_budget": 8192,
    "actual_max_tokens": 8192,
    "actual_output_tokens": 4100,
    "stop_reason": "end_turn",
    "truncated": False,
    "success": True,
}

Call = Callable[[], object]


def timed(call: Call, count: int, threads: int) -> list[int]:
    """Nanoseconds of each of `count` calls in all, made by that many threads."""
    clock = time.perf_counter_ns
    times: list[list[int]] = [[] for _ in range(threads)]

    def work(mine: list[int]) -> None:
        for _ in range(count // threads):
            start = clock()
            call()
            mine.append(clock() - start)

    workers = [threading.Thread(target=work, args=(mine,)) for mine in times]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [nanoseconds for mine in times for nanoseconds in mine]


def side_by_side(
    calls: dict[str, Call], count: int, threads: int
) -> dict[str, tuple[float, float]]:
    """Microseconds at p50 and p99 of each call, in alternating rounds."""
    times: dict[str, list[int]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            times[name] += timed(call, count // ROUNDS, threads)
    return {name: percentiles(values) for name, values in times.items()}


def percentiles(nanoseconds: list[int]) -> tuple[float, float]:
    """P50 and p99 in microseconds."""
    cuts = statistics.quantiles(nanoseconds, n=100, method="inclusive")
    return cuts[49] / 1000, cuts[98] / 1000


def main(arguments: list[str] | None = None) -> int:
    """Print the table; return 1 when an event was dropped on the way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=40_000, help="calls for each row")
    parser.add_argument("--directory", type=Path, help="where to write (default: temporary)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.directory) as root:
        on = Recorder(Path(root) / "on", enabled=True)
        safe = Recorder(Path(root) / "safe", enabled=True, fsync=True)
        off = Recorder(Path(root) / "off", enabled=False)
        on.record(**EVENT)
        line = next((Path(root) / "on").iterdir()).read_bytes()
        bare = os.open(Path(root) / "bare", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        bare_safe = os.open(Path(root) / "bare_safe", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

        def write_safely() -> None:
            os.write(bare_safe, line)
            os.fsync(bare_safe)

        encode = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode

        def floor() -> None:
            text = f"{encode(EVENT)}\n".encode("ascii")
            os.fstat(bare)
            os.write(bare, text)
            os.fstat(bare)

        print(f"{len(line)} bytes a line; microseconds a call")
        print(f"{'':18} {'threads':>7} {'p50':>8} {'p99':>8} {'ratio p50':>10} {'ratio p99':>10}")
        pairs: list[tuple[int, int, dict[str, Call]]] = [
            (
                threads,
                options.calls,
                {
                    "os.write": lambda: os.write(bare, line),
                    "floor": floor,
                    "record()": lambda: on.record(**EVENT),
                },
            )
            for threads in (1, 8)
        ]
        pairs.append(
            (
                1,
                options.calls // 20,
                {
                    "os.write + fsync": write_safely,
                    "record(), fsync": lambda: safe.record(**EVENT),
                },
            )
        )
        for threads, count, calls in pairs:
            measured = side_by_side(calls, count, threads)
            base = next(iter(measured.values()))
            for name, (p50, p99) in measured.items():
                print(
                    f"{name:18} {threads:7} {p50:8.2f} {p99:8.2f}"
                    f" {p50 / base[0]:10.2f} {p99 / base[1]:10.2f}"
                )
        best = min(timeit.repeat(lambda: off.record(**EVENT), number=options.calls, repeat=20))
        print(f"{'off':18} {1:7} {best / options.calls * 1e6:8.2f}")
        dropped = {**on.status().dropped, **safe.status().dropped}
        print(f"dropped: {dropped or 'none'}")
    return 1 if dropped else 0


if __name__ == "__main__":
    sys.exit(main())
