"""What an application hands to worker processes by pickle, and gets back from them."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import pytest

import vintages
from recorded import REQUIRED, events
from tokenest_py import CoefficientsError, Estimator, Recorder, UsageError
from tokenest_py.errors import CollectionError, LeaseLostError, TokenestError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_spawned_worker_has_the_table_a_file_and_the_errors(tmp_path: Path) -> None:
    """It sizes by the same file, writes a file of its own, and its error comes back as it is."""
    table = vintages.write(tmp_path, vintages.phase_2)
    estimator = Estimator.load(table, strict=True, limits={"mine": (3000, None)}, workspace=".")
    recorder = Recorder(tmp_path / "telemetry", enabled=True, paths="hash")
    assert recorder.record(**REQUIRED, deliverables=["src/a.py"])
    estimate = estimator.estimate(["src/a.py"])
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as workers:
        sized = workers.submit(estimator.budget, estimate, model="mine").result(60)
        wrong = workers.submit(estimator.budget, estimate, max_truncation=0).exception(60)
        written = workers.submit(recorder.record, **REQUIRED, deliverables=["src/a.py"]).result(60)
    assert sized == estimator.budget(estimate, model="mine")
    assert sized.max_tokens == 3000
    assert type(wrong) is UsageError
    assert str(wrong) == "max_truncation=0 will not do; use a rate between 0 and 1"
    assert written
    assert recorder.status().written == 1
    assert len(list((tmp_path / "telemetry").iterdir())) == 2
    codes = {event["deliverables"][0] for event in events(tmp_path / "telemetry")}
    assert len(codes) == 1  # by one key


@pytest.mark.parametrize(
    "error",
    [
        UsageError("rate", 0, "a rate between 0 and 1"),
        CoefficientsError("table.ndjson", "cut or edited", 7),
        CollectionError("runs/first", "is damaged", 2),
        LeaseLostError("runs/first", "is gone"),
        TokenestError("anything else"),
    ],
)
def test_an_error_is_copied_whole(error: TokenestError) -> None:
    """A pool whose worker raised an error that cannot be read again waited for ever."""
    error.add_note("in the second worker")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert other.__notes__ == error.__notes__


def test_what_was_seen_stays(tmp_path: Path) -> None:
    """A copy looks at the file anew, says what is wrong with it, and raises where it is strict."""
    table = tmp_path / "coefficients.ndjson"
    table.write_text("no table\n")
    assert copy.deepcopy(Estimator.load(table)).status().fault.startswith(f"{table}:1: ")
    vintages.write(tmp_path, vintages.phase_2)
    strict = pickle.dumps(Estimator.load(table, strict=True))
    table.unlink()
    with pytest.raises(CoefficientsError, match="cannot be opened"):
        pickle.loads(strict)
    off = pickle.loads(pickle.dumps(Recorder(tmp_path, enabled=False)))
    assert not off.enabled
