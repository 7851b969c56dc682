"""A program's own words for a call: each one that recognises a log leads to what it says."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dbt_project import ROOT, Project
from tokenest_py.pipeline.importing.mapped import of_one, read_sources
from tokenest_py.pipeline.importing.mapped import sources as project_sources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SECRET = "canary-5f2a"
META: dict[str, Any] = yaml.safe_load(
    (ROOT / "models/staging/answers/_answers__models.yml").read_text(encoding="utf-8")
)["models"][0]["config"]["meta"]
ENVELOPES = META["envelopes"]
BESIDE, COUNTS = next(way["one_of"] for way in META["recognised_by"] if "one_of" in way)
MODELS = {
    "model", "model_name", "modelName", "model_id", "modelId", "llm_model",
    '"gen_ai.request.model"',
}  # fmt: skip
STOPS = {"finish_reason", "stop_reason", "finishReason", "stopReason"}
# what tells that an answer is one, without a count
UNCOUNTED = {"choices", "candidates", "inputTextTokenCount"}
TIME = "2026-06-01T08:00:00Z"
Meant = tuple[object, object, object]  # model, stop word, ceiling


def at(path: str, value: object) -> dict[str, Any]:
    """An object with a value at a path."""
    for name in [path.strip('"')] if '"' in path else reversed(path.split(".")):
        value = {name: value}
    assert isinstance(value, dict)
    return value


def logs() -> Iterator[tuple[str, dict[str, Any], Meant]]:
    """Yield the name of a log, its only record, and what that means beside a count of 12."""
    for word in BESIDE:
        model = "gpt-6" if word in MODELS else None
        stop = "length" if word in STOPS else None
        ceiling = None if model or stop else 77
        record = {"completion_tokens": 12} | at(word, model or stop or ceiling)
        yield f"beside {word}", record, (model, stop, ceiling)
    for path in COUNTS:
        yield f"count {path}", {"model": "gpt-6"} | at(path, 12), ("gpt-6", None, None)
    answer = {"usage": {"completion_tokens": 12}, "choices": [{"finish_reason": "length"}]}
    for name in ENVELOPES["response"]["names"]:
        yield f"answer in {name}", {name: answer}, (None, "length", None)
        yield f"text alone in {name}", {name: json.dumps(answer)}, (None, "length", None)
        request = at("request", {"max_tokens": 77, "messages": [SECRET]})
        text = {name: json.dumps(answer), "model": "gpt-6", "completion_tokens": 12}
        yield f"text in {name}", request | text, ("gpt-6", "length", 77)
    for path in ENVELOPES["response"]["holds"]:
        if path not in UNCOUNTED:
            yield f"{path} in response", {"response": at(path, 12)}, (None, None, None)
    for name in ENVELOPES["request"]["names"]:
        record = {name: {"model": "gpt-6", "max_tokens": 77, "prompt": SECRET}, "response": answer}
        yield f"request in {name}", record, ("gpt-6", "length", 77)
    for path in ENVELOPES["request"]["holds"][1:]:
        record = {"request": at(path, 77), "response": answer}
        yield f"{path} in request", record, (None, "length", 77)


def test_the_page_has_each_word() -> None:
    """Of those that recognise a log; one of those within the usage stands by its last part."""
    page = (ROOT / "docs/sources/answers.md").read_text(encoding="utf-8")
    names = [name for rule in ENVELOPES.values() for name in rule["names"]]
    within = re.compile(r"^(usage|token_usage)[.](?=.*[Tt]oken)")
    words = [within.sub("", word.strip('"')) for word in (*BESIDE, *COUNTS, *names)]
    assert [word for word in words if f"`{word}`" not in page] == []


def test_each_word_is_read(tmp_path: Path) -> None:
    """As the only record of a file of its own, which tells of its source."""
    project = Project(tmp_path)
    meant = {}
    for name, record, call in logs():
        path = project.telemetry(f"{name}.ndjson")
        path.write_text(json.dumps({"timestamp": TIME} | record) + "\n", encoding="utf-8")
        meant[name] = ("answers", 12, *call)
    project.build("int_events", telemetry="telemetry/*", tests=False)
    found = project.rows(
        "select source_file, source_name, actual_output_tokens, model, stop_reason,"
        " actual_max_tokens from events.int_events"
    )
    assert {path.rpartition("/")[2][:-7]: tuple(call) for path, *call in found} == meant


def test_a_log_of_a_tool_is_of_that_tool(tmp_path: Path) -> None:
    """Also where its records have the words of anybody, in older members or in an answer."""
    project = Project(tmp_path)
    answer = {"usage": {"completion_tokens": 12}, "choices": [{"finish_reason": "stop"}]}
    observation = {
        "id": "o-1", "traceId": "t-1", "type": "GENERATION", "startTime": TIME, "endTime": TIME,
        "model": "gpt-6", "usage": {"input": 9, "output": 12}, "usageDetails": {"output": 12},
        "completionTokens": 12, "output": answer,
    }  # fmt: skip
    project.telemetry().write_text(json.dumps(observation) + "\n", encoding="utf-8")
    project.build("int_events", tests=False)
    assert project.rows("select source_name from events.int_events") == [("langfuse",)]
    sources = read_sources(ROOT, project_sources(ROOT))
    found = of_one([source for source in sources if source.recognises(observation)])
    assert found is not None
    assert found.name == "langfuse"


def test_the_first_word_for_a_time_that_has_one_counts(tmp_path: Path) -> None:
    """Each word of the page, beside another that says how long the call took."""
    page = (ROOT / "docs/sources/answers.md").read_text(encoding="utf-8")
    words = re.findall(r"`([^`]+)`", re.search(r"\| time \|(.*):", page)[1])  # type: ignore[index]
    assert len(words) > 10
    project = Project(tmp_path)
    with project.telemetry().open("w", encoding="utf-8") as file:
        for number, word in enumerate(words, start=1):
            record = {"model": "gpt-6", "completion_tokens": number, word: TIME}
            file.write(json.dumps({"time": 0.25, "ts": 3} | record) + "\n")
    project.build("int_events", tests=False)
    times = project.rows("select distinct cast(occurred_at as varchar) from events.int_events")
    assert times == [("2026-06-01 08:00:00",)]


@pytest.mark.parametrize("name", ENVELOPES["response"]["names"])
def test_what_a_program_made_of_an_answer_is_not_read(tmp_path: Path, name: str) -> None:
    """Its own object under the name of an envelope: neither its words nor its errors."""
    made = {"status": SECRET, "id": SECRET, "error": SECRET, "model": SECRET, "task": SECRET}
    own = {"timestamp": TIME, "model": "gpt-6", "completion_tokens": 12, "finish_reason": "stop"}
    project = Project(tmp_path)
    with project.telemetry().open("w", encoding="utf-8") as file:
        for value in (made, json.dumps(made), [made], json.dumps(made)[:-1]):
            file.write(json.dumps(own | {name: value}) + "\n")
    project.build("int_events", tests=False)
    calls = project.rows(
        "select model, model_served, category, response_id, stop_reason from events.int_events"
    )
    assert calls == 4 * [("gpt-6", None, None, None, "stop")]
    assert SECRET.encode() not in project.database.read_bytes()


TIMES = {
    1780300800: "2026-06-01 08:00:00",
    1780300800.25: "2026-06-01 08:00:00.25",
    1780300800250: "2026-06-01 08:00:00.25",
    1780300800250000: "2026-06-01 08:00:00.25",
    1780300800250000000: "2026-06-01 08:00:00.25",
    "1780300800": "2026-06-01 08:00:00",
    "2026-06-01T08:00:00.25Z": "2026-06-01 08:00:00.25",
    "2026-06-01 10:00:00+02:00": "2026-06-01 08:00:00",
    "2026-06-01T10:00:00+0200": "2026-06-01 08:00:00",
    "2026-06-01 10:00:00.25+02": "2026-06-01 08:00:00.25",
    "2026-06-01 08:00:00,250": "2026-06-01 08:00:00.25",
    "2026-06-01 08:00:00.25 UTC": "2026-06-01 08:00:00.25",
    "2026-06-01 08:00:00 +0000 UTC": "2026-06-01 08:00:00",
    "2026-06-01": "2026-06-01 00:00:00",
    # how long a call took is no time, nor is an object: the file's own time counts
    0.53: None,
    True: None,
    "yesterday": "not_a_time",
}


def test_times_as_programs_write_them(tmp_path: Path) -> None:
    """Seconds and their parts, and the texts of loggers."""
    project = Project(tmp_path)
    with project.telemetry().open("w", encoding="utf-8") as file:
        for number, time in enumerate(TIMES, start=1):
            record = {"time": time, "model": "gpt-6", "completion_tokens": number}
            file.write(json.dumps(record) + "\n")
    project.build("int_events", tests=False)
    found = dict(
        project.rows(
            "select line_no, coalesce(reject_reason, cast(occurred_at as varchar))"
            " from staging.base_answers__lines"
        )
    )
    today = datetime.now(tz=UTC).date().isoformat()
    for number, (time, meant) in enumerate(TIMES.items(), start=1):
        assert found[number].startswith(today) if meant is None else found[number] == meant, time


VALUES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "a row's number is no id": ({"id": 17}, {"response_id": None}),
    "nor is it as a text": ({"id": "17"}, {"response_id": None}),
    "an id is one": ({"id": "resp-17"}, {"response_id": "resp-17"}),
    "another number names a session": ({"session_id": 17}, {"run_id": "17"}),
    "a status of HTTP": ({"status": 200}, {"stop_reason": None}),
    "a word for success": ({"status": "ok"}, {"stop_reason": None}),
    "a job's end is no answer's": ({"status": "completed"}, {"stop_reason": None}),
    "a response's own": (
        {"object": "response", "status": "completed"},
        {"stop_reason": "completed"},
    ),
    "counts as texts": ({"prompt_tokens": "9"}, {"input_tokens": 9}),
    "counts of a data frame": ({"completion_tokens": 12.0}, {"actual_output_tokens": 12}),
    "no count": ({"prompt_tokens": "n/a"}, {"input_tokens": None}),
    "a flag for a word": ({"task": True, "provider": {"name": "x"}}, {"category": None}),
    "an error that is none": ({"error": "None", "success": "true"}, {"actual_output_tokens": 12}),
    "no error": ({"error": False, "success": True}, {"actual_output_tokens": 12}),
}


@pytest.mark.parametrize("case", VALUES)
def test_a_member_that_means_something_else_costs_itself_alone(tmp_path: Path, case: str) -> None:
    """The call counts, without it."""
    members, meant = VALUES[case]
    own = {"timestamp": TIME, "model": "gpt-6", "completion_tokens": 12, "max_tokens": 77}
    project = Project(tmp_path)
    project.telemetry().write_text(json.dumps(own | members) + "\n", encoding="utf-8")
    project.build("int_events", tests=False)
    [row] = project.rows(f"select {', '.join(meant)} from events.int_events")
    assert row == tuple(meant.values())
