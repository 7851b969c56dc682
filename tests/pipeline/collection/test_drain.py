"""Draining with real subprocesses: journal, events, process groups, limits, kill -9 and resume."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collected import (
    PATTERNS,
    attempt,
    environment,
    journal_lines,
    make_run,
    tokenest,
    worker_words,
)
from dbt_project import ROOT
from tokenest_py.errors import CollectionError, ExclusiveDrainError, RunBusyError, UsageError
from tokenest_py.pipeline.collection import worker
from tokenest_py.pipeline.collection.board import LocalBoard
from tokenest_py.pipeline.collection.drain import Drain, Stops, new_session, newest_session
from tokenest_py.pipeline.collection.events import count_events, file_sizes
from tokenest_py.pipeline.collection.journal import Journal
from tokenest_py.pipeline.collection.runs import find_run
from tokenest_py.pipeline.collection.triage import Limits
from tokenest_py.runtime.estimator import Estimator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def draining(folder: Path, *names: str, **options: object) -> Iterator[Drain]:
    """A controller that holds the runs of these names."""
    telemetry = folder / "telemetry"
    with contextlib.ExitStack() as held:
        runs = [find_run(str(folder / name)) for name in names or ("r",)]
        journals = [(run, held.enter_context(run.drained_into(telemetry))) for run in runs]
        known = {
            "command": worker_words(folder),
            "telemetry_folder": telemetry,
            "patterns": PATTERNS,
            "estimator": Estimator.load(),
            "session_id": new_session(),
        }
        yield Drain(LocalBoard(journals), **known | options)


def drained(folder: Path, *names: str, **options: object) -> Drain:
    """The controller after it has done all it may."""
    with draining(folder, *names, **options) as drain:
        while (candidate := drain.next_candidate()) is not None:
            drain.attempt(candidate)
        return drain


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be reaped does not."""
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.strip()[:1] not in {"", "Z"}
    return False


