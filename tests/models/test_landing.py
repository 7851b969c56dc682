"""Landing: real files, real builds; every line ends as exactly one verdict."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dbt_project import Project, event, line

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

REQUIRED = "occurred_at, actual_output_tokens"
ACTUAL = "actual_output_tokens"
PREDICTED = "predicted_output_tokens"


def hence(hours: int) -> str:
    """The time of a clock that is so far ahead."""
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


def record(**fields: object) -> bytes:
    """The record of event() without its newline."""
    return line(**fields).strip()


ATTEMPT = json.dumps(
    {
        "record_type": "attempt",
        "occurred_at": "2026-01-02T03:04:05Z",
        "phase_id": "p",
        "attempt": 1,
        "success": False,
        "session_id": "s",
        "duration_seconds": 2.5,
        "events": 0,
    }
).encode()
SOME_NULL = {"app": None, "tenant": 'a, "b":null', "zone": None}
TWO_LABELS = record(labels={"tenant": "a"}).replace(b'"tenant"', b'"a": "b", "a"')
MANY_LABELS = {f"label_{n}": "x" for n in range(9)}


# What stands on the line, and the verdict it has to get. Every reason has at least one line.
BAD_LINES: list[tuple[str, bytes, str, str | None]] = [
    ("one bad byte", b'{"run_id": "caf\xe9"}', "not_utf8", None),
    ("text", b"Exported 12 samples", "not_json", None),
    ("half a record", line()[:60], "not_json", None),
    ("two records glued", record() + record(event_id="e-9"), "not_json", None),
    ("two records on a line", record() + b" " + record(event_id="e-9"), "not_json", None),
    ("the first line of a printed record", b"{", "not_json", None),
    ("a line within a printed record", b'    "run_id": "r",', "not_json", None),
    ("the last line of a printed record", b"}", "not_json", None),
    ("a trailing comma", record()[:-1] + b",}", "not_json", None),
    ("single quotes", b"{'run_id': 'r'}", "not_json", None),
    ("NaN", line().replace(b": 800", b": NaN").strip(), "not_json", None),
    ("Infinity", line().replace(b": 800", b": Infinity").strip(), "not_json", None),
    ("-Infinity", line().replace(b": 800", b": -Infinity").strip(), "not_json", None),
    ("a carriage return in a text", b'{"run_id": "a\rb"}', "not_json", None),
    ("one NUL byte", record()[:-1] + b"\0}", "not_json", None),
    ("a lone surrogate", b'{"run_id": "\\ud800"}', "not_json", None),
    ("512 NUL bytes", b"\0" * 512, "not_json", None),
    ("an array", b"[1, 2]", "not_an_object", None),
    ("a number", b"12", "not_an_object", None),
    ("a text", b'"text"', "not_an_object", None),
    ("true alone", b"true", "not_an_object", None),
    ("only null", b"null", "not_an_object", None),
    ("an empty object", b"{}", "missing_field", REQUIRED),
    ("null", record().replace(b": 800", b": null"), "missing_field", ACTUAL),
    ("an attempt of no run", ATTEMPT, "missing_field", "run_id"),
    ("an empty time", record(occurred_at=""), "missing_field", "occurred_at"),
    ("other key names", b'{"predicted": 100, "actual": 120}', "missing_field", REQUIRED),
    ("a fraction", record(actual_output_tokens=12.7), "wrong_type", ACTUAL),
    ("12.0", record(actual_output_tokens=12.0), "wrong_type", ACTUAL),
    ("1e3", line().replace(b": 800", b": 1e3").strip(), "wrong_type", ACTUAL),
    ("a number in quotes", record(actual_output_tokens="12"), "wrong_type", ACTUAL),
    ("true for a number", record(actual_output_tokens=True), "wrong_type", ACTUAL),
    ("an object for a number", record(selected_budget={"a": 1}), "wrong_type", "selected_budget"),
    ("a number for a flag", record(truncated=1), "wrong_type", "truncated"),
    ("a number for text", record(run_id=7, model=8), "wrong_type", "run_id, model"),
    ("a count for a list", record(deliverables=3), "wrong_type", "deliverables"),
    ("numbers in a list", record(deliverables=["a", 3]), "wrong_type", "deliverables"),
    ("labels as a list", record(labels=["a"]), "wrong_type", "labels"),
    ("nine labels", record(labels=MANY_LABELS), "wrong_type", "labels"),
    ("a label that is a number", record(labels={"tenant": 7}), "wrong_type", "labels"),
    ("a label with a capital", record(labels={"Tenant": "a"}), "wrong_type", "labels"),
    ("a label of 33 letters", record(labels={"a" * 33: "a"}), "wrong_type", "labels"),
    ("a label of 129 characters", record(labels={"tenant": "x" * 129}), "wrong_type", "labels"),
    ("a label twice", TWO_LABELS, "wrong_type", "labels"),
    ("below zero", record(actual_output_tokens=-1), "out_of_range", ACTUAL),
    ("23 digits", record(predicted_output_tokens=10**22), "out_of_range", PREDICTED),
    ("1e400", line().replace(b": 800", b": 1e400").strip(), "out_of_range", ACTUAL),
    ("2^53", record(input_tokens=2**53), "out_of_range", "input_tokens"),
    ("an American date", record(occurred_at="12/24/2025"), "not_a_time", "occurred_at"),
    ("seconds", record(occurred_at=1735000000), "not_a_time", "occurred_at"),
    ("milliseconds", record(occurred_at=1735000000000), "not_a_time", "occurred_at"),
    ("an ISO week", record(occurred_at="2025-W52-3"), "not_a_time", "occurred_at"),
    ("year 99999", record(occurred_at="99999-01-01T00:00:00Z"), "not_a_time", "occurred_at"),
    ("hour 24", record(occurred_at="2025-12-24T24:00:00Z"), "not_a_time", "occurred_at"),
    ("month 13", record(occurred_at="2025-13-45T00:00:00Z"), "not_a_time", "occurred_at"),
    ("a day without time", record(occurred_at="2025-12-24"), "not_a_time", "occurred_at"),
    ("year 0001", record(occurred_at="0001-01-01T00:00:00Z"), "not_a_time", "occurred_at"),
    ("an offset of 99 hours", record(occurred_at="2026-01-02T03:04:05+99:99"), "not_a_time",
     "occurred_at"),
    ("an offset of a day", record(occurred_at="2026-01-02T03:04:05+24:00"), "not_a_time",
     "occurred_at"),
    ("an offset of 60 minutes", record(occurred_at="2026-01-02T03:04:05+00:60"), "not_a_time",
     "occurred_at"),
    ("two days ahead", record(occurred_at=hence(48)), "in_the_future", "occurred_at"),
    ("a clock of 2099", record(occurred_at="2099-12-31T23:59:59Z"), "in_the_future", "occurred_at"),
    ("a key twice", record()[:-1] + b', "success": false}', "duplicate_key", None),
    ("a mebibyte", record(model="x" * 1_048_576), "line_too_long", None),
    ("20 MB", record(model="x" * 20_000_000), "line_too_long", None),
    ("a million brackets", b'{"x": ' + b"[" * 1_000_000 + b"}", "not_json", None),
]  # fmt: skip

LETTERS = json.dumps(event(event_id="g-5", run_id="é€漢"), ensure_ascii=False)
ONLY_REQUIRED = {
    "event_id": "g-12",
    "run_id": "r",
    "phase_id": "p",
    "occurred_at": "2026-01-02T03:04:05Z",
    "actual_output_tokens": 0,
}
DEEP = b', "x": ' + b"[" * 5000 + b"]" * 5000 + b"}"
ORIGIN_TIME = {"occurred_at": None, "timestamp": "2026-01-02T03:04:05.123456"}
GOOD_LINES: list[tuple[str, bytes]] = [
    ("plain", record(event_id="g-1")),
    ("CRLF", record(event_id="g-2") + b"\r"),
    ("an unknown field", json.dumps(event(event_id="g-3", latency_ms=7)).encode()),
    ("nested deeper than any reader likes", record(event_id="g-4")[:-1] + DEEP),
    ("other letters", LETTERS.encode()),
    ("an escaped NUL", record(event_id="g-6", model="a\0b")),
    ("a clock half a day ahead", record(event_id="g-19", occurred_at=hence(12))),
    ("an offset", record(event_id="g-7", occurred_at="2026-01-02T05:04:05+02:00")),
    ("the origin's time", record(event_id="g-8", **ORIGIN_TIME)),
    ("nine decimals", record(event_id="g-9", occurred_at="2026-01-02T03:04:05.123456789Z")),
    ("nulls", json.dumps(event(event_id="g-10") | {"category": None, "success": None}).encode()),
    ("quotes and brackets in a list", record(event_id="g-11", deliverables=['a "b", [c]', "d\\e"])),
    ("only what is required", json.dumps(ONLY_REQUIRED).encode()),
    ("no run", record(event_id="g-14", run_id=None)),
    ("an empty run", record(event_id="g-15", run_id="")),
    ("no phase", record(event_id="g-16", phase_id=None)),
    ("labels", record(event_id="g-17", labels={"tenant": "ä" * 128, "app": 'a "b"\\'})),
    ("no labels", record(event_id="g-18", labels={})),
    ("labels of which two are null", record(event_id="g-20", labels=SOME_NULL)),
    ("labels that are all null", record(event_id="g-21", labels={"tenant": None})),
    ("a carriage return between members", record(event_id="g-13").replace(b", ", b",\r")),
]  # fmt: skip


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One build over every bad and every good line, blank lines between them, and a torn tail."""
    project = Project(tmp_path_factory.mktemp("landing"))
    bad = [text for _, text, _, _ in BAD_LINES]
    project.telemetry("bad.ndjson").write_bytes(b"\n".join(bad) + b"\n")
    good = b"\xef\xbb\xbf" + b"\n\n  \n".join(text for _, text in GOOD_LINES) + b"\n"
    project.telemetry("good.ndjson").write_bytes(good)
    project.telemetry("torn.ndjson").write_bytes(line(event_id="t-1") + line(event_id="t-2")[:40])
    project.telemetry("empty.ndjson").write_bytes(b"")
    project.telemetry("it's [a] *.ndjson").write_bytes(line(event_id="n-1"))
    (project.folder / "telemetry" / "folder.ndjson").mkdir()
    (project.folder / "telemetry" / "dangling.ndjson").symlink_to("nowhere")
    project.build("files", "rejected_lines", "int_events")
    return project


