"""Inputs that once gave a wrong figure without a word: each kind, and what is right."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from dbt_project import ROOT, Project

if TYPE_CHECKING:
    from pathlib import Path


START = datetime(2026, 6, 1, tzinfo=UTC)


def calls(category: str, n: int, **fields: object) -> list[dict[str, Any]]:
    """Calls of a category, one a second."""
    return [
        {
            "event_id": f"{category}-{number}",
            "occurred_at": (START + timedelta(seconds=number)).isoformat(),
            "run_id": "r", "phase_id": f"{category}-{number}", "category": category,
            "success": True, **fields,
        }
        for number in range(n)
    ]  # fmt: skip


def known(first: int, **fields: object) -> dict[str, Any]:
    """A call that ended by itself, below its ceiling."""
    return {
        "actual_output_tokens": first,
        "actual_max_tokens": 4096,
        "stop_reason": "stop",
    } | fields


EVENTS = [
    *calls("silent", 30, actual_output_tokens=200),
    # 20 calls of tools in another spelling, a word that nobody knows, and two that reasoning filled
    *calls("spelled", 20, **known(300, stop_reason="tool-calls")),
    *calls("unheard", 3, **known(300, stop_reason="ran dry")),
    *calls("runaway", 2, **known(4096, stop_reason="Length", reasoning_tokens=4090)),
    *calls("outside", 12, **known(60, reasoning_tokens=400)),
    *calls("uncounted", 8, actual_output_tokens=0, actual_max_tokens=256, stop_reason="length"),
    *calls("one_below", 9, **known(4095, stop_reason="tool_calls")),
    *calls("snapshot", 7, actual_output_tokens=1, quality_flags=["partial_usage"]),
    # more snapshots than whole counts: what is whole there is no sample
    *calls("stream", 9, model="streamed", **known(1, quality_flags=["partial_usage"])),
    *calls("whole", 8, model="streamed", **known(80)),
]
SECRET = "canary-3c9e"
SESSION = {
    "type": "assistant", "sessionId": "s", "uuid": "u", "timestamp": "2026-06-01T00:00:00Z",
    "requestId": "q", "message": {
        "id": "m", "model": "claude-x", "stop_reason": "end_turn", "usage": {"output_tokens": 64},
        "content": [{"type": "text", "text": SECRET}],
    },
}  # fmt: skip
PAYLOAD = {
    "id": "p", "call_type": "completion", "status": "success", "completion_tokens": 9,
    "endTime": 1780272000, "model_parameters": {"max_tokens": 50}, "messages": SECRET,
    "response": {"choices": [{"finish_reason": "stop", "message": {"content": SECRET}}]},
}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """All of them in one build, with a list without a newline, a packed file and a foreign one."""
    project = Project(tmp_path_factory.mktemp("silent"))
    write(project.telemetry("events.ndjson"), *EVENTS)
    write(project.telemetry("session.jsonl"), SESSION)
    project.telemetry("list.json").write_text(json.dumps([PAYLOAD]), encoding="utf-8")
    packed = json.dumps(PAYLOAD | {"id": "é"}, ensure_ascii=False).encode() + b"\n{\xff\n"
    project.telemetry("packed.json.gz").write_bytes(gzip.compress(packed))
    write(project.telemetry("session_copy.jsonl"), SESSION)
    zstd(project.telemetry("packed.json.zst"), PAYLOAD | {"id": "z"})
    write(project.telemetry("foreign.ndjson"), {"speaker": SECRET, "words": 4})
    write(project.telemetry("mixed.ndjson"), SESSION, PAYLOAD)
    project.build(telemetry="telemetry/*")
    return project


def write(path: Path, *records: object) -> None:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def zstd(path: Path, record: object) -> None:
    """One record in a file that DuckDB packs."""
    with duckdb.connect() as connection:
        connection.execute("create table lines as select ?::varchar as line", [json.dumps(record)])
        connection.execute(
            f"copy lines to '{path}' (format csv, header false, quote '', escape '',"
            " delimiter '\x1f', compression zstd)"
        )


def demand(project: Project, category: str) -> list[tuple[Any, ...]]:
    """States, reasons, bounds and how many calls of a category."""
    return project.rows(
        "select demand_state, excluded_reason, demand_tokens, count(*) from intermediate.int_demand"
        " where category = ? group by all order by all",
        category,
    )


def truncated(project: Project, category: str) -> list[tuple[Any, ...]]:
    """What is known of the truncation of a category's calls, and by what."""
    return project.rows(
        "select is_truncated, truncation_evidence, count(*) from marts.calls"
        " where category = ? group by all",
        category,
    )