def waited_for(path: Path, text: str = "", seconds: float = 20) -> str:
    """The file's content, once it is there and holds the text."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            content = path.read_text()
            if content and text in content:
                return content
        time.sleep(0.02)
    raise AssertionError(f"{path} never held {text!r}")


# The journal.


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    """One line an attempt, with its record type, private to its owner."""
    path = tmp_path / "attempts-r.ndjson"
    journal = Journal(path, "r")
    written = [attempt("p1"), attempt("p2", exit_code=None, fingerprint=None, events=3)]
    for item in written:
        journal.append(item)
    assert Journal(path, "r").attempts == written == journal.attempts
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["record_type"] for line in lines] == ["attempt", "attempt"]
    assert path.stat().st_mode & 0o077 == 0


@settings(max_examples=60)
@given(cut=st.integers(0, 2000), count=st.integers(1, 3))
@example(cut=-1, count=1)  # the newline alone is missing: the line is whole
def test_a_journal_cut_anywhere_keeps_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, cut: int, count: int
) -> None:
    """A killed write costs its own line; the next attempt begins a line of its own."""
    path = tmp_path_factory.mktemp("journal") / "attempts-r.ndjson"
    journal = Journal(path, "r")
    for number in range(1, count + 1):
        journal.append(attempt("p1", attempt=number))
    content = path.read_bytes()
    path.write_bytes(content[:cut])
    whole = (content[:cut] + b"\n").count(b"}\n")
    again = Journal(path, "r")
    assert [item.attempt for item in again.attempts] == list(range(1, whole + 1))
    again.append(attempt("p2"))
    assert [item.phase_id for item in Journal(path, "r").attempts] == ["p1"] * whole + ["p2"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"run_id": "r"}', "is no attempt record"),
        ("[1]", "is no attempt record"),
        ('{"record_type": "attempt", "event_id": 5}', "event_id is 5, not of type str"),
    ],
)
def test_a_foreign_journal_is_refused_with_its_line(tmp_path: Path, line: str, reason: str) -> None:
    """Rather than overwritten, or taken for no progress."""
    path = tmp_path / "attempts-r.ndjson"
    Journal(path, "r").append(attempt())
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(CollectionError, match=re.escape(f"{path}:2: {reason}")):
        Journal(path, "r")


def test_the_journal_of_another_run_is_refused(tmp_path: Path) -> None:
    """Even when it has the right name."""
    path = tmp_path / "attempts-r.ndjson"
    Journal(path, "r").append(attempt())
    with pytest.raises(CollectionError, match="is an attempt at run r, not q"):
        Journal(path, "q")


# Events are counted for the phase.


def test_only_new_whole_events_of_the_phase_count(tmp_path: Path) -> None:
    """Not those before, of other phases or runs, torn, foreign, or of another record type."""
    event = {"run_id": "r", "phase_id": "p1", "actual_output_tokens": 5}
    old = tmp_path / "old.ndjson"
    old.write_text(json.dumps(event) + "\n" + '{"run_id": "r", ')
    before = file_sizes(tmp_path)
    with old.open("a") as file:
        file.write('"phase_id": "p1", "actual_output_tokens": 7}\n')  # completes the torn line
        file.write(json.dumps(event | {"phase_id": "p2"}) + "\n")
    (tmp_path / "deep").mkdir()
    others = [
        event,
        event | {"run_id": "q"},
        event | {"record_type": "attempt"},
        event | {"record_type": "event", "stop_reason": "max_tokens"},
        [1],
    ]
    text = "".join(json.dumps(item) + "\n" for item in others) + "not json\n" + json.dumps(event)
    (tmp_path / "deep" / "new.ndjson").write_text(text)
    (tmp_path / "ignored.txt").write_text(json.dumps(event) + "\n")
    os.mkfifo(tmp_path / "pipe.ndjson")
    found = count_events(tmp_path, before, "r", "p1")
    assert (found.events, found.truncated) == (3, True)


@pytest.mark.parametrize(
    ("fields", "truncated"),
    [
        ({"stop_reason": "length"}, True),
        ({"stop_reason": "end_turn", "truncated": True}, False),
        ({"truncated": True}, True),
        ({"actual_output_tokens": 8, "actual_max_tokens": 8, "stop_reason": "end_turn"}, True),
        ({"stop_reason": "model_context_window_exceeded", "truncated": True}, False),
        ({"stop_reason": "end_turn", "actual_output_tokens": 7, "actual_max_tokens": 8}, False),
    ],
)
def test_what_counts_as_cut_off_by_the_ceiling(
    tmp_path: Path, fields: dict[str, Any], *, truncated: bool
) -> None:
    """A full context window is none: a larger ceiling does not help."""
    event = {"run_id": "r", "phase_id": "p", "actual_output_tokens": 5} | fields
    (tmp_path / "e.ndjson").write_text(json.dumps(event) + "\n")
    assert count_events(tmp_path, {}, "r", "p").truncated is truncated


def test_events_of_a_concurrent_writer_are_not_counted(tmp_path: Path) -> None:
    """The origin took the difference of totals, so that any other writer counted."""
    make_run(tmp_path, {"p1": "event()"})
    noise = subprocess.Popen(
        [sys.executable, "-c", f"""
import json, time
with open({str(tmp_path / "noise.ndjson")!r}, "a") as file:
    while True:
        file.write(json.dumps({{"run_id": "other", "phase_id": "p1"}}) + "\\n"); file.flush()
        time.sleep(0.005)
