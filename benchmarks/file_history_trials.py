"""Random histories of telemetry files; after each build every equation of landing holds.

    python benchmarks/file_history_trials.py --histories 1000

Between two builds files grow, end in half a line, are renamed, packed, copied and cut off, edited
in place, replaced, deleted, touched, and cannot be read for a while. What the build must know is
kept beside it: the complete lines that any build could read. Each of them has landed, none counts
twice, the first content of an id stays, the bytes of each file have landed or wait, and the states
of the files that are there add up to their number.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import random
import sys
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from timing import plan_at_home
from tokenest_py.errors import BuildError
from tokenest_py.pipeline.plan.plan import Landing
from tokenest_py.pipeline.plan.run import run_plan
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenest_py.pipeline.plan.plan import Plan

ROOT = Path(__file__).resolve().parents[1]
WANTED = ("base_telemetry__schema_version", "files", "stg_tokenest__events",
          "files_are_accounted_for", "lines_are_accounted_for")  # fmt: skip
PRESENT = "select file_path, state, landed_bytes, in_flight_bytes from marts.files where is_present"
EVENTS = "select event_id, actual_output_tokens from staging.stg_tokenest__events"
BUILDS = 6


@dataclass
class History:
    """Files that change, and what the builds could read of them."""

    folder: Path
    draw: random.Random
    database: duckdb.DuckDBPyConnection
    number: int = 0
    closed: set[Path] = field(default_factory=set)
    first: dict[str, set[int]] = field(default_factory=dict)  # by id: the tokens of its first build

    def files(self) -> list[Path]:
        """Those that are there, by name."""
        return sorted(path for path in self.folder.iterdir() if path.is_file())

    def line(self) -> bytes:
        """A call of its own."""
        self.number += 1
        return _line(f"e-{self.number}", self.draw.randrange(100, 1000))

    def write(self, path: Path, content: bytes) -> None:
        """Write a file as of a moment of its own: DuckDB tells times by the second."""
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        self.touch(path)

    def touch(self, path: Path) -> None:
        """Change the time of a file alone."""
        self.number += 1
        os.utime(path, (1_700_000_000 + self.number,) * 2)

    def step(self) -> str:
        """Change something; returns what."""
        kinds = [self.create, *[self.append] * 4, self.rotate, self.rotate, self.copy_truncate,
                 self.cut, self.edit, self.replace, self.delete, self.close, self.touch_one,
                 self.pack]  # fmt: skip
        kind = self.draw.choice(kinds if self.files() else [self.create])
        kind(self.draw.choice(self.files()) if kind != self.create else self.folder)
        return kind.__name__

    def create(self, folder: Path) -> None:
        """A new file, which may take a name that was there before."""
        path = folder / f"{self.draw.choice('abc')}.ndjson{self.draw.choice(['', '', '#2', '#3'])}"
        if not path.exists():
            self.write(path, _header(self.draw) + self.line())

    def append(self, path: Path) -> None:
        """More lines, the last of them whole or not; half a line is completed first."""
        content = _content(path)
        if content and not content.endswith(b"\n"):
            content += b' "x"}\n'
        content += b"".join(self.line() for _ in range(self.draw.randrange(3)))
        self.write(path, content + (b'{"half":' if self.draw.random() < 0.3 else b""))

    def rotate(self, path: Path) -> None:
        """Rename, with a new file of the old name at times."""
        content = _content(path)
        target = path.with_name(
            f"{path.name.split('.')[0]}.{self.draw.randrange(4)}.ndjson{_packed(path)}"
        )
        path.replace(target)
        self.closed -= {path, target}
        if self.draw.random() < 0.5:
            first = content[: content.find(b"\n") + 1] if self.draw.random() < 0.5 else b""
            self.write(path, first + self.line())

    def copy_truncate(self, path: Path) -> None:
        """Copy, empty, and grow again, at times past the old size and from the same first line."""
        content = _content(path)
        self.write(path.with_name(f"copy-{self.draw.randrange(4)}.ndjson"), content)
        kept = content[: content.find(b"\n") + 1] if self.draw.random() < 0.5 else b""
        self.write(path, kept + b"".join(self.line() for _ in range(self.draw.randrange(9))))

    def cut(self, path: Path) -> None:
        """Truncate anywhere."""
        content = _content(path)
        self.write(path, content[: self.draw.randrange(len(content) + 1)])

    def edit(self, path: Path) -> None:
        """Change digits of one line, which keeps its length: of the count, or of the id."""
        lines = _content(path).splitlines(keepends=True)
        if lines:
            at = self.draw.randrange(len(lines))
            with contextlib.suppress(ValueError, KeyError):
                record = json.loads(lines[at])
                tokens = self.draw.randrange(100, 1000)
                name = record["event_id"] if self.draw.random() < 0.5 else f"edited-{tokens}"
                lines[at] = _line(name, tokens)
        self.write(path, b"".join(lines))

    def replace(self, path: Path) -> None:
        """Another content under the name."""
        self.write(path, b"".join(self.line() for _ in range(self.draw.randrange(1, 5))))

    def delete(self, path: Path) -> None:
        """It is archived."""
        path.unlink()
        self.closed.discard(path)

    def close(self, path: Path) -> None:
        """It cannot be read until it can again."""
        self.closed ^= {path}

    def touch_one(self, path: Path) -> None:
        """Nothing but the time."""
        self.touch(path)

    def pack(self, path: Path) -> None:
        """Compress a file whose lines are whole."""
        content = _content(path)
        if path.suffix != ".gz" and content.endswith(b"\n"):
            path.unlink()
            self.closed.discard(path)
            self.write(path.with_name(f"{path.name}.gz"), content)

    def build(self, plan: Plan) -> None:
        """Land what is there."""
        aside = {str(path): "permission denied" for path in self.closed if path.exists()}
        settings = Settings.read({}, TOKENEST_TELEMETRY=f"{self.folder}/*.ndjson*")
        settings = settings.replaced(TOKENEST_SET_ASIDE=json.dumps(aside))
        run_plan(plan, settings, self.database)
        new: dict[str, set[int]] = {}
        for path in self.readable():
            for record in _records(_content(path)):
                new.setdefault(record["event_id"], set()).add(record["actual_output_tokens"])
        self.first = new | self.first

    def readable(self) -> list[Path]:
        """The files that a build reads."""
        return [path for path in self.files() if path not in self.closed]

    def faults(self) -> Iterator[str]:
        """What does not add up."""
        yield from self._faults_of_events()
        yield from self._faults_of_files()

    def _faults_of_events(self) -> Iterator[str]:
        found = self.database.execute(EVENTS).fetchall()
        if len(found) != len({name for name, _ in found}):
            yield "an event counts twice"
        if missing := self.first.keys() - {name for name, _ in found}:
            yield f"never landed: {sorted(missing)}"
        for name, tokens in found:
            if tokens not in self.first.get(name, ()):
                yield f"{name} counts {tokens}, which is not what landed first"

    def _faults_of_files(self) -> Iterator[str]:
        rows = {path: row for path, *row in self.database.execute(PRESENT).fetchall()}
        if rows.keys() != {str(path) for path in self.files()}:
            yield f"present are {sorted(rows)}, and not {self.files()}"
        for path in self.readable():
            content = _content(path)
            whole = path.stat().st_size
            if path.suffix != ".gz":
                whole = content.rfind(b"\n") + 1
            state, landed, waiting = rows.get(str(path), ("missing", 0, 0))
            if state == "unrecognised" and not list(_records(content)):
                continue
            if (landed, waiting) != (whole, path.stat().st_size - whole):
                yield f"{path.name}: {landed} bytes landed and {waiting} wait, and not {whole}"
            if state not in ({"growing"} if waiting else {"landed", "rotated"}):
                yield f"{path.name} is {state}"
        yield from (
            f"{path.name} is {rows[str(path)][0]}"
            for path in self.closed & set(self.files())
            if rows[str(path)][0] != "unreadable"
        )


def landing_plan() -> Plan:
    """The steps that landing one source needs, with the tests of its equations."""
    plan = plan_at_home({"sources": ["tokenest"]})
    steps = {step.id: step for step in plan.steps}
    wanted, left = set(), [step.id for step in plan.steps if step.name in WANTED]
    while left:
        name = left.pop()
        if name in steps and name not in wanted:
            wanted.add(name)
            left += steps[name].needs
    return replace(plan, export="", steps=tuple(s for s in plan.steps if s.id in wanted))


def careless(plan: Plan) -> Plan:
    """The same plan, which takes every file for what it was: a control that the trials see it."""
    text = json.dumps([asdict(step.landing) for step in plan.steps if step.landing])
    careless_text = text.replace(" = candidates.landed_md5", " is not null")
    landings = iter(json.loads(careless_text))
    return replace(
        plan,
        steps=tuple(
            replace(step, landing=Landing(**next(landings))) if step.landing else step
            for step in plan.steps
        ),
    )


def trial(plan: Plan, seed: int) -> list[str]:
    """One history; returns what was wrong, with the steps that led there."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "telemetry")
        folder.mkdir()
        path = str(Path(scratch, "trial.duckdb"))
        draw, done = random.Random(seed), []
        with duckdb.connect(path) as database:
            history = History(folder, draw, database)
            history.create(folder)
        for _ in range(BUILDS):
            done += [history.step() for _ in range(draw.randrange(1, 5))]
            with duckdb.connect(path) as database:  # a run confines its connection for good
                history.database = database
                try:
                    history.build(plan)
                    faults = list(history.faults())
                except BuildError as error:
                    faults = [str(error)]
            if faults:
                return [f"seed {seed}, {', '.join(done)}: {fault}" for fault in faults]
            done.append("BUILD")
    return []