def account(project: Project, name: str) -> tuple[int, ...]:
    """(lines, accepted, duplicate, quarantined, blank) of a file, of which no line is other."""
    query = (
        "select lines, accepted, duplicate, quarantined, blank"
        " from marts.files where parse_filename(source_file) = ? and other = 0"
    )
    return project.rows(query, name)[0]


@pytest.mark.parametrize(
    ("number", "reason", "fields"),
    [(n, reason, fields) for n, (_, _, reason, fields) in enumerate(BAD_LINES, start=1)],
    ids=[name for name, *_ in BAD_LINES],
)
def test_a_bad_line_is_quarantined_with_its_reason(
    landed: Project, number: int, reason: str, fields: str | None
) -> None:
    """Each line of BAD_LINES gets its verdict; a piece of text is kept of own records alone."""
    query = (
        "select reject_reason, reject_fields, line_bytes, line_md5, line_text"
        " from marts.rejected_lines where source_file like '%/bad.ndjson' and line_no = ?"
    )
    [(found, about, length, md5, text)] = landed.rows(query, number)
    assert (found, about) == (reason, fields)
    assert length > 0
    written = BAD_LINES[number - 1][1]
    if reason != "not_utf8":
        assert (length, md5) == (len(written), hashlib.md5(written).hexdigest())
    is_own = b'"actual_output_tokens"' in written or b'"record_type"' in written
    assert text == (written[:4096].decode() if is_own else None)


