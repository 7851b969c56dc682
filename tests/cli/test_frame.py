"""The frame of every command: whatever happens, at most one line of error and a documented code."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dbt_project import BIN, ROOT, Project
from frame_trials import CARELESS, careless, commands, furnish, kinds, start, trial

pytestmark = pytest.mark.slow

NAMES = list(commands())
TELL = ["estimate", "identity", "replay", "report", "--help", "build"]  # each has a result


@pytest.fixture
def built(samples: Project, project: Project) -> Project:
    """The published samples in a project of the test's own."""
    shutil.copytree(samples.folder, project.folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "telemetry" / "s0_production_samples.ndjson", project.telemetry())
    return project


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_every_command_under_a_fault(built: Project, number: int) -> None:
    """Each command once, each fault in turn: `make soak` tries all of them with all."""
    kind = list(kinds())[number % len(kinds())]
    assert trial(built.folder, built.environment(), kind, NAMES[number]) == []


def test_a_careless_program_is_caught() -> None:
    """A traceback, an undocumented code, a code without a word, two lines of error."""
    assert careless() == len(CARELESS)


def test_a_signal_within_code_that_is_made_as_it_runs(tmp_path: Path) -> None:
    """After KeyboardInterrupt has left an exec(), `python -m` would kill itself as it exits."""
    program = (
        "import os, signal\n"
        "from tokenest_py.cli.frame import framed\n"
        "def command(): exec('os.kill(os.getpid(), signal.SIGTERM)\\nwhile True: pass')\n"
        "raise SystemExit(framed(command))\n"
    )
    (tmp_path / "interrupted.py").write_text(program, encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (143, "tokenest: interrupted\n")


@pytest.mark.parametrize("is_ignored", [False, True])
def test_a_terminal_that_closes(built: Project, *, is_ignored: bool) -> None:
    """Nothing of the logs is left behind; who ignores it, as nohup does, is not interrupted."""
    scratch = built.folder / "scratch"
    scratch.mkdir()
    words = ["advise", str(built.telemetry().parent)]
    environment = built.environment() | {"TMPDIR": str(scratch)}
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if is_ignored else signal.SIG_DFL)
    try:
        process = start(built.folder, environment, words)
    finally:
        signal.signal(signal.SIGHUP, before)
    while not list(scratch.glob("tokenest-*")):
        time.sleep(0.001)
    process.send_signal(signal.SIGHUP)
    said = process.communicate()[1].decode()
    assert process.returncode == (0 if is_ignored else 129), said
    assert ("tokenest: interrupted\n" in said) is not is_ignored
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("name", TELL)
def test_a_result_that_cannot_be_written_is_an_error(built: Project, name: str) -> None:
    """And one that can is written in any encoding, without anybody to ask."""
    words = commands()[name]
    furnish(built.folder)
    with Path("/dev/full").open("wb") as device:
        process = start(built.folder, built.environment(), words, stdout=device)
        said = process.communicate()[1].decode()
    assert process.returncode == 1
    assert [text for text in said.splitlines() if text.startswith("tokenest: ")] == [
        "tokenest: standard output cannot be written: No space left on device"
    ]
    ascii_alone = built.environment() | {"PYTHONIOENCODING": "ascii"}
    process = start(built.folder, ascii_alone, words, stdout=subprocess.PIPE)
    result = process.communicate()[0]
    assert process.returncode == 0
    assert result.decode("ascii")


def test_a_reader_that_has_gone_is_no_error(tmp_path: Path) -> None:
    """Also where it went, as `head` does, before all was written: a pipe holds 64 KiB."""
    models = [f"model-{number:06}" for number in range(3000)]
    words = ["limits", "show", *models, "--format", "ndjson"]
    with start(tmp_path, os.environ, words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1) == b"{"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_command_whose_reader_has_gone_does_what_it_does(tmp_path: Path) -> None:
    """`promote | head` published nothing and ended with 0: no gate that failed was seen either."""
    program = (
        "from pathlib import Path\n"
        "from tokenest_py.cli.frame import framed\n"
        "from tokenest_py.cli.output import write, write_lines\n"
        "def command():\n"
        "    write('what would change\\n')\n"
        "    Path('done').touch()\n"
        "    assert write_lines(f'{line}\\n' for line in range(10**9)) < 10**6\n"
        "    return 3\n"
        "raise SystemExit(framed(command))\n"
    )
    read, written = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        stdout=written,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(written)
    assert (done.returncode, done.stderr) == (3, b"")
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("log", ["full", "gone"])
def test_a_log_that_cannot_be_written_stops_no_build(built: Project, log: str) -> None:
    """`build 2>> build.log` on a full disk ended before it began; `2> >(logger)` with 1 as well."""
    if log == "full":
        errors = os.open("/dev/full", os.O_WRONLY)
    else:
        read, errors = os.pipe()
        os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "tokenest_py", "build", "--format", "ndjson"],
        cwd=built.folder,
        env=built.environment(),
        stderr=errors,
        check=False,
    )
    os.close(errors)
    assert done.returncode == 0
    assert (built.folder / "exports" / "coefficients.ndjson").exists()


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
