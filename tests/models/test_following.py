"""What follows the landing build by build is what one build of everything gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pytest

from dbt_project import Project, line

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

# What says when and how a line landed, and not what it says.
OF_THE_LANDING = {
    "landing_no", "file_bytes", "modified_at", "first_line_md5", "has_open_tail",
    "file_path", "landed_bytes", "landed_md5",
    "newest_landing_no", "content_key", "looks_like",
}  # fmt: skip


def cut_off(event_id: str, run_id: str, phase_id: str, **fields: object) -> bytes:
    """A truncated call."""
    return line(
        event_id=event_id, run_id=run_id, phase_id=phase_id, stop_reason="max_tokens", **fields
    )


def exported(run_id: str, phase_id: str, second: int, **fields: object) -> bytes:
    """A row of the origin's export, with the output 700 + second."""
    record = {"run_id": run_id, "phase_id": phase_id, "timestamp": f"2026-01-03T04:05:{second:02}",
              "predicted_output_tokens": 900, "actual_output_tokens": 700 + second}  # fmt: skip
    return json.dumps(record | fields).encode() + b"\n"


def logged(second: int) -> bytes:
    """The log line of the same call, by a clock 11 hours ahead."""
    return (
        f"2026-01-03 15:05:{second:02},250 - INFO - [TokenEstimation] Predicted: 900 output tokens,"
        f" Actual: {700 + second} output tokens, Error: 1.0%\n"
    ).encode()


FIRST = {
    # the origin's: of no run until its twin comes, and known better than its log line says
    "o.ndjson": exported("unknown", "found", 1, stop_reason="max_tokens")
    + exported("sprint", "told best", 2, model="m"),
    "o-log.ndjson": logged(3) + b"nothing of a call\n",
    "m.ndjson": b"".join(
        line(
            event_id=f"e-{n}",
            run_id=f"run-{n % 30}",  # a block of runs and a half
            phase_id=f"p-{n % 9}",
            occurred_at=f"2026-01-02T03:{n:02}:00Z",
            category=["implementation", "docs", "testing"][n % 3],
            deliverables=[f"src/file_{n % 7}.py", "docs/guide.md"][: 1 + n % 2],
            actual_output_tokens=700 + 13 * n,
        )
        for n in range(40)
    )
    + line(event_id="cut", phase_id="retried", attempt=1, stop_reason="max_tokens", success=False)
    + line(event_id="clash", phase_id="clashing", deliverables=["src/clash.py"])
    + line(event_id="twin", phase_id="twins")
    + line(event_id=None, phase_id="told", occurred_at="2026-01-02T05:00:00Z")
    # told under its run later, and told before it under none
    + line(event_id=None, phase_id="taken over", run_id=None)
    + line(event_id=None, phase_id="known", run_id="known")
    # alone in its week and in its run; its id comes again with other content
    + line(event_id="lonely", run_id="lonely", phase_id="a", occurred_at="2025-06-01T00:00:00Z"),
    "n.ndjson": line(event_id="whole") + line(event_id="tail")[:50],
    # calls of no known run belong to the last run of their phase
    "cut.ndjson": cut_off("of-none", "unknown", "found later")
    + cut_off("of-one", "unknown", "moved")
    + cut_off("one", "run-1", "moved")
    + cut_off("undone", "unknown", "told twice")
    + cut_off("kept", "run-1", "told twice"),
}
LATER = {
    "p.ndjson": exported("sprint", "found", 1, stop_reason="max_tokens", success=False)
    + exported("sprint", "had only a line", 3),
    "p-log.ndjson": logged(2) + logged(4),
    # late, before everything in time and in name
    "a.ndjson": line(event_id="late", occurred_at="2025-12-01T00:00:00Z")
    + line(event_id="twin", phase_id="twins")
    + line(event_id=None, phase_id="told", occurred_at="2026-01-02T04:00:00Z", model="another")
    + line(event_id=None, phase_id="taken over", run_id="sprint")
    + line(event_id=None, phase_id="known", run_id=None, occurred_at="2026-01-02T03:04:00Z")
    + b"{not json\n",
    "z.ndjson": line(event_id="clash", phase_id="clashing", actual_output_tokens=1)
    + line(event_id="again", phase_id="retried", attempt=2, occurred_at="2026-01-02T03:05:05Z")
    + line(event_id="e-3", phase_id="elsewhere", actual_output_tokens=3)
    + line(event_id="lonely", run_id="lonely", phase_id="a", actual_output_tokens=3)
    + line(event_id="new", deliverables=["src/new.py", "src/file_1.py"]),
    "n.ndjson": line(event_id="whole") + line(event_id="tail") + line(event_id="after"),
    "z-cut.ndjson": cut_off("found", "run-1", "found later")
    + cut_off("two", "run-2", "moved")
    + cut_off("undone", "unknown", "told twice", actual_output_tokens=4000),
}


def write(project: Project, contents: dict[str, bytes]) -> None:
    """Write the files, over what was there."""
    for name, content in contents.items():
        project.telemetry(name).write_bytes(content)