def test_every_bad_line_is_counted(landed: Project) -> None:
    """The account of the file holds all of them."""
    assert account(landed, "bad.ndjson") == (len(BAD_LINES), 0, 0, len(BAD_LINES), 0)


def test_good_lines_land_whatever_stands_around_them(landed: Project) -> None:
    """Blank lines, a byte order mark, CRLF and odd but valid JSON cost nothing."""
    lines = 3 * len(GOOD_LINES) - 2
    assert account(landed, "good.ndjson") == (lines, len(GOOD_LINES), 0, 0, lines - len(GOOD_LINES))
    query = "select event_key from staging.base_tokenest__lines where event_key like 'g-%'"
    assert {row[0] for row in landed.rows(query)} == {f"g-{n + 1}" for n in range(len(GOOD_LINES))}


def test_values_arrive_as_they_were_written(landed: Project) -> None:
    """Letters, times and lists are not changed on the way."""
    query = (
        "select run_id, occurred_at::text, deliverables, model"
        " from staging.base_tokenest__lines where event_key = ?"
    )
    assert landed.rows(query, "g-5")[0][0] == "é€漢"
    assert landed.rows(query, "g-7")[0][1] == "2026-01-02 03:04:05"
    assert landed.rows(query, "g-8")[0][1] == "2026-01-02 03:04:05.123456"
    assert landed.rows(query, "g-11")[0][2] == ['a "b", [c]', "d\\e"]
    assert landed.rows(query, "g-6")[0][3] == "a\0b"