def main(arguments: list[str] | None = None) -> int:
    """Run the histories; return 0 when every equation held after every build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    plan = landing_plan()
    faults = [
        fault
        for seed in range(options.seed, options.seed + options.histories)
        for fault in trial(plan, seed)
    ]
    print(*faults, sep="\n", end="\n" if faults else "")
    builds = options.histories * BUILDS
    print(f"{options.histories} histories, {builds} builds, {len(faults)} faults")
    seen = sum(bool(trial(careless(plan), seed)) for seed in range(options.seed, options.seed + 9))
    print(f"control: a landing that compares nothing is seen in {seen} of 9")
    return 0 if seen and not faults else 1


def _line(name: str, tokens: int) -> bytes:
    record = {"event_id": name, "occurred_at": "2026-01-02T03:04:05Z", "run_id": "r",
              "phase_id": "p", "actual_output_tokens": tokens}  # fmt: skip
    return json.dumps(record).encode() + b"\n"


def _header(draw: random.Random) -> bytes:
    """A first line that many files share."""
    return _line("header", 100) if draw.random() < 0.5 else b""


def _packed(path: Path) -> str:
    return ".gz" if path.suffix == ".gz" else ""


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def _records(content: bytes) -> Iterator[dict[str, object]]:
    for text in content.splitlines(keepends=True):
        if text.endswith(b"\n"):
            with contextlib.suppress(ValueError):
                record = json.loads(text)
                if isinstance(record.get("actual_output_tokens"), int):
                    yield record


if __name__ == "__main__":
    sys.exit(main())
