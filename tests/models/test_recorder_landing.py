"""What the recorder acknowledges, landing accepts: the two agree on the record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from recorded import EVENT, REQUIRED
from tokenest_py.runtime.recorder import Recorder

if TYPE_CHECKING:
    from dbt_project import Project

pytestmark = pytest.mark.slow

LARGEST = 2**53 - 1


def test_acknowledged_events_are_accepted(project: Project) -> None:
    """Every field, the least a record may have, the extremes, and texts that were hostile."""
    recorder = Recorder(project.telemetry().parent, enabled=True, max_bytes=2000)
    assert recorder.record(**EVENT)
    assert recorder.record(**REQUIRED)
    assert recorder.record(**REQUIRED | {"actual_output_tokens": LARGEST}, attempt=0)
    assert recorder.record(**REQUIRED, occurred_at="2000-01-01 00:00:00")
    assert recorder.record(**REQUIRED, occurred_at=datetime.now(UTC) + timedelta(hours=20))
    assert not recorder.record(**REQUIRED, occurred_at="2099-12-31T23:59:59.999999999Z")
    hostile = "\ud800\x00\n\x1b[31m'\"\\\u2028😀"
    assert recorder.record(
        **REQUIRED | {"run_id": hostile}, category=hostile, deliverables=[hostile] * 30
    )
    for number in range(20):
        assert recorder.record(**REQUIRED, attempt=number, deliverables=[])
    status = recorder.status()
    assert (status.attempts, status.written) == (27, 26)

    project.land()
    landed = project.rows("select count(*), sum(lines), sum(accepted) from marts.files")
    files = len(list(project.telemetry().parent.iterdir()))
    assert landed == [(files, 26, 26)]
    assert files > 3