def test_defaults_and_labels(landed: Project) -> None:
    """A call that names no run is of run unknown; one without a phase is a phase of its own."""
    query = (
        "select run_id, phase_id, labels from events.int_events"
        " where event_id in ('g-14', 'g-15', 'g-16', 'g-17', 'g-18', 'g-20', 'g-21')"
        " order by event_id"
    )
    text = json.dumps({"app": 'a "b"\\', "tenant": "ä" * 128}, ensure_ascii=False)
    assert landed.rows(query) == [
        ("unknown", "phase", None),
        ("unknown", "phase", None),
        ("run", "g-16", None),
        ("run", "phase", text.replace(": ", ":").replace(", ", ",")),
        ("run", "phase", None),
        ("run", "phase", r'{"tenant":"a, \"b\":null"}'),
        ("run", "phase", None),
    ]


def test_a_file_name_is_never_read_as_a_pattern(landed: Project) -> None:
    """Quotes, brackets and stars in a name mean themselves."""
    assert account(landed, "it's [a] *.ndjson") == (1, 1, 0, 0, 0)


def test_an_empty_file_has_an_account_too(landed: Project) -> None:
    """Nothing landed from it, and the account says so."""
    assert account(landed, "empty.ndjson") == (0, 0, 0, 0, 0)


def test_one_bad_byte_costs_one_line(project: Project) -> None:
    """The neighbours of a line that is not UTF-8 land, with their numbers."""
    good = [
        json.dumps(event(event_id=f"b-{n}", run_id="é€"), ensure_ascii=False).encode()
        for n in range(4)
    ]
    project.telemetry().write_bytes(
        b"\n".join([good[0], good[1], b'{"run_id": "\xff"}', good[2], good[3]]) + b"\n"
    )
    project.land()
    assert account(project, "events.ndjson") == (5, 4, 0, 1, 0)
    query = (
        "select line_no, run_id from staging.base_tokenest__lines"
        " where reject_reason is null order by 1"
    )
    assert project.rows(query) == [(1, "é€"), (2, "é€"), (4, "é€"), (5, "é€")]


def test_a_line_in_flight_waits_until_it_is_complete(project: Project) -> None:
    """Half a line is not an event yet, and not lost either."""
    path = project.telemetry()
    path.write_bytes(line(event_id="f-1") + line(event_id="f-2")[:50])
    project.land()
    assert account(project, "events.ndjson") == (1, 1, 0, 0, 0)
    with path.open("ab") as file:
        file.write(line(event_id="f-2")[50:] + line(event_id="f-3"))
    project.land()
    assert account(project, "events.ndjson") == (3, 3, 0, 0, 0)


def test_final_takes_the_tail_as_torn_and_a_completed_tail_lands_again(project: Project) -> None:
    """What was declared torn is believed again when the rest of it arrives."""
    path = project.telemetry()
    path.write_bytes(line(event_id="f-1") + line(event_id="f-2")[:50])
    project.land()
    project.land(final=True)
    assert account(project, "events.ndjson") == (2, 1, 0, 1, 0)
    assert project.rows("select line_no, reject_reason from marts.rejected_lines") == [
        (2, "torn_tail")
    ]
    with path.open("ab") as file:
        file.write(line(event_id="f-2")[50:])
    project.land()
    assert account(project, "events.ndjson") == (2, 2, 0, 0, 0)


def test_only_new_and_grown_files_are_opened(project: Project) -> None:
    """A file of the same size and time is not read again."""
    quiet, busy = project.telemetry("quiet.ndjson"), project.telemetry("busy.ndjson")
    quiet.write_bytes(line(event_id="q-1"))
    busy.write_bytes(line(event_id="b-1"))
    project.land()
    # Same size and time, other content: nobody can notice it who does not open the file.
    before = quiet.stat()
    quiet.write_bytes(line(event_id="q-2"))
    os.utime(quiet, ns=(before.st_atime_ns, before.st_mtime_ns))
    with busy.open("ab") as file:
        file.write(line(event_id="b-2"))
    project.telemetry("new.ndjson").write_bytes(line(event_id="n-1"))
    project.land()
    keys = project.rows("select event_key from staging.base_tokenest__lines order by 1")
    assert [key for (key,) in keys] == ["b-1", "b-2", "n-1", "q-1"]


