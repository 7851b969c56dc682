"""A folder with telemetry and databases, and whole processes timed on them."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import generate
from tokenest_py.pipeline.plan.store import current_plan
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenest_py.pipeline.plan.plan import Plan

__all__ = ["ROOT", "Cost", "Work", "fresh", "median", "plan_at_home", "show"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LANDING = ["base_tokenest__repeated_lines"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: CPU and wall seconds, peak memory in megabytes."""

    cpu: float
    wall: float
    megabytes: float


def plan_at_home(variables: Mapping[str, object]) -> Plan:
    """Return the plan of the checkout and these vars, kept in its target folder as a build does."""
    with contextlib.chdir(ROOT):
        return current_plan(Settings.read({}), variables, lambda _: None)


class Work:
    """The folder, with the plan of the checkout."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; every process is started in it."""
        self.folder = folder
        self.plan = folder / "target" / "plan-default.json"
        folder.mkdir(parents=True, exist_ok=True)
        plan_at_home({}).write(self.plan)

    def telemetry(
        self, lines: int, *, prefix: str = "ev", first: int = 0, seed: int = 1,
        bad: float = 0.001, categories: int = 0, files: int = 0,
    ) -> Path:  # fmt: skip
        """Return the folder of generated files; made once."""
        folder = self.folder / f"{prefix}-{lines}"
        if not folder.exists():
            unfinished = folder.with_suffix(".part")
            shutil.rmtree(unfinished, ignore_errors=True)
            generate.write(
                unfinished, lines, seed=seed, prefix=prefix, first=first, bad=bad,
                categories=categories, files=files,
            )  # fmt: skip
            unfinished.rename(folder)
        return folder

    def timed(self, *command: str | Path, database: Path, globs: str = "") -> Cost:
        """Run the command and return what it took; raise when it fails."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TOKENEST_", "DBT_"))}
        environment = kept | {
            "PYTHONPATH": str(ROOT),
            "DBT_TARGET_PATH": str(self.plan.parent),
            "TOKENEST_DB": str(database),
            "TOKENEST_EXPORTS": str(database.with_suffix(".exports")),
            "TOKENEST_TELEMETRY": globs,
            "TOKENEST_MEMORY_LIMIT": "2GB",
            "DO_NOT_TRACK": "1",
        }
        log = self.folder / "output.txt"
        began = time.monotonic()
        pid = os.posix_spawn(
            command[0], [str(part) for part in command], environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )  # fmt: skip
        _, status, usage = os.wait4(pid, 0)
        wall = time.monotonic() - began
        if os.waitstatus_to_exitcode(status):
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{log.read_text()[-3000:]}")
        return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)

    def land(self, database: Path, globs: str) -> Cost:
        """Time the landing with its line numbers, verdicts and repetitions."""
        return self.python("run_part.py", self.plan, *LANDING, database=database, globs=globs)

    def build(self, database: Path, globs: str) -> Cost:
        """Time `tokenest build`."""
        return self.timed(
            sys.executable, "-m", "tokenest_py", "build", database=database, globs=globs
        )

    def python(self, script: str, *arguments: object, database: Path, globs: str = "") -> Cost:
        """Time a script of this folder."""
        return self.timed(
            sys.executable, HERE / script, *map(str, arguments), database=database, globs=globs
        )


def fresh(path: Path) -> Path:
    """Return the path, without what was there."""
    for leftover in (path, path.with_name(path.name + ".wal")):
        leftover.unlink(missing_ok=True)
    # a build keeps an exported table that is better than the new one
    shutil.rmtree(path.with_suffix(".exports"), ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def median(costs: list[Cost]) -> Cost:
    """Return the one in the middle by CPU time."""
    return sorted(costs, key=lambda cost: cost.cpu)[len(costs) // 2]


def show(what: str, cost: Cost) -> None:
    """Print one timing as it comes."""
    print(f"  {what:44} {cost.cpu:8.2f} {cost.wall:8.2f} {cost.megabytes:9.0f}", flush=True)
