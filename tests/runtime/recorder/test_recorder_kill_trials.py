"""500 kills of writing processes, and what the trial itself can see."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recorded import lines

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.slow

COMMAND = Path(__file__).parents[3] / "benchmarks" / "recorder_kill_trials.py"


@pytest.fixture(scope="module")
def trials() -> ModuleType:
    """The command as a module."""
    spec = importlib.util.spec_from_file_location("recorder_kill_trials", COMMAND)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclass looks up its annotations
    spec.loader.exec_module(module)
    return module


def test_no_acknowledged_event_is_lost(tmp_path: Path) -> None:
    """500 kills lose nothing of the recorder's, and something of a buffered writer's."""
    done = subprocess.run(
        [sys.executable, str(COMMAND), "--kills", "500", "--directory", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    rows = [line.split() for line in done.stdout.splitlines()[1:-1]]
    kills, acknowledged, lost, _, torn_within = zip(
        *([int(cell.replace(",", "")) for cell in row[2:7]] for row in rows), strict=True
    )
    assert [row[0] for row in rows] == ["recorder", "recorder", "buffered", "buffered"]
    assert kills == (250, 250, 10, 10)
    assert min(acknowledged) > 1000
    assert lost[:2] == torn_within[:2] == (0, 0)
    assert sum(lost[2:]) > 0


@pytest.mark.parametrize("size", [700, 3000])
def test_lines_are_as_long_as_the_trial_says(size: int, trials: ModuleType, tmp_path: Path) -> None:
    """Within a tenth."""
    assert trials.recorder(tmp_path / "recorder", size)(12345)
    assert len(lines(tmp_path / "recorder")[0]) == pytest.approx(size, rel=0.1)


def test_the_trial_sees_what_is_wrong(trials: ModuleType, tmp_path: Path) -> None:
    """A lost event, one that is there twice, a line torn within and a torn tail, each once."""
    events = [json.dumps({"attempt": number}) for number in (1, 2, 2, 4)]
    (tmp_path / "events.ndjson").write_text("\n".join([*events[:2], '{"att', *events[2:], "{"]))
    tally = trials.Tally()
    trials.examine(tmp_path, 4, tally)
    assert (tally.lost, tally.repeated, tally.torn_within, tally.torn_tails) == (1, 1, 1, 1)
    assert not tally.holds()
