"""Which run is served first, what stops one, why nothing came, and which failures are the same."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collected import PATTERNS, SEEDS, attempt, phase, succeeded, timed_out
from tokenest_py.errors import CollectionError
from tokenest_py.pipeline.collection.fingerprint import fingerprint
from tokenest_py.pipeline.collection.reasons import (
    REASONS,
    find_failure,
    plain_text,
    read_patterns,
    zero_yield_reason,
)
from tokenest_py.pipeline.collection.triage import Limits, queue, verdict

if TYPE_CHECKING:
    from pathlib import Path


# What the attempts at a run say about it.


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([], "unsampled"),
        ([succeeded()], "promising"),
        ([succeeded(events=0)], "promising"),
        ([attempt(events=1)], "promising"),
        ([timed_out()], "promising"),
        ([timed_out(), timed_out()], "promising"),
        ([attempt(fingerprint="f1")], "undecided"),
        ([attempt(fingerprint="f1"), attempt(fingerprint="f2")], "undecided"),
        ([attempt(fingerprint="f1"), attempt(fingerprint="f1")], "deprioritised"),
        ([succeeded(), attempt(fingerprint="f1")], "promising"),
        ([succeeded(), attempt(), attempt()], "deprioritised"),
    ],
)
def test_verdicts(attempts: list[Any], expected: str) -> None:
    """Promising for a yield, a success or timeouts alone; deprioritised for a repeated failure."""
    assert verdict(attempts) == expected


def test_new_evidence_changes_a_verdict() -> None:
    """A run that was condemned is promising again after an event, and condemned once more."""
    history = [attempt("p1"), attempt("p2")]
    assert verdict(history) == "deprioritised"
    history.append(attempt("p3", events=2))
    assert verdict(history) == "promising"
    history += [attempt("p4"), attempt("p5")]
    assert verdict(history) == "deprioritised"


def ids(candidates: list[Any]) -> list[str]:
    """Run and phase of each candidate."""
    return [f"{item.phase.run_id}/{item.phase.phase_id}" for item in candidates]


def test_one_phase_of_each_run_first_then_promising_then_the_rest() -> None:
    """Order: unsampled, promising, undecided, deprioritised; by phase_index within a run."""
    runs = []
    for run_id, history in {
        "condemned": [attempt("p1"), attempt("p1")],
        "undecided": [attempt("p1")],
        "good": [succeeded("p1")],
        "new": [],
    }.items():
        phases = [phase(f"p{n}", index=n, run_id=run_id) for n in (1, 2, 3)]
        runs.append((phases, history))
    candidates, skipped = queue(runs, "s2", Limits())
    first = ["new/p1", "new/p2", "new/p3", "good/p2", "good/p3", "undecided/p2", "undecided/p3"]
    assert ids(candidates) == first
    assert skipped[0].run_id == "condemned"  # one that is deprioritised is skipped
    assert skipped[0].reason.endswith("; --retry-failed takes the run up again")
    again = ids(queue(runs, "s2", Limits(retry_failed=True))[0])
    assert again[-3:] == ["condemned/p2", "condemned/p3", "condemned/p1"]
    runs[3][1].append(succeeded("p1", run_id="new"))
    assert ids(queue(runs, "s2", Limits())[0])[0] == "good/p2"


def test_failures_of_one_run_do_not_condemn_another() -> None:
    """The same fingerprint in two runs is counted in each by itself."""
    runs = [
        ([phase("p1", run_id=name), phase("p2", index=2, run_id=name)], [attempt(run_id=name)])
        for name in ("one", "two")
    ]
    candidates, _ = queue(runs, "s1", Limits())
    assert ids(candidates) == ["one/p2", "two/p2"]
    assert {item.verdict for item in candidates} == {"undecided"}


@pytest.mark.parametrize(
    ("history", "limits", "reason"),
    [
        ([attempt("p1"), attempt("p2")], Limits(), "2 failures with fingerprint f1"),
        ([timed_out("p1"), timed_out("p2")], Limits(), "2 timeouts in the run"),
        ([], Limits(skip_run_prefixes=("r",)), "the run's prefix is skipped"),
    ],
)
def test_limits_stop_a_run(history: list[Any], limits: Limits, reason: str) -> None:
    """A stopped run has no candidates, and says why of each phase."""
    phases = [phase(f"p{n}", index=n) for n in range(1, 6)]
    candidates, skipped = queue([(phases, history)], "s1", limits)
    assert candidates == []
    assert {item.reason for item in skipped} == {reason}
    assert sum(len(item.phases) for item in skipped) == 5


def test_a_failure_that_did_not_repeat_since_an_event_stops_nothing() -> None:
    """What makes a run deprioritised is what stops it: equal failures with nothing between."""
    phases = [phase(f"p{n}", index=n) for n in range(1, 5)]
    history = [attempt("p1"), succeeded("p2"), attempt("p3")]
    assert ids(queue([(phases, history)], "s1", Limits())[0]) == ["r/p4"]


def test_limits_count_in_their_session_only() -> None:
    """After a fault is mended, a new session that says so starts with clean counts."""
    phases = [phase(f"p{n}", index=n) for n in range(1, 6)]
    history = [attempt("p1"), attempt("p2"), attempt("p3")]
    again = Limits(retry_failed=True)
    assert ids(queue([(phases, history)], "s1", again)[0]) == []
    assert ids(queue([(phases, history)], "s2", again)[0]) == [
        "r/p4", "r/p5", "r/p1", "r/p2", "r/p3",
    ]  # fmt: skip
    history = [timed_out("p1"), timed_out("p2")]
    candidates, skipped = queue([(phases, history)], "s2", Limits())
    assert ids(candidates) == ["r/p3", "r/p4", "r/p5"]
    assert skipped[0].phases == ("p1", "p2")
    assert skipped[0].reason == "it failed; --retry-failed tries it again"


def test_failed_phases_are_retried_on_request_and_not_beyond_the_limit() -> None:
    """--retry-failed attempts them again, up to max-attempts-per-phase in a session."""
    phases = [phase("p1"), phase("p2", index=2)]
    history = [attempt("p1", fingerprint="x"), succeeded("p2")]
    retry = Limits(retry_failed=True)
    assert ids(queue([(phases, history)], "s2", retry)[0]) == ["r/p1"]
    history += [attempt("p1", session_id="s2", fingerprint=name) for name in "yz"]
    candidates, skipped = queue([(phases, history)], "s2", retry)
    assert candidates == []
    assert skipped[0].reason == "2 attempts at the phase"


def test_a_truncated_phase_is_attempted_once_more_with_a_larger_budget() -> None:
    """Escalate once: cut off at the first budget, again a candidate; cut off at the second, not."""
    phases = [phase("p1")]
    history = [attempt("p1", truncated=True, events=1)]
    limits = Limits(attempts_per_phase=5)
    assert ids(queue([(phases, history)], "s1", limits)[0]) == ["r/p1"]
    history.append(attempt("p1", truncated=True, events=1, selected_budget=16384))
    assert queue([(phases, history)], "s1", limits)[0] == []


def test_timed_out_phases_come_last_in_their_run() -> None:
    """What has not been tried is tried before what timed out, whatever its index."""
    phases = [phase(f"p{n}", index=n) for n in (1, 2, 3)]
    history = [timed_out("p1")]
    limits = Limits(retry_failed=True)
    assert ids(queue([(phases, history)], "s1", limits)[0]) == ["r/p2", "r/p3", "r/p1"]


# Why nothing came.


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ({"events": 2}, None),
        ({"exit_code": 0}, "success_without_calls"),
        ({"exit_code": None, "timed_out": True}, "timeout"),
        ({"exit_code": 3}, "execution_error"),
        ({"exit_code": None}, "unknown"),
        ({"exit_code": 0, "folder_is_writable": False}, "telemetry_off"),
        ({"timed_out": True, "folder_is_writable": False}, "telemetry_off"),
    ],
)
def test_reasons_without_a_pattern(evidence: dict[str, Any], expected: str | None) -> None:
    """What the ending alone says."""
    known = {"events": 0, "exit_code": 1, "timed_out": False, "folder_is_writable": True}
    assert zero_yield_reason(**known | evidence, failure=None) == expected


@pytest.mark.parametrize(
    ("line", "name", "reason"),
    [
        ("Error: stop_reason: max_tokens", "output_truncated", "limit_hit"),
        ("warning: max tokens reached", "output_truncated", "limit_hit"),
        ('{"finish_reason": "length"}', "output_truncated", "limit_hit"),
        ("API Error: response exceeded the 32000 output token maximum", "output_truncated", ""),
        ("400 prompt is too long: 212387 tokens > 200000 maximum", "prompt_too_long", "limit_hit"),
        ("error: context_length_exceeded", "context_window", "limit_hit"),
        ("This model's maximum context length is 8192 tokens", "context_window", "limit_hit"),
        ("conversation too long", "context_window", "limit_hit"),
        ("stopped: max_turns", "max_turns", "limit_hit"),
        ("Reached message limit", "message_limit", "limit_hit"),
        ("token limit exceeded", "token_limit", "limit_hit"),
        ("ValidationError: Validation error for Phase", "schema_validation", "failed_before_call"),
        ("missing required field 'goal'", "schema_validation", "failed_before_call"),
        ("Phase p7 not found", "phase_not_found", "failed_before_call"),
        ("sqlalchemy: database error", "database", "failed_before_call"),
        ("ConnectionRefusedError: [Errno 111] Connection refused", "connection", ""),
        ("PermissionError: [Errno 13] Permission denied: 'x'", "permission_denied", ""),
        ("ModuleNotFoundError: No module named 'anthropic'", "import_error", "failed_before_call"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'a'", "missing_file", ""),
        ("scope validation failed: paths are malformed", "scope_validation", "failed_before_call"),
        ("telemetry events are dropped: EACCES", "telemetry_dropped", "telemetry_off"),
        ("TELEMETRY_DB_ENABLED is not set", "telemetry_switched_off", "telemetry_off"),
        ("PATCH_FAILED", "patch_failed", "execution_error"),
        ("DELIVERABLES_VALIDATION_FAILED", "deliverables", "execution_error"),
        ("MAX_ATTEMPTS_EXHAUSTED", "attempts_exhausted", "execution_error"),
        ("ERROR collecting tests/test_x.py", "collection_error", "execution_error"),
        ("429 rate_limit_error", "rate_limit", "execution_error"),
        ("httpx.ReadTimeout: timed out", "timed_out", "timeout"),
    ],
)
def test_patterns_name_the_blocker(line: str, name: str, reason: str) -> None:
    """Each in the words of real tools, max_tokens and "prompt is too long" among them."""
    failure, where = find_failure(f"starting\n{line}\n", PATTERNS)
    assert failure is not None
    assert (failure.name, where) == (name, line)
    assert reason in {"", failure.reason}


@pytest.mark.parametrize(
    "line",
    ["max_tokens=8192 in use", "wrote 3 files", "all 12 tests passed", "", "\x00\x1b["],
)
def test_ordinary_lines_are_no_blocker(line: str) -> None:
    """A setting is not a failure."""
    assert find_failure(line, PATTERNS)[0] is None


def test_the_last_failure_in_a_log_decides() -> None:
    """A connection error that was survived does not explain the import error at the end."""
    log = "connection error, retrying\nok\nImportError: cannot import name 'x'\n\n"
    failure, line = find_failure(log, PATTERNS)
    assert failure is not None
    assert (failure.name, line) == ("import_error", "ImportError: cannot import name 'x'")


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ("TypeError: create() missing 1 argument", "traceback"),
        ("KeyError: 'goal'", "traceback"),
        ("anthropic.APIConnectionError: Connection error.", "connection"),
    ],
)
def test_the_code_in_a_traceback_is_no_failure(error: str, name: str) -> None:
    """What it quotes names max_tokens and rate limits; its error is what tells failures apart."""
    log = (
        "Traceback (most recent call last):\n"
        '  File "/app/rate_limit/call.py", line 6, in too_many_requests\n'
        '    answer = client.messages.create(max_tokens=phase["max_tokens"], **ask)\n'
        "             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        f"{error}\n"
    )
    failure, line = find_failure(log, PATTERNS)
    assert failure is not None
    assert (failure.name, line) == (name, error)


def test_every_pattern_is_reachable_and_of_a_known_reason() -> None:
    """Names are unique, and every pattern is valid in DuckDB's dialect of expressions too."""
    names = [pattern.name for pattern in PATTERNS]
    assert len(set(names)) == len(names)
    assert {pattern.reason for pattern in PATTERNS} < set(REASONS)
    for pattern in PATTERNS:
        found = duckdb.sql("select regexp_matches('', ?)", params=[pattern.pattern.pattern])
        assert found is not None
        found.fetchall()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "position,name,reason,pattern\n1,a,nonsense,x\n",
            ":2: reason 'nonsense' is unknown; there are success_without_calls, ",
        ),
        ("position,name,reason,pattern\n1,a,timeout,(\n", "is not a table of failure patterns"),
        ("foo\nbar\n", ":2: reason None is unknown"),
    ],
)
def test_a_bad_seed_is_refused_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    """With the file and, where there is one, the line."""
    path = tmp_path / "patterns.csv"
    path.write_text(content)
    with pytest.raises(CollectionError, match=re.escape(message)) as caught:
        read_patterns(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_seed_is_refused(tmp_path: Path) -> None:
    """And not a traceback."""
    with pytest.raises(CollectionError, match="cannot be read"):
        read_patterns(tmp_path / "none.csv")


@given(st.text(max_size=300))
def test_python_and_sql_read_text_alike(text: str) -> None:
    """The same rows find the same first pattern in one line, whatever the line is."""
    line = " ".join(text.split())
    failure, _ = find_failure(line, PATTERNS)
    found = CONNECTION.execute(SQL, {"line": line}).fetchone()
    assert found == (failure.name if failure else None,)


# The query of docs/collection.md, for one line.
SQL = """
    select min_by(name, position) from seeds.failure_patterns
    where regexp_matches(trim(regexp_replace(lower($line), '[^a-z0-9]+', ' ', 'g')), pattern)
"""
CONNECTION = duckdb.connect()
CONNECTION.execute("create schema seeds")
CONNECTION.execute(
    f"create table seeds.failure_patterns as from read_csv('{SEEDS}/failure_patterns.csv')"
)


# The 456 phases of the origin.


def test_the_real_failure_reasons_are_classified(real_data: Path) -> None:
    """51 of 456 carry a reason: retries that ran out, then patches, then deliverables."""
    lines = (real_data / "autopack" / "phases.ndjson").read_text().splitlines()
    phases = [json.loads(line) for line in lines]
    reasons = [item["last_failure_reason"] for item in phases if item["last_failure_reason"]]
    failures = [find_failure(reason, PATTERNS)[0] for reason in reasons]
    counts = Counter(failure.name if failure else "unknown" for failure in failures)
    assert len(phases) == 456
    assert counts == {
        "attempts_exhausted": 27,
        "patch_failed": 12,
        "deliverables": 8,
        "unknown": 4,
    }


def test_different_failures_keep_different_fingerprints() -> None:
    """By text, by exit code, and timeouts apart."""
    prints = {
        fingerprint("no module named x", 1, timed_out=False),
        fingerprint("no module named y", 1, timed_out=False),
        fingerprint("no module named x", 2, timed_out=False),
        fingerprint("no module named x", None, timed_out=True),
    }
    assert len(prints) == 4


@given(st.text(max_size=500), st.integers(0, 255))
def test_a_fingerprint_reveals_nothing(text: str, code: int) -> None:
    """16 hexadecimal digits, whatever the text."""
    assert re.fullmatch("[0-9a-f]{16}", fingerprint(text, code, timed_out=False))
    assert re.fullmatch("[a-z0-9 ]*", plain_text(text))


def test_the_seed_is_one_table() -> None:
    """Positions are unique, so that the first pattern is decided."""
    with (SEEDS / "failure_patterns.csv").open(newline="") as file:
        positions = [row["position"] for row in csv.DictReader(file)]
    assert len(set(positions)) == len(positions)
