"""Every command under every fault of its frame: signals, streams that take nothing, ASCII.

    python benchmarks/frame_trials.py --signals 20

The commands are those of the argument parser, so that a new one is tried by being there. Whatever
happens, a command says at most one line of error, no traceback, and ends with a documented code;
one that was interrupted says so. Careless programs have to be caught: else the trial could not
see a fault. Ends with 1 when a command was at fault or a careless program was not caught.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from tokenest_py.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Fault = Callable[[Path, Mapping[str, str], str, random.Random], list[str]]

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "telemetry" / "s0_production_samples.ndjson"
CODES = {0, 1, 2, 3, 4, 75, 129, 130, 143}
LONGEST = {"build": 6.0, "backtest": 6.0, "promote": 6.0}  # seconds to a signal
# What a command needs to have something to do; one that is not here is given a word for each need.
WORDS = {
    "advise": [str(SAMPLES)],
    "build": ["--lock-timeout", "0"],
    "backtest": ["--rounds", "1"],
    "promote": ["--to", "live.ndjson", "--yes", "--rounds", "1"],
    "rollback": ["--to", "live.ndjson", "--yes"],
    "estimate": ["src/ä.py", "--explain"],
    "size": ["requests.ndjson"],
    "identity": ["--deep"],
    "backup": ["copy.duckdb"],
    "restore": ["saved.duckdb"],
    "plan": ["--run", "r"],
    "drain": ["no-such-run", "--worker", "true"],
    "report": ["--format", "md"],
    "serve": ["--port", "0"],
    "limits show": ["gpt-4o"],
}

CARELESS = [
    "raise RuntimeError",
    "raise SystemExit(9)",
    "raise SystemExit(1)",
    "raise SystemExit('tokenest: first\\ntokenest: second')",
]


def commands() -> dict[str, list[str]]:
    """The words of each command, by its name, as the parser knows them; and the help."""
    parsed = typer.main.get_command(app)
    assert isinstance(parsed, TyperGroup)
    found = {name: [*name.split(), *WORDS.get(name, needs)] for name, needs in _leaves(parsed)}
    return found | {"--help": ["--help"]}


def _leaves(group: TyperGroup, above: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """The commands of a group and of those in it, each with a word for what it needs."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _leaves(command, (*above, name))
            continue
        needs = [param for param in command.params if param.required]
        words = [[p.opts[0], "x"] if p.param_type_name == "option" else ["x"] for p in needs]
        yield " ".join((*above, name)), list(itertools.chain(*words))


def start(
    place: Path, environment: Mapping[str, str], words: list[str], **options: object
) -> subprocess.Popen[bytes]:
    """Start a command whose errors can be read."""
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                             "stderr": subprocess.PIPE, **options}  # fmt: skip
    program = [sys.executable, "-m", "tokenest_py", *words]
    return subprocess.Popen(program, cwd=place, env=dict(environment), **given)


def ended(process: subprocess.Popen[bytes], words: list[str]) -> tuple[int, list[str], list[str]]:
    """Its exit code, its lines of error, and what is wrong with them."""
    if words[0] == "serve" and process.poll() is None:
        time.sleep(2)  # it ends by a signal alone
        process.send_signal(signal.SIGTERM)
    try:
        raw = process.communicate(timeout=300)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return -9, [], ["it does not end"]
    said = (raw or b"").decode(errors="replace")
    errors = [text for text in said.splitlines() if text.startswith("tokenest: ")]
    wrong = []
    if "Traceback" in said or "Exception ignored" in said:
        wrong.append(f"a traceback: {said[-2000:].strip()}")
    if len(errors) > 1:
        wrong.append(f"{len(errors)} lines of error: {errors}")
    if process.returncode not in CODES:
        wrong.append(f"exit code {process.returncode}: {said[-500:].strip()}")
    if process.returncode not in {0, 3, 4, 128 + signal.SIGTERM} and raw is not None and not errors:
        wrong.append(
            f"exit code {process.returncode} without a line of error: {said[-500:].strip()}"
        )
    return process.returncode, errors, wrong


def careless() -> int:
    """How many of the careless programs are seen."""
    options: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    programs = [subprocess.Popen([sys.executable, "-c", code], **options) for code in CARELESS]
    return sum(bool(ended(program, ["careless"])[2]) for program in programs)


