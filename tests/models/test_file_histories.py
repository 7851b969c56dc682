"""What becomes of files between builds: random histories, and each kind of change by itself."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import pytest

from dbt_project import ROOT, Project, line
from file_history_trials import careless, landing_plan, trial

if TYPE_CHECKING:
    from tokenest_py.pipeline.plan.plan import Plan

pytestmark = pytest.mark.slow

STATES = (
    "select parse_filename(source_file), parse_filename(file_path), state, lines, accepted"
    " from marts.files order by all"
)


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The landing of one source."""
    return landing_plan()


@pytest.mark.parametrize("first", range(1, 11, 5))
def test_every_equation_holds_after_each_build(plan: Plan, first: int) -> None:
    """Five histories of six builds: nothing is lost, nothing counts twice, every byte is told."""
    assert [fault for seed in range(first, first + 5) for fault in trial(plan, seed)] == []


def test_a_landing_that_compares_nothing_is_seen(plan: Plan) -> None:
    """The control: without the comparison of what had landed, histories come out wrong."""
    assert any(trial(careless(plan), seed) for seed in range(1, 10))


def test_a_log_that_is_copied_and_cut_off(project: Project) -> None:
    """The same first line, grown past its old size."""
    log, copy = project.telemetry("app.ndjson"), project.telemetry("app.1.ndjson")
    log.write_bytes(line(event_id="first") + b"".join(line(event_id=f"a-{n}") for n in range(2)))
    project.land()
    copy.write_bytes(log.read_bytes() + line(event_id="late"))
    log.write_bytes(line(event_id="first") + b"".join(line(event_id=f"b-{n}") for n in range(5)))
    project.land()
    assert project.rows(STATES) == [
        ("app.ndjson", "app.1.ndjson", "rotated", 4, 4),
        ("app.ndjson#2", "app.ndjson", "landed", 6, 5),
    ]
    before = project.rows("select count(*) from staging.base_tokenest__lines")
    copy.with_suffix(".ndjson.gz").write_bytes(gzip.compress(copy.read_bytes()))
    copy.unlink()
    project.land("telemetry/**/*.ndjson*")
    assert project.rows(STATES)[0] == ("app.ndjson", "app.1.ndjson.gz", "rotated", 4, 4)
    assert project.rows("select count(*) from staging.base_tokenest__lines") == before


def test_a_landed_line_that_was_edited(project: Project) -> None:
    """The file is read anew: what is new in it lands, and a known id keeps what it said first."""
    path = project.telemetry()
    path.write_bytes(line(event_id="e-1") + line(event_id="e-2") + line(event_id="e-3"))
    project.land()
    content = path.read_bytes().replace(b'"e-2"', b'"x-2"')
    path.write_bytes(content.replace(b"800", b"801", 1))
    os.utime(path, (1_700_000_000,) * 2)
    project.land()
    assert project.rows(STATES) == [
        ("events.ndjson", "events.ndjson", "rewritten", 3, 3),
        ("events.ndjson#2", "events.ndjson", "landed", 3, 1),
    ]
    assert project.rows(
        "select event_id, actual_output_tokens from staging.stg_tokenest__events order by 1"
    ) == [("e-1", 800), ("e-2", 800), ("e-3", 800), ("x-2", 800)]
    assert project.rows("select event_id, reject_reason from marts.rejected_lines") == [
        ("e-1", "id_conflict")
    ]


def test_a_packed_file_of_nothing(project: Project) -> None:
    """It is whole: no byte of it waits for a line."""
    path = project.telemetry("events.ndjson.gz")
    path.write_bytes(gzip.compress(b""))
    project.land("telemetry/*")
    query = "select state, lines, landed_bytes, in_flight_bytes, is_in_flight from marts.files"
    assert project.rows(query) == [("landed", 0, path.stat().st_size, 0, False)]
    path.write_bytes(gzip.compress(line(event_id="e-1")))
    project.land("telemetry/*")
    assert project.rows(query) == [("landed", 1, path.stat().st_size, 0, False)]


def test_a_file_without_a_line_of_its_own_yet(project: Project) -> None:
    """It was emptied and has half a line: it waits under the path, beside what had landed."""
    path = project.telemetry()
    path.write_bytes(line(event_id="e-1"))
    project.land()
    path.write_bytes(b'{"half')
    project.land()
    assert project.rows(STATES) == [
        ("events.ndjson", "events.ndjson", "rewritten", 1, 1),
        ("events.ndjson#0", "events.ndjson", "growing", 0, 0),
    ]
    path.write_bytes(line(event_id="e-1"))
    project.land()
    assert project.rows(STATES) == [("events.ndjson", "events.ndjson", "landed", 1, 1)]


def test_a_name_that_a_file_of_another_source_had(project: Project) -> None:
    """What had landed under it stays, whole and counted; the new file has its own account."""
    ours, spans = project.telemetry("app.ndjson"), ROOT / "models/staging/otel/sample.ndjson"
    short = project.telemetry("short.ndjson")
    ours.write_bytes(b"".join(line(event_id=f"e-{n}") for n in range(60)))
    short.write_bytes(line(event_id="s-1"))
    project.land()
    for path in (ours, short):
        path.rename(path.with_suffix(".1.ndjson"))
    project.land()
    short.with_suffix(".1.ndjson").unlink()
    ours.write_bytes(spans.read_bytes())
    short.write_bytes(b"ready\n" + spans.read_bytes())
    project.build("files", "int_lines")
    assert project.rows(STATES.replace("select", "select source_name,")) == [
        ("otel", "app.ndjson#2", "app.ndjson", "landed", 10, 6),
        ("otel", "short.ndjson#2", "short.ndjson", "landed", 11, 0),
        ("tokenest", "app.ndjson", "app.1.ndjson", "rotated", 60, 60),
        ("tokenest", "short.ndjson", "short.1.ndjson", "gone", 1, 1),
    ]


def test_a_full_refresh_recognises_anew(project: Project) -> None:
    """It is a build from the files alone: whose they were said to be is forgotten."""
    path = project.telemetry("spans.ndjson")
    path.write_bytes((ROOT / "models/staging/otel/sample.ndjson").read_bytes())
    project.land("codex:telemetry/*")
    project.land("telemetry/*")
    source = "select source_name from marts.files"
    assert project.rows(source) == [("codex",)]
    project.build("files", telemetry="telemetry/*", full_refresh=True)
    assert project.rows(source) == [("otel",)]
