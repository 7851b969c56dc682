"""The telemetry of the parity check: small, but with rows for every model.

Two batches. The second holds new, late, repeated, conflicting and bad lines, in new files and at
the end of files that have landed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from test_landing import BAD_LINES, GOOD_LINES

import generate
from dbt_project import event, line
from warm_dbt import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["GROWS", "ONE_OF_A_KIND", "first_batch", "second_batch"]

START = datetime(2026, 2, 1, tzinfo=UTC)
DELIVERABLES = [
    "Create src/api/users.py",
    "update docs/guide.md",
    "README.md",
    "Modify `src/app.ts` (the entry point)",
    "tests/test_users.py",
    "Refactor src/db/session.py and src/db/models.py",
    "docs/API_REFERENCE.md",
    "docs/examples and tutorials.md",
    "CHANGELOG.md",
    "Add config/settings.yaml",
    "new file: Dockerfile",
    "frontend/components/Button.tsx, with tests",
    'a "quoted", [bracketed] path/x.sql',
    "0123456789abcdef.py",
    "just words",
    "  \u00a0 ",
    "C:\\repo\\src\\main.go",
    "Überblick/größe.md",
]
BREAKDOWNS = [
    None,
    ["backend_modified:2:0.567", "test_new:3:assumed"],
    ["doc_new:1"],
    ["doc_sot_context_some:1", "doc_sot_per_file:4"],
    ["robot_new:1"],
    [],
]
REASONS = ["end_turn", "max_tokens", "STOP", "length", "content_filter", "ran_dry", None]

# Of the sources, one of each kind: lines of a log, calls that grow, a gateway's rows, lists within
# lists, requests beside results. The others are built of the same macros; records in wrappings take
# a third of the landing's time, and are compared with --cluster alone.
ONE_OF_A_KIND = ("tokenest", "origin", "claude_code", "litellm", "otel", "openai_batch")

GROWS = "litellm"  # of the foreign sources, the one whose files grow

# Spark forgets the first of two members of one name within an object (docs/scale.md).
BAD = [text for name, text, _, _ in BAD_LINES if name != "a label twice"]


def _lines(records: Iterator[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


def _varied(first: int, last: int, start: datetime = START) -> Iterator[dict[str, Any]]:
    """Events that differ in whatever a model looks at: retries, spellings, flags, gaps."""
    random_ = random.Random(first)  # the same at every run; nothing secret
    for number in range(first, last):
        ceiling = random_.choice([None, 1024, 4096])
        reason = random_.choice(REASONS)
        output = random_.randint(0, 1500)
        record = event(
            event_id=None if number % 11 == 0 else f"v-{number}",
            occurred_at=(start + timedelta(minutes=97 * number)).isoformat(),
            run_id=f"v-run-{number // 40}",
            phase_id=f"v-phase-{number // 2 % 20}",
            attempt=None if number % 13 == 0 else 1 + number % 2,
            category=random_.choice(["docs", "Implementation", "doc_sot_update", "TESTS", None]),
            complexity=random_.choice(["low_complexity", "MEDIUM", "high", "maintenance", None]),
            deliverables=random_.sample(DELIVERABLES, random_.randint(0, 4)),
            deliverable_count=random_.choice([None, 0, 3, 9, 20]),
            breakdown=random_.choice(BREAKDOWNS),
            model=random_.choice(["a|b", "100%", "some-model", None]),
            input_tokens=random_.choice([None, 0, 1, 900, 65537]),
            predicted_output_tokens=random_.choice([None, 0, 100, 700, 5200]),
            selected_budget=2048,
            actual_max_tokens=ceiling,
            actual_output_tokens=min(output, ceiling or output),
            stop_reason=reason,
            truncated=random_.choice([None, False, reason == "length"]),
            success=random_.choice([None, True, True, False]),
            quality_flags=random_.choice([None, [], ["synthetic"], ["estimated_usage"]]),
            estimator_version=random_.choice([None, "1", "2"]),
            coefficients_id=random_.choice([None, "0123456789abcdef", "fedcba9876543210"]),
            is_control=random_.choice([None, False, True]),
            smape_percent=random_.choice([None, 12.5, 0.1]),
            underestimated=random_.choice([None, True, False]),
        )
        yield record
        if number % 33 == 0:  # it has no id: the same call once more
            yield record | {"occurred_at": record["occurred_at"].replace(":00+", ":30+")}


def _attempts(first: int, last: int) -> Iterator[dict[str, Any]]:
    """What a drain records of its attempts."""
    random_ = random.Random(first)  # the same at every run; nothing secret
    for number in range(first, last):
        events = random_.choice([0, 0, 1, 3])
        yield event(
            record_type="attempt",
            event_id=f"d-{number}",
            occurred_at=(START + timedelta(minutes=number)).isoformat(),
            run_id=f"d-run-{number // 20}",
            phase_id=f"d-phase-{number // 2 % 7}",
            attempt=1 + number % 2,
            actual_output_tokens=None,
            selected_budget=random_.choice([None, 1024, 2048]),
            session_id=f"session-{number // 5}",
            duration_seconds=round(random_.uniform(0.5, 90), 3),
            exit_code=random_.choice([None, 0, 1]),
            events=events,
            success=events > 0,
            zero_yield_reason=None if events else random_.choice(["timeout", "crash", None]),
            failure_pattern=random_.choice([None, "rate_limit"]),
            fingerprint=random_.choice([None, "f1", "f2", "f3"]),
            run_verdict=random_.choice(["running", "done"]),
        )


def _at_whole_seconds(folder: Path) -> None:
    """Cut the files' times to whole seconds: the engines read parts of a second differently."""
    for path in folder.rglob("*.ndjson"):
        seconds = int(path.stat().st_mtime)
        os.utime(path, (seconds, seconds))


