"""How a whole build grows with lines, labels and files: the cost at each size, and the slope.

    python benchmarks/growth.py --most-lines 1000000 --folder /somewhere/large

The slope is that of CPU seconds between two sizes, both in logarithms: 1 grows as the size does,
0 not at all. Labels are values of the widest label, and files hold equal shares, over a tenth of
the most lines.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from timing import Cost, Work, fresh

if TYPE_CHECKING:
    from collections.abc import Callable


def build(work: Work, lines: int, **options: int) -> Cost:
    """Return what a whole build of generated telemetry takes."""
    prefix = "-".join(["ev", *(f"{name}{value}" for name, value in options.items())])
    globs = f"{work.telemetry(lines, prefix=prefix, **options)}/*.ndjson"
    return work.build(fresh(work.folder / "growth" / "tokenest.duckdb"), globs)


def table(what: str, sizes: list[int], build_of: Callable[[int], Cost]) -> None:
    """Print the rows of one table as they come."""
    print(f"\n{what:>10}   CPU s   wall s   peak MB   slope")
    before: tuple[int, Cost] | None = None
    for size in sizes:
        cost, slope = build_of(size), ""
        if before:
            grown = math.log(cost.cpu / before[1].cpu) / math.log(size / before[0])
            slope = f"{grown:8.2f}"
        before = (size, cost)
        print(
            f"{size:>10,}{cost.cpu:8.1f}{cost.wall:9.1f}{cost.megabytes:10.0f}{slope}", flush=True
        )


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--most-lines", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="kept, with its telemetry, for the next run")
    options = parser.parse_args()
    most, part = options.most_lines, options.most_lines // 10
    with tempfile.TemporaryDirectory() as scratch:
        work = Work((options.folder or Path(scratch)).absolute())
        sizes = [size for size in (1_000, 10_000, 100_000, 1_000_000, 10_000_000) if size <= most]
        table("lines", sizes, lambda size: build(work, size))
        labels = [size for size in (10, 100, 1_000, 10_000, 50_000) if size <= part]
        table("labels", labels, lambda size: build(work, part, categories=size))
        files = [size for size in (10, 100, 1_000, 10_000) if size <= part]
        table("files", files, lambda size: build(work, part, files=size))


if __name__ == "__main__":
    main()