"""]
    )  # fmt: skip
    try:
        waited_for(tmp_path / "noise.ndjson")
        (tmp_path / "telemetry").mkdir()
        (tmp_path / "telemetry" / "noise.ndjson").symlink_to(tmp_path / "noise.ndjson")
        assert drained(tmp_path).made[0].events == 1
    finally:
        noise.kill()
        noise.wait()


# One attempt.


def test_the_worker_is_given_the_phase_and_its_environment(tmp_path: Path) -> None:
    """The phase as a file, the switch, the folder, the ids, the budget; its output in a log."""
    make_run(
        tmp_path,
        {"p1": "print(json.dumps(dict(os.environ))); print('oops', file=sys.stderr); event()"},
    )
    made = drained(tmp_path).made
    log = (tmp_path / "r" / "logs" / "p1-1.log").read_text()
    given, error = log.splitlines()
    seen = json.loads(given)
    assert error == "oops"
    expected = {
        "TELEMETRY_DB_ENABLED": "1",
        "TOKENEST_TELEMETRY_DIR": str(tmp_path / "telemetry"),
        "TOKENEST_RUN_ID": "r",
        "TOKENEST_PHASE_ID": "p1",
        "TOKENEST_ATTEMPT": "1",
        "TOKENEST_MAX_TOKENS": "8192",
        "TOKENEST_ESTIMATED_TOKENS": "5200",
        "TOKENEST_PHASE_FILE": str(tmp_path / "r" / "logs" / "p1-1.json"),
    }
    assert {name: seen.get(name) for name in expected} == expected
    file = json.loads((tmp_path / "r" / "logs" / "p1-1.json").read_text())
    assert (file["max_tokens"], file["attempt"], file["deliverables"]) == (8192, 1, ["a.py"])
    assert (made[0].success, made[0].events, made[0].zero_yield_reason) == (True, 1, None)


@pytest.mark.parametrize(
    ("goal", "reason", "pattern"),
    [
        ("pass", "success_without_calls", None),
        ("print('see you'); sys.exit(3)", "execution_error", None),
        ("import no_such_module", "failed_before_call", "import_error"),
        ("print('prompt is too long'); sys.exit(1)", "limit_hit", "prompt_too_long"),
        ("print('stop_reason=max_tokens'); sys.exit(1)", "limit_hit", "output_truncated"),
        ("time.sleep(60)", "timeout", None),
        ("os.kill(os.getpid(), 9)", "execution_error", None),
        ("print('telemetry events are dropped: EACCES')", "telemetry_off", "telemetry_dropped"),
    ],
)  # fmt: skip
def test_why_nothing_came(tmp_path: Path, goal: str, reason: str, pattern: str | None) -> None:
    """Each class, from a real process."""
    make_run(tmp_path, {"p1": goal})
    limit = 0.5 if reason == "timeout" else 60.0
    made = drained(tmp_path, phase_timeout=limit).made
    assert (made[0].zero_yield_reason, made[0].failure_pattern) == (reason, pattern)


def test_a_telemetry_folder_that_vanishes_ends_the_drain(tmp_path: Path) -> None:
    """Its attempts could not be journaled, and would be paid for again."""
    make_run(tmp_path, {"p1": "import shutil; shutil.rmtree(folder); folder.write_text('')"})
    with pytest.raises(CollectionError, match="cannot be written"):
        drained(tmp_path)


def test_a_yield_before_a_failure_still_counts(tmp_path: Path) -> None:
    """An attempt with events has no reason for having none, but names what it failed of."""
    make_run(tmp_path, {"p1": "event(); event(); sys.exit('PATCH_FAILED')"})
    made = drained(tmp_path).made[0]
    assert (made.events, made.zero_yield_reason) == (2, None)
    assert (made.success, made.failure_pattern, made.exit_code) == (False, "patch_failed", 1)


def test_a_timeout_ends_the_whole_process_group(tmp_path: Path) -> None:
    """Children that ignore the request to end are killed; events before it count."""
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    goal = f"""
event()
child = subprocess.Popen([sys.executable, "-c", {child!r}])
note(str(child.pid)); note(str(os.getpid()))
time.sleep(600)
"""
    make_run(tmp_path, {"p1": goal})
    started = time.monotonic()
    made = drained(tmp_path, phase_timeout=5.0).made[0]
    assert time.monotonic() - started < 5 + worker.GRACE_SECONDS + 5
    assert (made.timed_out, made.events, made.exit_code) == (True, 1, None)
    pids = [int(pid) for pid in (tmp_path / "notes").read_text().split()]
    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)


def test_what_a_finished_worker_leaves_running_is_ended(tmp_path: Path) -> None:
    """A background child cannot go on spending after its attempt."""
    make_run(tmp_path, {"p1": "note(str(subprocess.Popen(['sleep', '600']).pid)); event()"})
    assert drained(tmp_path).made[0].success
    assert not is_alive(int((tmp_path / "notes").read_text()))


def test_a_worker_that_leaves_its_group_is_ended_too(tmp_path: Path) -> None:
    """It still holds the log of the attempt."""
    goal = "note(str(subprocess.Popen(['setsid', 'sleep', '600']).pid)); time.sleep(0.5); event()"
    make_run(tmp_path, {"p1": goal})
    assert drained(tmp_path).made[0].success
    assert not is_alive(int((tmp_path / "notes").read_text()))


def test_a_log_without_end_stays_small(tmp_path: Path) -> None:
    """Its head and its newest lines are kept, and the last failure is found."""
    goal = """