def listens(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process has a handler of its own for SIGTERM, as the frame sets first."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    caught = re.search(r"SigCgt:\s*([0-9a-f]+)", status)
    return bool(caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def interrupted(
    place: Path, environment: Mapping[str, str], name: str, number: int, draw: random.Random
) -> list[str]:
    """A signal at a random time: 128 and its number, "interrupted", unless it was over before."""
    words = commands()[name]
    process = start(place, environment, words)
    with contextlib.suppress(OSError):
        while process.poll() is None and not listens(process):
            time.sleep(0.001)
    time.sleep(draw.uniform(0, LONGEST.get(name, 1.0)))
    was_over = process.poll() is not None
    process.send_signal(number)
    code, errors, wrong = ended(process, [name] if was_over else ["signalled"])
    if not was_over and code == 128 + number and errors != ["tokenest: interrupted"]:
        wrong.append(f"it was interrupted and says {errors}")
    if code in {129, 130, 143} and code != 128 + number:
        wrong.append(f"signal {number} gives {code}")
    return wrong


def full(place: Path, environment: Mapping[str, str], name: str, _draw: random.Random) -> list[str]:
    """A device without room as standard output: a result that cannot be written is an error."""
    words = commands()[name]
    with Path("/dev/full").open("wb") as device:
        return ended(start(place, environment, words, stdout=device), words)[2]


def narrow(
    place: Path, environment: Mapping[str, str], name: str, _draw: random.Random
) -> list[str]:
    """Standard streams in ASCII."""
    words = commands()[name]
    ascii_alone = {**environment, "PYTHONIOENCODING": "ascii"}
    return ended(start(place, ascii_alone, words), words)[2]


def closed(
    place: Path, environment: Mapping[str, str], name: str, draw: random.Random
) -> list[str]:
    """Some of the standard streams are not there at all."""
    words = commands()[name]
    gone = draw.choice([[0], [1], [0, 1], [0, 1, 2]])
    options: dict[str, object] = {"stdin": None, "preexec_fn": functools.partial(_close, gone)}
    if 2 in gone:
        options["stderr"] = None
    return ended(start(place, environment, words, **options), words)[2]


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def kinds() -> dict[str, Fault]:
    """The faults, by name."""

    def by(number: int) -> Fault:
        return lambda place, environment, name, draw: interrupted(
            place, environment, name, number, draw
        )

    return {"SIGINT": by(signal.SIGINT), "SIGTERM": by(signal.SIGTERM),
            "SIGHUP": by(signal.SIGHUP), "full": full,
            "ascii": narrow, "closed": closed}  # fmt: skip


def furnish(place: Path) -> None:
    """What the commands ask for beside a built database."""
    shutil.copy(place / "tokenest.duckdb", place / "saved.duckdb")
    (place / "requests.ndjson").write_text(
        '{"model": "gpt-4o", "max_tokens": 100, "messages": []}\n', encoding="utf-8"
    )


def trial(
    built: Path, environment: Mapping[str, str], kind: str, name: str, seed: int = 0
) -> list[str]:
    """One command under one fault, in a copy of the built folder; returns what is wrong."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch, "place")
        shutil.copytree(built, place)
        furnish(place)
        draw = random.Random(f"{kind} {name} {seed}")
        return [f"{name} under {kind}: {fault}"
                for fault in kinds()[kind](place, environment, name, draw)]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Try all; return 0 when each ended as it should."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--signals", type=int, default=10, help="of each kind, to each command")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        built = Path(scratch, "built")
        (built / "telemetry").mkdir(parents=True)
        shutil.copy(SAMPLES, built / "telemetry")
        environment = {**os.environ, "TOKENEST_DB": "tokenest.duckdb", "DO_NOT_TRACK": "1",
                       "TOKENEST_EXPORTS": "exports",
                       "TOKENEST_TELEMETRY": "telemetry/*.ndjson"}  # fmt: skip
        done = subprocess.run([sys.executable, "-m", "tokenest_py", "build"], cwd=built,
                              env=environment, capture_output=True, check=False)  # fmt: skip
        if done.returncode:
            sys.exit(done.stderr.decode())
        faults, count = [], 0
        for kind in kinds():
            for name in commands():
                for seed in range(options.signals if kind.startswith("SIG") else 1):
                    faults += trial(built, environment, kind, name, seed)
                    count += 1
    print(*faults, sep="\n", end="\n" if faults else "")
    seen = careless()
    print(f"{len(commands())} commands, {count} trials, {len(faults)} faults;"
          f" {seen} of {len(CARELESS)} careless programs seen")  # fmt: skip
    return 1 if faults or seen < len(CARELESS) else 0


if __name__ == "__main__":
    sys.exit(main())
