"""`tokenest export`: bytes that others read, and events that land again as the same ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dbt_project import Project
from serving import serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

VIEWS = ["cmd_export_events", "cmd_export_ceilings"]
EVENTS = [
    {
        "event_id": "e-1", "occurred_at": "2026-06-01T10:00:00.250000Z", "run_id": "r",
        "phase_id": "p-1", "attempt": 1, "category": "Chat", "complexity": "low",
        "labels": {"project": "web", "tenant": "t"}, "deliverables": ["a.py", "b é.py"],
        "deliverable_count": 2, "breakdown": ["backend_new:1"], "provider": "openai",
        "model": "gpt-x", "model_served": "gpt-x-1", "response_id": "r-1", "input_tokens": 9,
        "coefficients_id": "c", "estimator_version": "1", "predicted_output_tokens": 1200,
        "selected_budget": 4096, "budget_source": "quantile cell", "max_truncation": 0.02,
        "actual_max_tokens": 4096, "actual_output_tokens": 800, "reasoning_tokens": 100,
        "stop_reason": "end-turn", "truncated": False, "success": True, "is_control": True,
        "quality_flags": ["estimated_usage"],
    },
    {
        "event_id": "e-2", "occurred_at": "2026-06-02T10:00:00.000000Z", "run_id": "r",
        "phase_id": "p-2", "category": "extract", "model": "gpt-x", "actual_output_tokens": 40,
    },
]  # fmt: skip


def write(path: Path, *records: object) -> Path:
    """One JSON object a line."""
    text = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
    path.write_text(text, encoding="utf-8")
    return path


def calls(route: str, model: str, outputs: list[int]) -> list[dict[str, Any]]:
    """Calls of a route that ended by themselves."""
    return [
        {
            "event_id": f"{route}-{n}", "occurred_at": f"2026-07-01T00:{n // 60:02d}:{n % 60:02d}Z",
            "category": route, "provider": "openai", "model": model, "actual_max_tokens": 4000,
            "actual_output_tokens": output, "stop_reason": "stop", "success": True,
        }
        for n, output in enumerate(outputs)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Events with every field and with few, and enough calls of two routes for ceilings."""
    project = Project(tmp_path_factory.mktemp("exported"))
    write(project.telemetry("events.ndjson"), *EVENTS)
    short, long = [100 + n % 40 for n in range(120)], [900 + n for n in range(120)]
    write(
        project.telemetry("calls.ndjson"),
        *calls("short", "gpt-y", short),
        *calls("long", "gpt-y", long),
    )
    project.build(*VIEWS, tests=False)
    return project