print("first line")
for n in range(400):
    print("x" * 1_000_000)
    time.sleep(0.002)
time.sleep(0.5)
sys.exit("PATCH_FAILED")
"""
    make_run(tmp_path, {"p1": goal})
    made = drained(tmp_path).made[0]
    log = tmp_path / "r" / "logs" / "p1-1.log"
    assert made.failure_pattern == "patch_failed"
    assert log.read_bytes().startswith(b"first line")
    assert log.stat().st_size < 300_000_000


@pytest.mark.parametrize("command", ["", "  ", "no-such-program-anywhere {phase_file}", "echo 'x"])
def test_an_unusable_worker_is_refused(command: str) -> None:
    """Before anything starts, as a usage error."""
    with pytest.raises(UsageError, match="--worker"):
        worker.parse_command(command)


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    """A semicolon is a word like any other."""
    log = tmp_path / "x.log"
    words = worker.parse_command("echo a; touch b '$(id)' {phase_file}")
    ending = worker.run(words, environment={}, log=log, time_limit=10)
    assert ending.exit_code == 0
    assert log.read_text() == "a; touch b $(id) {phase_file}\n"


def test_a_phase_has_its_own_time_limit(tmp_path: Path) -> None:
    """limits.max_minutes counts where it is below the drain's limit."""
    make_run(tmp_path, {"p1": "time.sleep(1.5); event()"}, limits={"max_minutes": 1})
    assert drained(tmp_path, phase_timeout=0.5).made[0].timed_out
    assert drained(tmp_path, phase_timeout=99.0, limits=Limits(retry_failed=True)).made[0].success


def test_after_a_truncation_the_budget_is_raised_once(tmp_path: Path) -> None:
    """8192 was too little, 16384 is enough; the attempt says so."""
    goal = """
ceiling = int(os.environ["TOKENEST_MAX_TOKENS"])
event(actual_output_tokens=min(ceiling, 10000), actual_max_tokens=ceiling)
sys.exit(ceiling < 10000)
"""
    make_run(tmp_path, {"p1": goal})
    made = drained(tmp_path).made
    assert [(item.selected_budget, item.truncated, item.success) for item in made] == [
        (8192, True, False),
        (16384, False, True),
    ]


def test_a_capped_phase_is_not_raised_beyond_its_cap(tmp_path: Path) -> None:
    """limits.max_tokens bounds the suggestion."""
    make_run(
        tmp_path, {"p1": "print(os.environ['TOKENEST_MAX_TOKENS'])"}, limits={"max_tokens": 999}
    )
    assert drained(tmp_path).made[0].selected_budget == 999


# The controller.


