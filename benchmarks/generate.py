"""Writes generated telemetry: events of about 525 bytes with all fields, in files of 64 MiB.

1 % of the lines repeat an earlier event, 0.1 % are bad in one of several ways, and there is one
path for each ten events, a few of them in most. The same seed gives the same bytes.

    python benchmarks/generate.py FOLDER --lines 1000000
"""

from __future__ import annotations

import argparse
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE_BYTES = 64 * 1024 * 1024
CATEGORIES = ["implementation", "testing", "documentation", "refactoring", "configuration"]
COMPLEXITIES = ["low", "medium", "high"]
MODELS = ["claude-sonnet-4-5", "claude-haiku-4-5", "gpt-5", "gemini-2.5-pro"]
PARTS = ["api", "auth", "billing", "cache", "db", "events", "http", "jobs", "mail", "search"]
SUFFIXES = [".py", "_test.py", ".ts", ".md", ".yaml"]
START = datetime(2026, 1, 1, tzinfo=UTC)
BAD_LINES = [b"{not json", b'{"run_id": "\xff"}', b"[1, 2]", b"{}", b'{"run_id": 3}']


def path(random_: random.Random, distinct: int) -> str:
    """One of so many paths; a tenth of them is drawn in half of the cases."""
    number = int(distinct * random_.random() ** 3.3)
    part = PARTS[number % len(PARTS)]
    return f"src/{part}/{PARTS[number // 10 % len(PARTS)]}_{number}{SUFFIXES[number % 7 % 5]}"


def event(
    number: int, random_: random.Random, first: int = 0, distinct_paths: int = 1000,
    categories: Sequence[str] = CATEGORIES,
) -> dict[str, object]:  # fmt: skip
    """The record of one call; `first` calls were made before the first of the file."""
    call = first + number
    category = random_.choice(categories)
    complexity = random_.choice(COMPLEXITIES)
    count = 1 if random_.random() < 0.8 else 2
    centre = 600 * (1 + categories.index(category) % 5) * (1 + COMPLEXITIES.index(complexity))
    demand = max(1, int(random_.lognormvariate(0, 0.6) * centre))
    ceiling = random_.choice([4096, 8192, 16384])
    truncated = demand >= ceiling
    return {
        "event_id": f"{random_.getrandbits(64):016x}",
        "occurred_at": (START + timedelta(seconds=call)).isoformat()[:19] + "Z",
        "run_id": f"r-{call // 500:06d}",
        "phase_id": f"p-{call % 500:03d}",
        "attempt": 1,
        "category": category,
        "complexity": complexity,
        "deliverables": [path(random_, distinct_paths) for _ in range(count)],
        "deliverable_count": count,
        "provider": "provider",
        "model": random_.choice(MODELS),
        "input_tokens": random_.randint(200, 60000),
        "coefficients_id": "0123abcd",
        "estimator_version": "1",
        "predicted_output_tokens": int(centre * 1.3),
        "selected_budget": ceiling,
        "actual_max_tokens": ceiling,
        "actual_output_tokens": min(demand, ceiling),
        "reasoning_tokens": 0,
        "stop_reason": "max_tokens" if truncated else "end_turn",
        "truncated": truncated,
        "success": not truncated and random_.random() > 0.03,
        "is_control": False,
    }


def write(
    folder: Path, lines: int, *, seed: int = 1, prefix: str = "ev", first: int = 0,
    bad: float = 0.001, categories: int = 0, files: int = 0,
) -> int:  # fmt: skip
    """Write that many lines below the folder; return the bytes written.

    Args:
        folder: Where to.
        lines: How many lines.
        seed: The same gives the same bytes.
        prefix: What the names of the files begin with.
        first: How many calls were made before.
        bad: The share of bad lines.
        categories: How many distinct categories; 0: the usual five.
        files: How many files; 0: as many of 64 MiB as it takes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"category_{number}" for number in range(categories)] or CATEGORIES
    share = lines // files if files else lines
    random_ = random.Random(seed)  # the same bytes at every run; nothing secret
    total = number = file_no = 0
    previous = b""
    while number < lines:
        with (folder / f"{prefix}-{file_no:04d}.ndjson").open("wb") as file:
            end = min(lines, number + share)
            while number < end and file.tell() < FILE_BYTES:
                draw = random_.random()
                if draw < bad:
                    text = random_.choice(BAD_LINES)
                elif draw < bad + 0.01 and previous:
                    text = previous
                else:
                    record = event(number, random_, first, max(1000, lines // 10), names)
                    text = previous = json.dumps(record, separators=(",", ":")).encode()
                total += file.write(text + b"\n")
                number += 1
        file_no += 1
    return total


def main() -> None:
    """Write the files that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    written = write(arguments.folder, arguments.lines, seed=arguments.seed)
    print(f"{arguments.lines} lines, {written / arguments.lines:.0f} bytes each")


if __name__ == "__main__":
    main()