def exported(project: Project, *arguments: str) -> str:
    """What the command prints."""
    done = project.tokenest("export", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_record_is_written_byte_for_byte(built: Project) -> None:
    """As the recorder writes it: all fields in their order, ASCII, nothing that is absent."""
    lines = exported(built, "events", "--until", "2026-06-30").splitlines()
    assert lines == [json.dumps(event, separators=(",", ":")) for event in EVENTS]


def test_filters_hold_together(built: Project) -> None:
    """Labels by their canonical words, further labels, and times."""
    assert '"e-1"' in exported(
        built, "events", "--label", "category=chat", "--label", "project=web"
    )
    assert '"e-1"' in exported(
        built, "events", "--label", "category=CHAT", "--label", "project= Web"
    )
    assert exported(built, "events", "--label", "category=short").count("\n") == 120
    some = exported(built, "events", "--since", "2026-06-02", "--until", "2026-06-03")
    assert [json.loads(line)["event_id"] for line in some.splitlines()] == ["e-2"]
    done = built.tokenest("export", "events", "--label", "project=none")
    assert (done.returncode, done.stdout) == (4, "")
    assert built.tokenest("export", "events", "--label", "project").returncode == 2


def test_an_offset_means_the_same_on_every_machine(
    built: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """12:00+02:00 is 10:00 UTC, whatever the time zone of the machine is."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    since, until = "2026-06-01T12:00:00+02:00", "2026-06-02T12:00:00+02:00"
    assert '"e-1"' in exported(built, "events", "--since", since, "--until", until)
    assert '"e-2"' in exported(built, "events", "--since", until, "--until", "2026-06-03")


def test_events_land_again_as_the_same(built: Project, tmp_path: Path) -> None:
    """A database of the exported file has the same events, and exports the same bytes."""
    again = Project(tmp_path)
    done = built.tokenest("export", "events", "--output", "all.ndjson")
    assert done.returncode == 0, done.stderr
    again.telemetry().write_bytes((built.folder / "all.ndjson").read_bytes())
    again.build("int_events", tests=False)
    columns = "* exclude (source_file, line_no, landing_no)"
    query = f"select {columns} from events.int_events order by event_id"
    assert again.rows(query) == built.rows(query)


def test_the_form_of_the_origin(built: Project) -> None:
    """Its fields in its order, only events with a prediction, and its own figures."""
    [line] = exported(built, "events", "--for", "origin").splitlines()
    assert line == (
        '{"run_id": "r", "phase_id": "p-1", "timestamp": "2026-06-01T10:00:00.250000",'
        ' "category": "Chat", "complexity": "low", "deliverable_count": 2,'
        ' "deliverables": ["a.py", "b \\u00e9.py"], "predicted_output_tokens": 1200,'
        ' "actual_output_tokens": 800, "selected_budget": 4096, "success": true,'
        ' "truncated": false, "stop_reason": "end-turn", "model": "gpt-x",'
        ' "smape_percent": 40.0, "waste_ratio": 1.5, "underestimated": false}'
    )


def test_the_origins_own_export_comes_out_as_it_came_in(tmp_path: Path, real_data: Path) -> None:
    """Byte for byte."""
    project = Project(tmp_path)
    text = (real_data / "autopack" / "build132_telemetry_export.ndjson").read_bytes()
    project.telemetry().write_bytes(text)
    project.build("cmd_export_events", tests=False)
    assert exported(project, "events", "--for", "origin").encode() == text


def test_ceilings_in_each_form(built: Project) -> None:
    """Tokens by group, arguments of a request, and the list of models of a proxy."""
    groups = json.loads(exported(built, "ceilings"))
    assert groups.keys() >= {"all", "short", "long"}
    assert 139 <= groups["short"] < groups["long"]
    assert groups["long"] >= 1017
    arguments = json.loads(exported(built, "ceilings", "--for", "openai"))
    assert arguments["long"] == {"max_completion_tokens": groups["long"]}
    proxy = yaml.safe_load(exported(built, "ceilings", "--for", "litellm"))
    models = {entry["model_name"]: entry["litellm_params"] for entry in proxy["model_list"]}
    # one ceiling for both routes that the model serves: the larger
    assert models["gpt-y"]["model"] == "openai/gpt-y"
    assert models["gpt-y"]["max_tokens"] == max(
        tokens
        for (tokens,) in built.rows(
            "select max_tokens from marts.max_tokens where model = 'gpt-y'"
            " and is_seen and source = 'quantile cell' and max_truncation = 0.02"
        )
    )


def test_a_rate_that_was_not_built_is_said(built: Project) -> None:
    """The nearest one stands in for it."""
    done = built.tokenest("export", "ceilings", "--max-truncation", "0.3")
    assert done.returncode == 0
    assert "the build has no ceilings for 0.3; these are for 0.1" in done.stderr


def test_the_service_gives_the_same_ceilings(built: Project) -> None:
    """`GET /v1/ceilings` in every form, and the rows of the database in its identity."""
    with serving(built.folder) as service:
        for form in ("json", "openai", "litellm"):
            answer = service.ask("GET", f"/v1/ceilings?for={form}&max_truncation=0.03")
            assert answer.status == 200
            assert answer.body.decode() == exported(built, "ceilings", "--for", form)
            assert answer.headers["tokenest-max-truncation"] == "0.02"
        database = service.ask("GET", "/health").json["database"]
        [(events,)] = built.rows("select count(*) from staging.stg_tokenest__events")
        assert database["rows"]["staging.stg_tokenest__events"] == events
        assert database["size"] == built.database.stat().st_size
        assert "fault" not in database