def test_a_file_that_is_gone_keeps_what_it_brought(project: Project) -> None:
    """Raw files may be archived after they landed."""
    path = project.telemetry()
    path.write_bytes(line())
    project.land()
    path.unlink()
    project.land()
    assert account(project, "events.ndjson") == (1, 1, 0, 0, 0)
    assert project.rows("select is_present from marts.files") == [(False,)]


def test_repetition_counts_once_and_what_came_first_stays(project: Project) -> None:
    """The same id with other content is a conflict of the later record alone."""
    spelled_otherwise = json.dumps(dict(reversed(event(event_id="same").items())), indent=None)
    project.telemetry("a.ndjson").write_bytes(
        line(event_id="same") + spelled_otherwise.encode() + b"\n" + line(event_id="clash")
    )
    project.telemetry("b.ndjson").write_bytes(
        line(event_id="same") + line(event_id="clash", actual_output_tokens=801)
    )
    without_id = line(event_id=None)
    project.telemetry("c.ndjson").write_bytes(
        without_id + without_id + line(event_id=None, attempt=2)
    )
    project.land()
    assert account(project, "a.ndjson") == (3, 2, 1, 0, 0)
    assert account(project, "b.ndjson") == (2, 0, 1, 1, 0)
    assert account(project, "c.ndjson") == (3, 2, 1, 0, 0)
    query = (
        "select parse_filename(source_file), line_no, reject_reason, event_id"
        " from marts.rejected_lines order by all"
    )
    assert project.rows(query) == [("b.ndjson", 2, "id_conflict", "clash")]


def test_ids_that_are_sent_again_erase_nothing(project: Project) -> None:
    """A later landing, in a file of an earlier name, cannot undo what counts."""
    first = [line(event_id=f"e-{n}", phase_id=f"p-{n}") for n in range(20)]
    project.telemetry("m.ndjson").write_bytes(b"".join(first))
    project.land()
    again = [line(event_id=f"e-{n}", phase_id=f"p-{n}", actual_output_tokens=1) for n in range(19)]
    project.telemetry("a.ndjson").write_bytes(b"".join(again) + first[19])
    project.land()
    counted = "select count(*), min(actual_output_tokens) from staging.stg_tokenest__events"
    assert project.rows(counted) == [(20, 800)]
    assert account(project, "a.ndjson") == (20, 1, 0, 19, 0)
    assert account(project, "m.ndjson") == (20, 19, 1, 0, 0)


def test_the_order_of_landing_does_not_matter(tmp_path: Path) -> None:
    """Files that land in two builds, the later name first, give what one build gives."""
    contents = {
        "a.ndjson": line(event_id="x") + line(event_id="y", attempt=1),
        "b.ndjson": line(event_id="x") + line(event_id="y", attempt=1) + line(event_id="z"),
    }
    at_once, in_turn = Project(tmp_path / "once"), Project(tmp_path / "turn")
    for project in (at_once, in_turn):
        project.folder.mkdir()
    for name, content in contents.items():
        at_once.telemetry(name).write_bytes(content)
    at_once.land()
    for name in reversed(contents):
        in_turn.telemetry(name).write_bytes(contents[name])
        in_turn.land()
    for name in contents:
        assert account(at_once, name) == account(in_turn, name)
    assert account(at_once, "a.ndjson") == (2, 2, 0, 0, 0)


def test_real_telemetry_adds_up(tmp_path: Path, real_data: Path) -> None:
    """Everything beside the checkout, unchanged. docs/event_record.md says what becomes of it."""
    project = Project(tmp_path)
    project.build(telemetry=f"{real_data}/**/*.ndjson")
    found = {
        name: (lines, accepted, quarantined)
        for name, lines, accepted, quarantined in project.rows(
            "select parse_filename(source_file), lines, accepted, quarantined from marts.files"
        )
    }
    unread = {
        name
        for (name,) in project.rows(
            "select parse_filename(source_file) from staging.base_telemetry__files"
            " where source_name = 'unrecognised'"
        )
    }
    assert unread == {"phases.ndjson", "telemetry_progress_12samples.ndjson"}
    for path in real_data.rglob("*.ndjson"):
        lines = 0 if path.name in unread else path.read_bytes().count(b"\n")
        assert found[path.name][0] == lines
    assert found["events.ndjson"] == (66, 60, 0)
    assert found["build132_telemetry_export.ndjson"] == (7, 6, 0)
    assert found["azure_2023_conv.ndjson"] == (19366, 19366, 0)