def test_without_stop_word_and_ceiling_nobody_knows(built: Project) -> None:
    """It is no clean stop: no rate counts it, and its output bounds its demand."""
    assert truncated(built, "silent") == [(None, None, 30)]
    assert (
        built.rows(
            "select count(*), count(truncation_rate) from marts.scores where category = 'silent'"
        )[0][1]
        == 0
    )
    assert demand(built, "silent") == [("censored", None, 200, 30)]


def test_stop_words_are_one_in_each_spelling(built: Project) -> None:
    """A hyphen is an underscore; a word that nobody knows is no truncation below a ceiling."""
    assert truncated(built, "spelled") == [(False, None, 20)]
    assert demand(built, "spelled") == [("observed", None, 300, 20)]
    assert truncated(built, "unheard") == [(False, None, 3)]
    assert demand(built, "unheard") == [("censored", None, 300, 3)]


def test_no_budget_follows_reasoning_that_fills_any_ceiling(built: Project) -> None:
    """It is cut off, and shown as starved."""
    assert truncated(built, "runaway") == [(True, "stop_reason", 2)]
    assert demand(built, "runaway") == [("excluded", "starved", None, 2)]


def test_reasoning_above_the_output_is_no_demand(built: Project) -> None:
    """The output lacks it: what the call needed is more than was counted."""
    assert demand(built, "outside") == [("excluded", "reasoning_above_output", None, 12)]


def test_cut_off_without_a_count_needed_the_ceiling(built: Project) -> None:
    """Usage 0 of a call that was cut off is no missing call."""
    assert demand(built, "uncounted") == [("censored", None, 256, 8)]


def test_one_token_below_the_ceiling_is_cut_off(built: Project) -> None:
    """Where the call ended in a tool; its demand is at least the ceiling."""
    assert truncated(built, "one_below") == [(True, "inferred", 9)]
    assert demand(built, "one_below") == [("censored", None, 4096, 9)]


def test_partial_counts_are_no_demand(built: Project) -> None:
    """They are counted, and give no budget."""
    assert demand(built, "snapshot") == [("excluded", "partial_usage", None, 7)]


def test_a_source_that_counts_in_part_sizes_no_budget(built: Project) -> None:
    """Its whole counts are demand, and no calibration; marts.source_quality says why."""
    assert demand(built, "whole") == [("observed", None, 80, 8)]
    assert built.rows(
        "select category, count(*) from intermediate.int_demand_history"
        " where category in ('whole', 'one_below') group by all"
    ) == [("one_below", 9)]
    assert built.rows(
        "select model, n_calls, round(partial_share, 2), is_usable from marts.source_quality"
        " where source_name = 'tokenest' order by model"
    ) == [("streamed", 17, 0.53, False), ("unknown", len(EVENTS) - 17, 0.08, True)]


def test_files_are_read_where_they_lie_or_named(built: Project) -> None:
    """A list without a newline and a packed file are read; others are named, and cost no build."""
    found = built.rows(
        "select parse_filename(source_file), source_name, lines, accepted, duplicate, quarantined,"
        " other from marts.files order by 1"
    )
    assert found == [
        ("events.ndjson", "tokenest", len(EVENTS), len(EVENTS), 0, 0, 0),
        ("foreign.ndjson", "unrecognised", 0, 0, 0, 0, 0),
        ("list.json", "litellm", 1, 1, 0, 0, 0),
        ("mixed.ndjson", "ambiguous", 0, 0, 0, 0, 0),
        ("packed.json.gz", "litellm", 2, 1, 0, 1, 0),
        ("packed.json.zst", "litellm", 1, 1, 0, 0, 0),
        ("session.jsonl", "claude_code", 1, 1, 0, 0, 0),
        ("session_copy.jsonl", "claude_code", 1, 0, 1, 0, 0),
    ]
    litellm = "select event_id from events.int_events where source_name = 'litellm' order by 1"
    assert built.rows(litellm) == [("litellm:p",), ("litellm:z",), ("litellm:é",)]
    assert built.rows(
        "select parse_filename(source_file), looks_like from staging.base_telemetry__files"
        " where source_name in ('unrecognised', 'ambiguous') order by 1"
    ) == [("foreign.ndjson", "speaker, words"), ("mixed.ndjson", "claude_code litellm")]


def test_no_text_of_a_call_is_kept(built: Project) -> None:
    """Not in the database, not in the exports."""
    for path in [built.database, *built.folder.glob("exports/*")]:
        assert SECRET.encode() not in path.read_bytes(), path


