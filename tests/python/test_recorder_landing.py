"""What the recorder acknowledges, landing accepts: the two agree on the record."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
from recorded import EVENT, REQUIRED

from tokenest_py.recorder import Recorder

PROJECT = Path(__file__).parents[2]
LARGEST = 2**53 - 1


def test_acknowledged_events_are_accepted(tmp_path: Path) -> None:
    """Every field, the least a record may have, the extremes, and texts that were hostile."""
    recorder = Recorder(tmp_path / "telemetry", enabled=True, max_bytes=2000)
    assert recorder.record(**EVENT)
    assert recorder.record(**REQUIRED)
    assert recorder.record(**REQUIRED | {"actual_output_tokens": LARGEST}, attempt=0)
    assert recorder.record(**REQUIRED, occurred_at="2000-01-01 00:00:00")
    assert recorder.record(**REQUIRED, occurred_at="2099-12-31T23:59:59.999999999Z")
    hostile = "\ud800\x00\n\x1b[31m'\"\\\u2028😀"
    assert recorder.record(
        **REQUIRED | {"run_id": hostile}, category=hostile, deliverables=[hostile] * 30
    )
    for number in range(20):
        assert recorder.record(**REQUIRED, attempt=number, deliverables=[])
    status = recorder.status()
    assert status.attempts == status.written == 26

    environment = {name: value for name, value in os.environ.items() if "TOKENEST" not in name}
    environment |= {
        "TOKENEST_TELEMETRY": str(tmp_path / "telemetry" / "**" / "*.ndjson"),
        "TOKENEST_DB": str(tmp_path / "tokenest.duckdb"),
        "TOKENEST_EXPORTS": str(tmp_path / "exports"),
    }
    build = subprocess.run(
        [
            Path(sys.executable).with_name("dbt"),
            "build",
            *("--select", "+line_accounting", "--indirect-selection", "buildable"),
            *("--target-path", tmp_path / "target", "--log-path", tmp_path / "logs"),
        ],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    with duckdb.connect(str(tmp_path / "tokenest.duckdb"), read_only=True) as connection:
        landed = connection.sql(
            "select count(*), sum(lines), sum(accepted) from marts.line_accounting"
        ).fetchall()
    files = len(list((tmp_path / "telemetry").iterdir()))
    assert landed == [(files, 26, 26)]
    assert files > 3