def test_every_phase_is_drained_once_in_order(tmp_path: Path) -> None:
    """And a finished run has nothing left."""
    make_run(tmp_path, {name: f"note({name!r}); event()" for name in ("b", "a", "c")})
    drain = drained(tmp_path)
    assert (tmp_path / "notes").read_text().split() == ["b", "a", "c"]
    assert drain.stopped == "no phase is left"
    assert drained(tmp_path).made == []


def test_a_sample_of_each_run_comes_first(tmp_path: Path) -> None:
    """Then the promising run, then the other, until its failure repeats: it is left alone."""
    fails, yields = "note(phase['run_id'] + phase['phase_id']); sys.exit('same')", ""
    yields = "note(phase['run_id'] + phase['phase_id']); event()"
    make_run(tmp_path, {f"p{n}": fails for n in range(1, 6)}, run_id="bad")
    make_run(tmp_path, {f"p{n}": yields for n in range(1, 4)}, run_id="good")
    drain = drained(tmp_path, "bad", "good", stops=Stops(batch_size=None))
    order = (tmp_path / "notes").read_text().split()
    assert order == ["badp1", "goodp1", "goodp2", "goodp3", "badp2"]
    _, skipped = drain.queue()
    reasons = {reason for item in skipped for reason in [item.reason.partition(" with")[0]]}
    assert reasons == {"2 failures"}


@pytest.mark.parametrize(
    ("stops", "limits", "count", "reason"),
    [
        (Stops(batch_size=2), Limits(), 2, "the batch of 2 is done"),
        (Stops(total_minutes=0), Limits(), 0, "0 minutes are over"),
        (Stops(zero_yields_in_a_row=2), Limits(), 2, "2 attempts in a row gave no events"),
        (Stops(), Limits(fingerprint_repeats=4), 4, "no phase is left"),
    ],
)
def test_limits_of_a_call(
    tmp_path: Path, stops: Stops, limits: Limits, count: int, reason: str
) -> None:
    """Each ends the call, and says why."""
    make_run(tmp_path, {f"p{n}": "sys.exit('same')" for n in range(6)})
    drain = drained(tmp_path, stops=stops, limits=limits)
    assert (len(drain.made), drain.stopped) == (count, reason)


def test_two_timeouts_stop_their_run(tmp_path: Path) -> None:
    """The rest of the run is skipped, with the reason."""
    make_run(tmp_path, {f"p{n}": "time.sleep(60)" for n in range(4)})
    drain = drained(tmp_path, phase_timeout=0.3)
    assert [item.timed_out for item in drain.made] == [True, True]
    assert {item.reason for item in drain.queue()[1]} == {"2 timeouts in the run"}


def test_one_phase_alone(tmp_path: Path) -> None:
    """Refused while others are queued; with force exactly that one, though it is not the first."""
    make_run(tmp_path, {f"p{n}": f"note('p{n}'); event()" for n in (1, 2, 3)})
    with draining(tmp_path) as drain:
        with pytest.raises(ExclusiveDrainError, match="2 other phases of the run are queued"):
            drain.candidate("p3", force=False)
        with pytest.raises(ExclusiveDrainError, match="is in no run given"):
            drain.candidate("p9", force=True)
        drain.attempt(drain.candidate("p3", force=True))
        assert (tmp_path / "notes").read_text().split() == ["p3"]
        with pytest.raises(ExclusiveDrainError, match="has succeeded"):
            drain.candidate("p3", force=False)


def test_a_run_goes_with_one_telemetry_folder(tmp_path: Path) -> None:
    """A changed folder would look like a run without progress, and spend everything again."""
    run = make_run(tmp_path, {"p1": "event()"})
    drained(tmp_path)
    with (
        pytest.raises(CollectionError, match=r"was drained into .*telemetry; set TOKENEST"),
        run.drained_into(tmp_path / "elsewhere"),
    ):
        pass
    (tmp_path / "telemetry" / "attempts-r.ndjson").unlink()
    with (
        pytest.raises(CollectionError, match="its journal is gone"),
        run.drained_into(tmp_path / "telemetry"),
    ):
        pass