@pytest.mark.slow
def test_lines_before_the_first_record_settle_nothing(tmp_path: Path) -> None:
    """A build that met the head of a log alone leaves the file to the source of its records."""
    project, at_once = Project(tmp_path / "grown"), Project(tmp_path / "at-once")
    for made in (project, at_once):
        made.folder.mkdir()
    path, head = project.telemetry("session.jsonl"), b"ready\n\n"
    path.write_bytes(head)
    foreign = project.telemetry("foreign.jsonl")
    foreign.write_bytes(head)
    query = (
        "select source_file, source_name, state, lines, accepted, quarantined, blank"
        " from marts.files order by 1"
    )
    glob = "telemetry/*"
    project.land(telemetry=glob)
    assert [row[1:] for row in project.rows(query)] == [("tokenest", "landed", 2, 0, 1, 1)] * 2
    record = json.dumps(SESSION).encode() + b"\n"
    for content in (record, record.replace(b'"q"', b'"r"')):
        with path.open("ab") as file:
            file.write(content)
        with foreign.open("ab") as file:
            file.write(b'{"speaker": 1}\n')
        project.build(telemetry=glob)
    at_once.telemetry("session.jsonl").write_bytes(path.read_bytes())
    at_once.build(telemetry=glob)
    assert project.rows(query)[1:] == at_once.rows(query)
    assert project.rows(query) == [
        # no source knows these records: what has begun goes on, and nothing is counted twice
        ("telemetry/foreign.jsonl", "tokenest", "landed", 4, 0, 3, 1),
        ("telemetry/session.jsonl", "claude_code", "landed", 4, 2, 1, 1),
    ]
    events = "select event_id, source_name, actual_output_tokens from events.int_events order by 1"
    assert project.rows(events) == at_once.rows(events)
    assert len(project.rows(events)) == 2


def test_text_settles_nothing_before_the_line_that_is_recognised(project: Project) -> None:
    """The log of a service, of which the first build met the part before its first call."""
    path, sample = project.telemetry("service.log"), ROOT / "models/staging/origin/sample.log"
    path.write_bytes(b"".join(b"step %d\n" % number for number in range(99)))
    query = "select source_name, lines, accepted, quarantined, other from marts.files"
    project.land("telemetry/*")
    assert project.rows(query) == [("tokenest", 99, 0, 99, 0)]
    with path.open("ab") as file:
        file.write(sample.read_bytes())
    project.build("files", "int_lines", telemetry="telemetry/*")
    at_once = Project(project.folder / "at-once")
    at_once.telemetry("service.log").write_bytes(path.read_bytes())
    at_once.land("telemetry/*")
    assert project.rows(query) == at_once.rows(query)
    assert project.rows(query)[0][0] == "origin"


def test_a_byte_order_mark_hides_no_record(project: Project) -> None:
    """Not a first line alone, nor a printed document, packed or not; nor a record of nobody's."""
    mark, line = b"\xef\xbb\xbf", json.dumps(SESSION).encode() + b"\n"
    project.telemetry("line.jsonl").write_bytes(mark + line)
    project.telemetry("line.jsonl.gz").write_bytes(gzip.compress(mark + line))
    printed = json.dumps([PAYLOAD], indent=2).encode()
    project.telemetry("printed.json").write_bytes(mark + printed)
    project.telemetry("foreign.jsonl").write_bytes(mark + b'{"speaker": 1}\n')
    project.land("telemetry/*")
    assert project.rows(
        "select parse_filename(source_file), source_name, lines, accepted + duplicate"
        " from marts.files order by 1"
    ) == [
        ("foreign.jsonl", "unrecognised", 0, 0),
        ("line.jsonl", "claude_code", 1, 1),
        ("line.jsonl.gz", "claude_code", 1, 1),
        ("printed.json", "litellm", 1, 1),
    ]


@pytest.mark.slow
def test_what_a_file_is_can_be_said(tmp_path: Path) -> None:
    """A word before the glob, and ~ for the home folder; a word that is none stops the build."""
    project = Project(tmp_path)
    write(project.telemetry("mixed.ndjson"), SESSION, PAYLOAD)
    project.build("files", telemetry="litellm:telemetry/*")
    assert project.rows("select source_name, accepted, quarantined, other from marts.files") == [
        ("litellm", 1, 0, 1)
    ]
    done = project.dbt("build", "-s", "base_telemetry__files", telemetry="litelm:telemetry/*")
    assert done.returncode != 0
    assert "'litelm:' before a path names no source; it is one of" in done.stdout