def differences(found: Project, expected: Project) -> dict[str, object]:
    """Rows that one database has and the other has not, by table."""
    different: dict[str, object] = {}
    with duckdb.connect() as connection:
        for name, project in (("found", found), ("expected", expected)):
            connection.execute(f"attach '{project.database}' as {name} (read_only)")
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where database_name = 'expected' and schema_name <> 'seeds' order by 1"
        ).fetchall()
        for (table,) in tables:
            # a sum of doubles depends on the order of its rows in the last digit
            columns = ", ".join(
                f"round({column}, 9)" if kind == "DOUBLE" else column
                for (column, kind, *_) in connection.execute(
                    f"describe expected.{table}"
                ).fetchall()
                if column not in OF_THE_LANDING
            )
            query = "select {0} from {1}.{3} except all select {0} from {2}.{3}"
            more, less = (
                connection.execute(query.format(columns, *pair, table)).fetchall()
                for pair in (("found", "expected"), ("expected", "found"))
            )
            if less or more:
                different[table] = (more, less)
    return different


@pytest.fixture(scope="module")
def stepwise(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Built on the first files, then on the later ones."""
    project = Project(tmp_path_factory.mktemp("stepwise"))
    write(project, FIRST)
    project.build()
    write(project, LATER)
    project.build()
    return project


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Built on all of them in one build."""
    project = Project(tmp_path_factory.mktemp("once"))
    write(project, FIRST | LATER)
    project.build()
    return project


def test_two_builds_give_the_rows_of_one(stepwise: Project, at_once: Project) -> None:
    """Late, repeated, conflicting, retried and completed lines included."""
    assert at_once.rows("select count(*) from marts.calls") == [(67,)]
    assert differences(stepwise, at_once) == {}


def test_a_call_under_its_run_and_under_none_counts_once(stepwise: Project) -> None:
    """Under its run, whichever was told first."""
    assert stepwise.rows(
        "select phase_id, run_id from marts.calls where not is_repeated"
        " and phase_id in ('taken over', 'known') order by all"
    ) == [("known", "known"), ("taken over", "sprint")]


def test_calls_of_no_known_run_move_to_the_last_run_of_their_phase(stepwise: Project) -> None:
    """What a build with new lines has to take from one phase and give to another."""
    assert stepwise.rows(
        "select phase_id, run_id, n_events from marts.truncated_phases"
        " where phase_id in ('found later', 'moved', 'told twice') order by all"
    ) == [
        ("found later", "run-1", 2),
        ("moved", "run-1", 1),
        ("moved", "run-2", 2),
        ("told twice", "run-1", 2),
    ]


def test_the_later_build_left_the_other_rows_alone(stepwise: Project) -> None:
    """A negative control: a full refresh would number every row with the last landings."""
    assert stepwise.rows(
        "select landing_no > 2, count(*) from marts.calls group by all order by all"
    ) == [(False, 53), (True, 14)]


def test_a_changed_rule_builds_all_rows_anew(
    stepwise: Project, at_once: Project, tmp_path: Path
) -> None:
    """Rows of earlier landings follow a var as those of the last one do."""
    changed = Project(tmp_path)
    write(changed, FIRST | LATER)
    changed.build(stub_max_tokens=5000)
    copy = Project(tmp_path / "copy")
    write(copy, FIRST | LATER)
    copy.database.write_bytes(stepwise.database.read_bytes())
    copy.build(stub_max_tokens=5000)
    assert differences(copy, changed) == {}
    assert "marts.calls" in differences(copy, at_once)


def test_an_event_that_moves_to_another_phase_counts_once(tmp_path: Path) -> None:
    """Sources that number their calls name the phase of one anew when an earlier one lands."""
    usage = {"usage": {"completion_tokens": 9}, "choices": [{"finish_reason": "length"}]}
    results = [
        {"id": key, "custom_id": "same", "response": {"status_code": 200, "body": body | usage},
         "error": None}
        for key, body in (("b-1", {"created": 1780272000}), ("b-2", {"created": 1780272001}))
    ]  # fmt: skip
    payloads = [
        {
            "id": key, "trace_id": "t", "call_type": "completion", "status": "success",
            "completion_tokens": 9, "endTime": time, "model_parameters": {"max_tokens": 9},
            "response": {"choices": [{"finish_reason": word}]},
        }
        for key, time, word in (("l-2", 1780272002.5, "length"), ("l-1", 1780272001.5, "stop"))
    ]  # fmt: skip
    first, later = (
        {f"{source}-{step}.ndjson": json.dumps(records[step]).encode() + b"\n"
         for source, records in (("batch", results), ("litellm", payloads))}
        for step in range(2)
    )  # fmt: skip
    stepwise, at_once = Project(tmp_path / "stepwise"), Project(tmp_path / "once")
    for project in (stepwise, at_once):
        project.folder.mkdir()
    for contents in (first, later):
        write(stepwise, contents)
        stepwise.build()
    write(at_once, first | later)
    at_once.build()
    assert differences(stepwise, at_once) == {}
    assert len(stepwise.rows("select distinct phase_id from marts.calls")) == 4
