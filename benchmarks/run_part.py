"""Runs the part of a plan that leads to some models, on the settings of its environment.

python benchmarks/run_part.py PLAN MODEL ...
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from tokenest_py.pipeline.plan.plan import Plan
from tokenest_py.pipeline.plan.run import run_plan
from tokenest_py.pipeline.settings import Settings


def main(path: Path, *names: str) -> None:
    """Run it."""
    settings = Settings.read()
    with duckdb.connect(str(settings.database)) as connection:
        run_plan(Plan.read(path, {}).leading_to(names), settings, connection)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
