"""`POST /v1/events`: an answer for each record, kept through kills, landed once."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import random
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from dbt_project import Project
from recorded import EVENT
from serving import NDJSON, Service, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

TIME = "2026-05-01T10:00:00Z"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service with a folder of its own."""
    with serving(tmp_path) as running:
        yield running


def test_a_record_is_written_as_the_recorder_writes_it(service: Service) -> None:
    """Every field of the event record, unchanged."""
    answer = service.ask("POST", "/v1/events", EVENT)
    assert answer.json == {
        "accepted": 1,
        "rejected": 0,
        "records": [{"line": 1, "accepted": True, "event_id": "event-1"}],
    }
    assert service.lines() == [EVENT]


def test_what_is_missing_is_filled_in(service: Service) -> None:
    """A time, an identity, and what landing would say of run and phase."""
    answer = service.ask("POST", "/v1/events", {"actual_output_tokens": 5})
    [line] = service.lines()
    assert line["event_id"] == line["phase_id"] == answer.json["records"][0]["event_id"]
    assert line["run_id"] == "unknown"
    assert line["occurred_at"].endswith("Z")
    old = {"timestamp": TIME, "event_id": "e", "actual_output_tokens": 5, "record_type": "event"}
    assert service.ask("POST", "/v1/events", old).status == 200
    assert service.lines()[-1]["occurred_at"] == "2026-05-01T10:00:00.000000Z"


def test_a_record_that_got_lost_on_its_way(service: Service) -> None:
    """An empty body is no record; NDJSON may have none."""
    answer = service.ask("POST", "/v1/events", b"")
    assert (answer.status, answer.json["records"][0]["reason"]) == (400, "not_json")
    assert service.ask("POST", "/v1/events", b"\n", NDJSON).status == 200


@pytest.mark.parametrize("name", ["GZIP", "x-gzip"])
def test_each_spelling_of_gzip(service: Service, name: str) -> None:
    """HTTP knows two, and capitals."""
    packed = gzip.compress(b'{"actual_output_tokens": 5}')
    answer = service.ask("POST", "/v1/events", packed, {"content-encoding": name})
    assert (answer.status, answer.json.get("accepted")) == (200, 1)


def test_each_record_has_its_own_answer(service: Service) -> None:
    """One that is refused costs no other; unknown members are left out and counted."""
    good = {"event_id": "e", "occurred_at": TIME, "actual_output_tokens": 5}
    lines = [
        good | {"prompt": "canary-5e2a", "labels": {"project": "web"}},
        b"\xff",
        b"",
        b"not json",
        [1],
        {"actual_output_tokens": "5"},
        {},
        {"event_id": "e2", "actual_output_tokens": 5},
        {"event_id": 7, "actual_output_tokens": 5},
        {"actual_output_tokens": 5, "category": "a prompt " * 30},
        {"record_type": "attempt", "actual_output_tokens": 5},
        b'{"actual_output_tokens":5,"actual_output_tokens":6}',
        {"actual_output_tokens": 5, "run_id": []},
        good | {"event_id": "e3"},
    ]
    body = b"\n".join(
        line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines
    )
    answer = service.ask("POST", "/v1/events", body, NDJSON)
    assert answer.status == 200
    assert [
        record.get("reason", record.get("unknown_fields")) for record in answer.json["records"]
    ] == [
        1, "not_utf8", "not_json", "not_an_object", "invalid_actual_output_tokens",
        "missing_actual_output_tokens", "missing_occurred_at", "invalid_event_id",
        "invalid_category", "invalid_record_type", "duplicate_key", "invalid_run_id", None,
    ]  # fmt: skip
    assert [record["line"] for record in answer.json["records"]] == [1, 2, *range(4, 15)]
    assert [line["event_id"] for line in service.lines()] == ["e", "e3"]
    assert "canary-5e2a" not in json.dumps(service.lines())


def test_what_the_estimator_cannot_read_is_recorded_all_the_same(service: Service) -> None:
    """Names that are numbers are texts of a record, and nothing that a budget can be asked for."""
    for fields in (
        {"category": 7}, {"model": 7, "complexity": 8}, {"labels": {"project": 7}},
        {"input_tokens": 900.0}, {"deliverables": [[["a.py"]], {"path": 7}]},
        {"actual_max_tokens": 900.0, "attempt": 2.0, "stop_reason": 5},
    ):  # fmt: skip
        answer = service.ask("POST", "/v1/events", {"actual_output_tokens": 5} | fields)
        assert answer.status == 200, fields
    assert len(service.lines()) == 6
    assert "unexpected" not in service.log


def test_paths_are_kept_as_the_recorder_was_told(tmp_path: Path) -> None:
    """The recorder's settings hold for the service too."""
    with serving(tmp_path, TOKENEST_TELEMETRY_PATHS="basename") as service:
        record = {"actual_output_tokens": 5, "deliverables": ["src/secret/a.py"]}
        assert service.ask("POST", "/v1/events", record).status == 200
        [line] = service.lines()
        assert (line["deliverables"], line["deliverable_count"]) == (["a.py"], 1)


def post_until_it_dies(port: int, name: str, acknowledged: list[str]) -> None:
    """Post three events at a time; keep the ids of those that were answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        for number in range(100_000):
            body = "".join(
                f'{{"event_id":"{name}-{number}-{part}","occurred_at":"{TIME}",'
                '"actual_output_tokens":5}\n'
                for part in range(3)
            )
            connection.request("POST", "/v1/events", body, NDJSON)
            answer = json.loads(connection.getresponse().read())
            acknowledged.extend(item["event_id"] for item in answer["records"])


def test_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """Four clients post while the service is killed, five times; none of their events is lost."""
    acknowledged: list[str] = []
    chance = random.Random(22)
    for trial in range(5):
        with serving(tmp_path) as service:
            threads = [
                threading.Thread(
                    target=post_until_it_dies, args=(service.port, f"{trial}-{n}", acknowledged)
                )
                for n in range(4)
            ]
            for thread in threads:
                thread.start()
            time.sleep(chance.uniform(0.3, 1.2))
            service.process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join()
    kept = {line["event_id"] for line in service.lines()}
    assert len(acknowledged) > 500
    assert set(acknowledged) - kept == set()


def test_what_is_sent_twice_lands_once(tmp_path: Path) -> None:
    """A client that tries again sends the same bytes: accepted twice, one event."""
    project = Project(tmp_path)
    with serving(tmp_path) as service:
        body = b"".join(
            json.dumps(
                {"event_id": f"e{n}", "occurred_at": TIME, "actual_output_tokens": 5 + n}
            ).encode()
            + b"\n"
            for n in range(20)
        )
        for _ in range(2):
            assert service.ask("POST", "/v1/events", body, NDJSON).json["accepted"] == 20
        assert service.stop() == 0
    project.build("int_events", "files")
    assert project.rows("select count(*), count(distinct event_id) from events.int_events") == [
        (20, 20)
    ]
    assert project.rows("select lines, accepted, duplicate, quarantined from marts.files") == [
        (40, 20, 20, 0)
    ]
