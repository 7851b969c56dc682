"""Which source a table is of, and that each of its rows is written."""

from __future__ import annotations

import csv
import json
import os
from typing import TYPE_CHECKING

import pytest

from dbt_project import ROOT
from tokenest_py.pipeline.importing.importing import HEAD_ROWS, import_file
from tokenest_py.pipeline.importing.mapped import read_sources, sources
from tokenest_py.pipeline.importing.shipped import read_shippers

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "canary-4d7b"
SOURCES = read_sources(ROOT, sources(ROOT))
SHIPPERS = read_shippers(ROOT)
NAMES = ("timestamp", "request", "response")


def calls(n: int) -> list[tuple[str, str, str]]:
    """Rows of a table that keeps what was asked of an API, and what came back, as JSON."""
    request = {"model": "m", "max_tokens": 90, "messages": [{"content": SECRET}]}
    choices = [{"finish_reason": "stop", "message": {"content": SECRET}}]
    return [
        (
            "2026-06-01 08:00:00",
            json.dumps(request),
            json.dumps({"usage": {"completion_tokens": number}, "choices": choices}),
        )
        for number in range(n)
    ]


def written(path: Path, rows: list[tuple[str, str, str]], names: tuple[str, ...]) -> Path:
    """A CSV file of the rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def test_cells_that_hold_answers_tell_the_source(tmp_path: Path) -> None:
    """Its columns do not; the rows that were looked at are written like the others."""
    path = written(tmp_path / "calls.csv", calls(2 * HEAD_ROWS), NAMES)
    done = import_file(path, tmp_path / "telemetry", SOURCES, SHIPPERS, lambda: None)
    assert dict(done.lines) == {"answers": 2 * HEAD_ROWS}
    [target] = done.written
    texts = [json.loads(line)["response"] for line in target.read_text("utf-8").splitlines()]
    counts = [json.loads(text)["usage"]["completion_tokens"] for text in texts]
    assert counts == list(range(2 * HEAD_ROWS))
    assert SECRET not in target.read_text("utf-8")


def test_a_table_that_nobody_knows_is_left_out(tmp_path: Path) -> None:
    """Whether its cells are empty, or hold something else."""
    for name, rows in {"empty": [], "other": [("a", "{", '{"usage": {}}')]}.items():
        path = written(tmp_path / f"{name}.csv", rows, NAMES)
        done = import_file(path, tmp_path / "telemetry", SOURCES, SHIPPERS, lambda: None)
        assert dict(done.left_out) == {f"{name}.csv: no source knows its columns": 1}
        assert not done.written


def test_lines_are_as_old_as_the_file_that_they_are_of(tmp_path: Path) -> None:
    """A call without a time has that of its file, and not that of the import."""
    names = ("model", "completion_tokens", "finish_reason")
    path = written(tmp_path / "calls.csv", [("m", "12", "stop")], names)
    os.utime(path, (1780300800, 1780300800))
    done = import_file(path, tmp_path / "telemetry", SOURCES, SHIPPERS, lambda: None)
    [target] = done.written
    assert target.stat().st_mtime == 1780300800


@pytest.mark.parametrize(
    "names",
    [("timestamp", "message", "stream"), ("Date", "Message", "Host")],
    ids=["cloudwatch", "datadog"],
)
def test_a_table_of_a_log_shipper(tmp_path: Path, names: tuple[str, ...]) -> None:
    """As the console of CloudWatch or of Datadog writes it: a line a row, not all of them calls."""
    call = {"model": "m", "max_tokens": 90, "completion_tokens": 12, "prompt": SECRET}
    rows = [("1780300800000", json.dumps(call) + "\n", ""), ("1780300800000", "START", "")]
    path = written(tmp_path / "events.csv", rows, names)
    done = import_file(path, tmp_path / "telemetry", SOURCES, SHIPPERS, lambda: None)
    [target] = done.written
    first = json.loads(target.read_text("utf-8").splitlines()[0])
    assert first.items() >= {"@timestamp": "1780300800000", "completion_tokens": 12}.items()
    assert SECRET not in target.read_text("utf-8")