def test_the_second_controller_says_so_and_stops(tmp_path: Path) -> None:
    """In one process, and as a command: exit 75, one line, nothing journaled twice."""
    make_run(tmp_path, {"p1": "note(''); time.sleep(8); event()", "p2": "event()"})
    words = " ".join(worker_words(tmp_path))
    first = subprocess.Popen(
        [sys.executable, "-m", "tokenest_py", "drain", str(tmp_path / "r"), "--worker", words],
        cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    waited_for(tmp_path / "notes")
    second = tokenest(tmp_path, "drain", str(tmp_path / "r"), "--worker", words)
    assert second.returncode == 75
    assert f"is being drained by process {first.pid}" in second.stderr.splitlines()[-1]
    run = find_run(str(tmp_path / "r"))
    with pytest.raises(RunBusyError), run.drained_into(tmp_path / "telemetry"):
        pass
    first.communicate()
    assert first.returncode == 0
    assert [line["phase_id"] for line in journal_lines(tmp_path)] == ["p1", "p2"]


def test_a_copy_of_a_run_s_folder_is_the_same_run(tmp_path: Path) -> None:
    """The journal goes by the run's id; each phase was attempted twice, and its events counted."""
    make_run(tmp_path, {"p1": "event()"})
    shutil.copytree(tmp_path / "r", tmp_path / "copy")
    telemetry, copy = tmp_path / "telemetry", find_run(str(tmp_path / "copy"))
    said = r"drained from another folder; .* of their own"
    with (
        find_run(str(tmp_path / "r")).drained_into(telemetry),
        pytest.raises(RunBusyError, match=said),
        copy.drained_into(telemetry),
    ):
        pass
    with copy.drained_into(telemetry) as journal:
        assert journal.attempts == []


# Killed, and resumed.


def start_drain(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """A controller in a process of its own."""
    words = " ".join(worker_words(folder))
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tokenest_py",
            "drain",
            str(folder / "r"),
            "--worker",
            words,
            *options,
        ],
        cwd=ROOT,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_kill_9_and_resume_repeats_at_most_the_attempt_in_flight(tmp_path: Path) -> None:
    """Killed again and again at random moments: each phase ends with one line in the journal."""
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    names = [f"p{n}" for n in range(8)]
    make_run(tmp_path, {name: f"note({name!r}); time.sleep(0.15); event()" for name in names})
    kills = 0
    for _ in range(8):
        controller = start_drain(tmp_path, "--resume")
        with contextlib.suppress(subprocess.TimeoutExpired):
            controller.wait(timeout=moments.uniform(0.6, 1.6))
        if controller.poll() is None:
            controller.kill()
            kills += 1
        controller.wait()
    assert start_drain(tmp_path, "--resume", "--batch-size", "20").wait() == 0
    journal = Journal(tmp_path / "telemetry" / "attempts-r.ndjson", "r").attempts
    assert [item.phase_id for item in journal] == names, f"seed {seed}"
    assert len({item.session_id for item in journal}) == 1
    started = (tmp_path / "notes").read_text().split()
    assert len(names) <= len(started) <= len(names) + kills, f"seed {seed}"
    assert kills > 0, f"seed {seed}"


def test_an_orphaned_worker_is_ended_before_its_phase_is_repeated(tmp_path: Path) -> None:
    """The agent of a killed controller does not go on spending beside its successor."""
    make_run(tmp_path, {"p1": "note(str(os.getpid())); event(); time.sleep(30)"})
    controller = start_drain(tmp_path)
    orphan = int(waited_for(tmp_path / "notes"))
    controller.kill()
    controller.wait()
    assert is_alive(orphan)
    said: list[str] = []
    with find_run(str(tmp_path / "r")).drained_into(tmp_path / "telemetry", said.append):
        assert not is_alive(orphan)
    assert said == ["ended what an interrupted attempt at p1 had left running"]
    with draining(tmp_path, phase_timeout=4.0) as drain:
        made = drain.attempt(drain.next_candidate())
    assert (made.attempt, made.events, made.timed_out) == (1, 1, True)


def test_a_stranger_with_the_orphan_s_number_is_left_alone(tmp_path: Path) -> None:
    """A number that was announced long ago may be anybody's by now."""
    make_run(tmp_path, {"p1": "event()"})
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        logs = tmp_path / "r" / "logs"
        logs.mkdir()
        (logs / "p1-1.log").write_text("")
        (logs / "p1-1.pid").write_text(f"{stranger.pid}\n")
        assert drained(tmp_path).made[0].success
        assert is_alive(stranger.pid)
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interrupt_ends_the_worker_and_is_no_attempt(
    tmp_path: Path, number: int, code: int
) -> None:
    """Exit 128 and its number; the phase is repeated by --resume as if it had not begun."""
    make_run(tmp_path, {"p1": "note(str(os.getpid())); time.sleep(30)"})
    controller = start_drain(tmp_path)
    pid = int(waited_for(tmp_path / "notes"))
    controller.send_signal(number)
    assert controller.wait(timeout=20) == code
    assert not is_alive(pid)
    assert journal_lines(tmp_path) == []


def test_resume_keeps_the_session_and_its_counts(tmp_path: Path) -> None:
    """A plain drain begins a session anew; --resume goes on with the newest."""
    make_run(tmp_path, {f"p{n}": "sys.exit('same')" for n in range(6)})
    first = drained(tmp_path, stops=Stops(batch_size=1))
    with draining(tmp_path) as drain:
        journal = Journal(tmp_path / "telemetry" / "attempts-r.ndjson", "r")
        assert newest_session([journal.attempts]) == first.session_id
        assert len(drain.queue()[0]) == 5
    again = drained(tmp_path, session_id=first.session_id)
    assert len(again.made) == 1
    assert "2 failures" in again.queue()[1][0].reason


# The command.


def test_the_command_shows_where_it_works_and_what_came(tmp_path: Path) -> None:
    """Plain lines when there is no terminal, the summary on standard output, exit 0."""
    make_run(tmp_path, {"p1": "event()", "p2": "sys.exit('prompt is too long')", "p3": "event()"})
    words = " ".join(worker_words(tmp_path))
    done = tokenest(tmp_path, "drain", str(tmp_path / "r"), "--worker", words, "--format", "json")
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert said[0] == f"database: none yet at {tmp_path / 't.duckdb'}"
    assert said[1].startswith(f"telemetry folder: {tmp_path / 'telemetry'} ")
    assert any(
        re.match(r"r p1 attempt 1: ok, 1 event, [\d.]+ s; run is promising", s) for s in said
    )
    assert "blockers: prompt_too_long 1" in said
    assert any(s.startswith("skipped 1 of r (p2): it failed") for s in said)
    assert "\x1b" not in done.stderr
    run, total = json.loads(done.stdout)
    assert (run["run_id"], run["verdict"], run["queued"]) == ("r", "promising", 0)
    assert (total["attempts"], total["succeeded"], total["failed"], total["events"]) == (3, 2, 1, 2)
    assert total["zero_yield"] == {"limit_hit": 1}
    assert total["stopped"] == "no phase is left"


def test_a_drain_without_any_event_exits_4(tmp_path: Path) -> None:
    """Not enough to calibrate with: the reasons are said."""
    make_run(tmp_path, {"p1": "pass"})
    words = " ".join(worker_words(tmp_path))
    done = tokenest(tmp_path, "drain", str(tmp_path / "r"), "--worker", words)
    assert done.returncode == 4
    assert "success_without_calls" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("tokenest: 1 attempt gave no event")
    assert done.stderr.endswith("what succeeded is done, and --phase ID --force drains it again\n")


def test_a_dry_run_shows_the_order_and_writes_nothing(tmp_path: Path) -> None:
    """No folder, no journal, no lock, no log."""
    make_run(tmp_path, {"p1": "event()", "p2": "event()"})
    words = " ".join(worker_words(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    done = tokenest(
        tmp_path, "drain", str(tmp_path / "r"), "--worker", words, "--dry-run", "--format", "json"
    )
    assert done.returncode == 0, done.stderr
    queue = json.loads(done.stdout)
    assert [(row["phase_id"], row["max_tokens"]) for row in queue] == [("p1", 8192), ("p2", 8192)]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["r", "--phase", "p1"], 2, "1 other phases of the run are queued"),
        (["r", "--force"], 2, "--force goes with --phase"),
        (["r", "r"], 2, "the same run is given twice"),
        (["none"], 1, "none/phases.ndjson cannot be read: No such file or directory"),
    ],
)
def test_unclear_calls_are_refused(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    """In one line, with the exit code of the contract, before anything runs."""
    make_run(tmp_path, {"p1": "event()", "p2": "event()"})
    words = " ".join(worker_words(tmp_path))
    places = [str(tmp_path / a) if a in {"r", "none"} else a for a in arguments]
    done = tokenest(tmp_path, "drain", *places, "--worker", words)
    assert (done.returncode, message in done.stderr.splitlines()[-1]) == (code, True), done.stderr
    assert not list(tmp_path.rglob("notes"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"SQLite format 3\x00", "is an SQLite file"), (b"", "is an empty file")],
)
def test_a_foreign_database_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """Although a drain needs none: a wrong TOKENEST_DB is found before tokens are spent."""
    make_run(tmp_path, {"p1": "event()"})
    (tmp_path / "t.duckdb").write_bytes(content)
    done = tokenest(
        tmp_path, "drain", str(tmp_path / "r"), "--worker", " ".join(worker_words(tmp_path))
    )
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr


