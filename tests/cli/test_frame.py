"""The frame of every command: whatever happens, at most one line of error and a documented code."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dbt_project import BIN, ROOT, Project

pytestmark = pytest.mark.slow

CODES = {0, 1, 2, 3, 4, 75, 130, 143}
COMMANDS = [
    ["build", "--lock-timeout", "0"],
    ["calibrate"],
    ["backtest", "--rounds", "1"],
    ["promote", "--to", "live.ndjson", "--yes", "--rounds", "1"],
    ["rollback", "--to", "live.ndjson", "--yes"],
    ["estimate", "src/ä.py", "--explain"],
    ["identity", "--deep"],
    ["plan", "--run", "r"],
    ["drain", "no-such-run", "--worker", "true"],
    ["replay"],
    ["report", "--format", "md"],
    ["--help"],
]
BY_NAME = {words[0]: words for words in COMMANDS}


@pytest.fixture
def built(samples: Project, project: Project) -> Project:
    """The published samples in a project of the test's own."""
    shutil.copytree(samples.folder, project.folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "telemetry" / "s0_production_samples.ndjson", project.telemetry())
    return project


def start(built: Project, words: list[str], **options: object) -> subprocess.Popen[bytes]:
    """Start a command whose errors can be read."""
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **options}
    return subprocess.Popen(
        [BIN / "tokenest", *words],
        cwd=built.folder,
        env=given.pop("env", built.environment()),
        stderr=subprocess.PIPE,
        **given,
    )


def ended(process: subprocess.Popen[bytes]) -> tuple[int, list[str]]:
    """Its exit code and its lines of error; no traceback among what it said."""
    said = process.communicate(timeout=200)[1].decode()
    assert "Traceback" not in said, said
    assert "Exception ignored" not in said, said
    errors = [text for text in said.splitlines() if text.startswith("tokenest: ")]
    assert len(errors) <= 1, said
    assert process.returncode in CODES, (process.returncode, said)
    return process.returncode, errors


def listens(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process has a handler of its own for SIGTERM, as the frame sets first."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    caught = re.search(r"SigCgt:\s*([0-9a-f]+)", status)
    return bool(caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells by /proc when to signal")
@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_time(built: Project, name: str, number: signal.Signals) -> None:
    """130 or 143 and "interrupted", unless the command was over before."""
    draw = random.Random(f"{name} {number}")
    longest = 6.0 if name in {"build", "backtest", "promote"} else 1.0
    for _ in range(2):
        process = start(built, BY_NAME[name])
        with contextlib.suppress(OSError):
            while process.poll() is None and not listens(process):
                time.sleep(0.001)
        time.sleep(draw.uniform(0, longest))
        was_over = process.poll() is not None
        process.send_signal(number)
        code, errors = ended(process)
        if not was_over and code == 128 + number:
            assert errors == ["tokenest: interrupted"]
        assert not (code in {130, 143} and code != 128 + number)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_full_output(built: Project, name: str) -> None:
    """A result that cannot be written is an error, and no result is not."""
    with Path("/dev/full").open("wb") as full:
        code, errors = ended(start(built, BY_NAME[name], stdout=full))
    if code == 1:
        assert len(errors) == 1
    if name in {"estimate", "identity", "replay", "report", "--help", "build"}:
        assert code == 1
        assert errors == ["tokenest: standard output cannot be written: No space left on device"]


@pytest.mark.parametrize("name", BY_NAME)
def test_a_narrow_encoding_and_no_input(built: Project, name: str) -> None:
    """ASCII leaves no command without its result; nobody can be asked where there is no input."""
    environment = built.environment() | {"PYTHONIOENCODING": "ascii"}
    closed = functools.partial(os.close, 0)
    code, _ = ended(start(built, BY_NAME[name], env=environment, stdin=None, preexec_fn=closed))
    if name in {"estimate", "identity", "replay", "report", "--help", "build"}:
        assert code == 0


def test_a_surprise_is_one_line_that_names_a_log(tmp_path: Path) -> None:
    """The traceback is in the file, and nowhere else."""
    program = (
        "from tokenest_py.cli.frame import framed\n"
        "def command(): raise RuntimeError('of a kind\\nthat nobody foresaw')\n"
        "raise SystemExit(framed(command))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    [log] = tmp_path.glob("tokenest-*.log")
    assert done.stderr == (
        "tokenest: unexpected RuntimeError: of a kind that nobody foresaw; please report it with"
        f" {log}\n"
    )
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o777 == 0o600


def test_json_stays_json_in_a_narrow_encoding(project: Project) -> None:
    """What ASCII lacks is escaped as JSON escapes it."""
    done = subprocess.run(
        [BIN / "tokenest", "estimate", "--category", "ü😀", "--format", "json"],
        cwd=project.folder,
        env=project.environment() | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"\\u00fc\\ud83d\\ude00"' in done.stdout