def first_batch(folder: Path, sources: Sequence[str] | None) -> None:
    """Everything that the first build finds, the samples of these sources (None: all) among it."""
    shutil.copytree(ROOT / "telemetry", folder / "samples", ignore=shutil.ignore_patterns("*.md"))
    (folder / "bad.ndjson").write_bytes(b"\n".join(BAD) + b"\n")
    good = b"\xef\xbb\xbf" + b"\n\n  \n".join(text for _, text in GOOD_LINES) + b"\n"
    (folder / "good.ndjson").write_bytes(good)
    (folder / "torn.ndjson").write_bytes(line(event_id="t-1") + line(event_id="t-2")[:40])
    (folder / "it's [a] *.ndjson").write_bytes(line(event_id="n-1"))
    letters = json.dumps(event(event_id="b-1", run_id="é€"), ensure_ascii=False).encode()
    (folder / "one bad byte.ndjson").write_bytes(letters + b'\n{"run_id": "\xff"}\n' + letters)
    (folder / "varied.ndjson").write_bytes(_lines(_varied(0, 600)))
    (folder / "drain.ndjson").write_bytes(_lines(_attempts(0, 60)))
    (folder / "begins with text.ndjson").write_bytes(b"listening on port 4000\n")
    generate.write(folder / "generated", 2600)
    for path in ROOT.glob("models/staging/*/sample*"):
        is_wanted = sources is None or path.parent.name in sources
        if is_wanted and path.suffix in (".ndjson", ".jsonl"):
            shutil.copy(path, folder / f"{path.parent.name}_{path.stem}.ndjson")
    _at_whole_seconds(folder)


def second_batch(folder: Path) -> None:
    """What the incremental build finds besides: nothing that has landed changes."""
    with (folder / "torn.ndjson").open("ab") as file:
        file.write(line(event_id="t-2")[40:] + line(event_id="t-3"))
    with (folder / "varied.ndjson").open("ab") as file:
        file.write(_lines(_varied(600, 700)))
    late = _lines(_varied(900, 930, START - timedelta(days=80)))
    repeated = _lines(_varied(10, 30))
    conflicting = b"".join(line(event_id=f"v-{n}", actual_output_tokens=7) for n in range(40, 50))
    bad = b"\n".join(reversed(BAD)) + b"\n"
    (folder / "late.ndjson").write_bytes(late + repeated + conflicting + bad)
    with (folder / "drain.ndjson").open("ab") as file:
        file.write(_lines(_attempts(50, 75)))
    gateway = (folder / f"{GROWS}_sample.ndjson").read_bytes().splitlines()[0]
    for name in (f"{GROWS}_sample.ndjson", "begins with text.ndjson"):  # the first source had this
        with (folder / name).open("ab") as file:
            file.write(json.dumps(json.loads(gateway) | {"id": name}).encode() + b"\n")
    generate.write(folder / "generated", 700, seed=2, prefix="new", first=86_400)
    _at_whole_seconds(folder)