def test_a_table_that_cannot_be_used_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by `estimate` and `size`: the budgets of all phases were those of the packaged table."""
    make_run(tmp_path, {"p1": "event()"})
    lost = tmp_path / "lost.ndjson"
    monkeypatch.setenv("TOKENEST_COEFFICIENTS", str(lost))
    done = tokenest(tmp_path, "drain", str(tmp_path / "r"), "--worker", "true")
    assert done.returncode == 1
    assert f"tokenest: {lost}: cannot be opened" in done.stderr.splitlines()[-1]
    assert journal_lines(tmp_path) == []


def test_an_unwritable_telemetry_folder_is_refused(tmp_path: Path) -> None:
    """The origin once lost every event that way."""
    make_run(tmp_path, {"p1": "event()"})
    (tmp_path / "telemetry").write_text("a file")
    done = tokenest(
        tmp_path, "drain", str(tmp_path / "r"), "--worker", " ".join(worker_words(tmp_path))
    )
    assert done.returncode == 1
    assert "cannot be written to; set TOKENEST_TELEMETRY_DIR" in done.stderr.splitlines()[-1]


def test_a_terminal_shows_progress(tmp_path: Path) -> None:
    """Phase, run, yield so far, why the last empty one was empty, what is skipped and why."""
    make_run(tmp_path, {"p1": "event()", "p2": "sys.exit('prompt is too long')", "p3": "event()"})
    words = " ".join(worker_words(tmp_path))
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    controller = subprocess.Popen(
        [sys.executable, "-m", "tokenest_py", "drain", str(tmp_path / "r"), "--worker", words],
        cwd=ROOT,
        env=environment(tmp_path) | {"TERM": "xterm", "COLUMNS": "200"},
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal's end, on Linux
        while part := os.read(screen, 65536):
            shown += part
    os.close(screen)
    assert controller.wait() == 0
    text = shown.decode()
    assert "\x1b[" in text
    assert "r p3" in text
    assert "1 event, last empty: limit_hit, skipped 1 (it failed; --retry-failed" in text
    assert "r p2 attempt 1: failed, 0 events: limit_hit (prompt_too_long)" in text
