"""Publishing a table: whole or not at all, with its history, and taken back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import vintages
from publishing_kill_trials import faults, is_careless_seen
from tokenest_py.errors import CoefficientsError, NoDataError, TokenestError
from tokenest_py.pipeline.calibration.gates import (
    backtest_gates,
    change_gate,
    drift_gate,
    evidence_gate,
    source_gate,
)
from tokenest_py.pipeline.calibration.history import history
from tokenest_py.pipeline.calibration.promotion import RolledBack, publish, roll_back
from tokenest_py.pipeline.calibration.report import apply_patch
from tokenest_py.pipeline.calibration.tables import changes, read_table
from tokenest_py.runtime.table import load
from vintages import one_budget as table

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

KILLS = 10  # `make soak`: 100


def test_publish_and_roll_back(tmp_path: Path) -> None:
    """The table before is kept, and comes back byte for byte, twice."""
    target = tmp_path / "live" / "coefficients.ndjson"
    target.parent.mkdir()
    first, second = read_table(table(tmp_path, 1000)), read_table(table(tmp_path, 2000))
    publish(first, target)
    assert target.read_bytes() == first.data
    kept = publish(second, target)
    assert kept.read_bytes() == first.data
    assert target.read_bytes() == second.data
    assert len(history(target)) == 2
    assert roll_back(target) == RolledBack(second.coefficients_id, first.coefficients_id, ())
    assert target.read_bytes() == first.data
    packaged = load().coefficients_id
    assert roll_back(target) == RolledBack(first.coefficients_id, packaged, ())
    assert load(str(target)).coefficients_id == packaged
    with pytest.raises(NoDataError, match="nothing was promoted"):
        roll_back(target)
    assert not list(target.parent.glob("*.tmp"))


def test_a_refused_roll_back_leaves_no_folder(tmp_path: Path) -> None:
    """Nothing was promoted, nothing is made."""
    with pytest.raises(NoDataError, match="nothing was promoted"):
        roll_back(tmp_path / "live.ndjson")
    assert not list(tmp_path.iterdir())


def test_history_numbers_go_on_after_a_roll_back(tmp_path: Path) -> None:
    """What is published next never overwrites what is kept."""
    target = tmp_path / "coefficients.ndjson"
    tables = [read_table(table(tmp_path, tokens)) for tokens in (1000, 2000, 3000)]
    for found in tables:
        publish(found, target)
    roll_back(target)
    publish(tables[2], target)
    numbers = [path.name.partition("-")[0] for path in history(target)]
    assert numbers == ["000001", "000002", "000003"]


def test_roll_back_passes_over_what_is_unsound(tmp_path: Path) -> None:
    """Damaged, cut, replaced and foreign files are named and stay; the newest sound one is back."""
    target = tmp_path / "coefficients.ndjson"
    tables = [read_table(table(tmp_path, tokens)) for tokens in (1000, 2000, 3000, 4000, 5000)]
    kept = [publish(found, target) for found in tables]
    folder = kept[0].parent
    kept[4].write_bytes(kept[4].read_bytes()[:-30])
    kept[3].write_bytes(tables[0].data)
    (folder / "9-x.ndjson").write_text("foreign", encoding="utf-8")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    done = roll_back(target)
    assert (done.taken, done.restored) == (tables[4].coefficients_id, tables[1].coefficients_id)
    assert target.read_bytes() == tables[1].data
    said = "\n".join(done.passed_over)
    for name in (kept[4].name, kept[3].name, "9-x.ndjson", "notes.txt"):
        assert name in said
    assert "another table than its name" in said
    left = {path.name for path in folder.iterdir()}
    assert {kept[4].name, kept[3].name, "9-x.ndjson", "notes.txt"} <= left
    assert publish(tables[4], target).name.startswith("000006-")
    assert roll_back(target).restored == tables[1].coefficients_id
    assert roll_back(target).restored == tables[0].coefficients_id


def test_a_table_that_changed_while_another_was_judged_stays(tmp_path: Path) -> None:
    """Gates compare with what is there: the second of two who promote at once is told."""
    target = tmp_path / "coefficients.ndjson"
    tables = [read_table(table(tmp_path, tokens)) for tokens in (1000, 2000, 3000)]
    publish(tables[0], target)
    seen = tables[0].coefficients_id
    publish(tables[1], target, compared_with=seen)
    with pytest.raises(TokenestError, match=f"while it was judged as {seen}; promote again"):
        publish(tables[2], target, compared_with=seen)
    assert target.read_bytes() == tables[1].data
    assert len(history(target)) == 2


def test_a_damaged_table_in_use_is_taken_back(tmp_path: Path) -> None:
    """The brake works when it is needed most, and keeps what it took away."""
    target = tmp_path / "coefficients.ndjson"
    first, second = (read_table(table(tmp_path, tokens)) for tokens in (1000, 2000))
    publish(first, target)
    kept = publish(second, target)
    target.write_bytes(second.data[:-7])
    assert roll_back(target) == RolledBack("unreadable", first.coefficients_id, ())
    assert target.read_bytes() == first.data
    assert (kept.parent / "rolled-back-unreadable.ndjson").read_bytes() == second.data[:-7]


def test_a_history_without_a_sound_table_says_so(tmp_path: Path) -> None:
    """In one line that names what is there; the target stays."""
    target = tmp_path / "coefficients.ndjson"
    first = read_table(table(tmp_path, 1000))
    kept = publish(first, target)
    kept.write_text("damaged", encoding="utf-8")
    with pytest.raises(NoDataError, match=f"no sound table to go back to: .*{kept.name}"):
        roll_back(target)
    assert target.read_bytes() == first.data


def test_the_history_keeps_who_replaced_which_and_why(tmp_path: Path) -> None:
    """A line a publication and a rollback, in order."""
    target = tmp_path / "coefficients.ndjson"
    first = read_table(table(tmp_path, 1000))
    kept = publish(first, target, {"reason": "more calls", "after": {"n": 60}})
    roll_back(target)
    log = (kept.parent / "log.ndjson").read_text(encoding="utf-8")
    promoted, back = map(json.loads, log.splitlines())
    assert promoted["reason"] == "more calls"
    assert (promoted["action"], promoted["to"]) == ("promote", first.coefficients_id)
    assert promoted["after"] == {"n": 60}
    assert (back["action"], back["from"]) == ("rollback", first.coefficients_id)
    assert back["at"] >= promoted["at"]


@pytest.mark.parametrize(
    ("of_file", "of_folder", "said"),
    [(0o666, 0o700, "file of mode 0666"), (0o600, 0o777, "folder of mode 0777"),
     (0o600, 0o1777, ""), (0o664, 0o775, "")],
)  # fmt: skip
def test_nothing_is_published_where_anyone_may_write(
    tmp_path: Path, of_file: int, of_folder: int, said: str
) -> None:
    """Who can write the file decides every ceiling. A sticky folder and a group are fine."""
    target = tmp_path / "live" / "coefficients.ndjson"
    target.parent.mkdir()
    first, second = (read_table(table(tmp_path, tokens)) for tokens in (1000, 2000))
    publish(first, target)
    target.chmod(of_file)
    target.parent.chmod(of_folder)
    if not said:
        publish(second, target)
        return
    with pytest.raises(TokenestError, match=f"may be written by anyone .{said}.; run `chmod o-w"):
        publish(second, target)
    assert target.read_bytes() == first.data
    assert roll_back(target).taken == first.coefficients_id  # the brake works everywhere


def test_what_killed_publications_left_is_swept(tmp_path: Path) -> None:
    """Half-written files go with the next publication; those of others stay."""
    target = tmp_path / "coefficients.ndjson"
    kept = publish(read_table(table(tmp_path, 1000)), target)
    left = [tmp_path / f".{target.name}.123.tmp", kept.parent / f".{kept.name}.124.tmp"]
    for path in left:
        path.write_text("half", encoding="utf-8")
    other = tmp_path / ".other.ndjson.125.tmp"
    other.write_text("of another target", encoding="utf-8")
    publish(read_table(table(tmp_path, 2000)), target)
    assert [path.exists() for path in (*left, other)] == [False, False, True]


def test_a_link_stays_a_link_and_the_mode_stays(tmp_path: Path) -> None:
    """Deployments mount configuration as links, and read it under another user."""
    real = tmp_path / "real.ndjson"
    real.write_bytes(table(tmp_path, 1000).read_bytes())
    real.chmod(0o640)
    link = tmp_path / "link.ndjson"
    link.symlink_to(real)
    second = read_table(table(tmp_path, 2000))
    publish(second, link)
    assert link.is_symlink()
    assert real.read_bytes() == second.data
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_damaged_candidate_is_refused(tmp_path: Path) -> None:
    """What the runtime would refuse is no table, and the target stays."""
    path = table(tmp_path, 1000)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CoefficientsError):
        read_table(path)


def test_an_unwritable_folder_leaves_the_target(tmp_path: Path) -> None:
    """One line says so."""
    target = tmp_path / "file" / "coefficients.ndjson"
    target.parent.write_text("a file, not a folder", encoding="utf-8")
    with pytest.raises(TokenestError, match="cannot be written"):
        publish(read_table(table(tmp_path, 1000)), target)


def test_killed_while_publishing(tmp_path: Path) -> None:
    """The target is the one table or the other; rolling back still works."""
    assert faults(tmp_path, [table(tmp_path, 1000), table(tmp_path, 2000)], KILLS) == []


def test_the_kill_trial_sees_a_careless_writer(tmp_path: Path) -> None:
    """Written in place, a table is torn sooner or later: the trial would notice."""
    assert is_careless_seen(tmp_path, [table(tmp_path, 1000), table(tmp_path, 2000)], 25)


def test_changes_and_their_patch(tmp_path: Path) -> None:
    """Added, removed and changed rows; applied, they give the proposed rows."""
    budget = vintages.budget(0.02, 1, n=9, method="m")
    wider = budget | {"labels": {"category": "judge"}}
    current = read_table(
        vintages.write(tmp_path, lambda rows: [*rows, budget | {"value": 100}], "current.ndjson")
    )
    proposed = read_table(
        vintages.write(
            tmp_path,
            lambda rows: [
                *rows[1:],
                budget | {"value": 150, "label": "at_least"},
                wider | {"value": 7},
            ],
            "proposed.ndjson",
        )
    )
    found = changes(current, proposed)
    assert sorted(change.action for change in found) == ["add", "change", "remove"]
    [changed] = [change for change in found if change.action == "change"]
    assert changed.factor == pytest.approx(1.5)
    patch = {
        "changes": [{"current": c.current, "proposed": c.proposed} for c in found],
    }
    applied = apply_patch(list(current.rows.values()), patch)
    assert sorted(map(str, applied)) == sorted(map(str, proposed.rows.values()))
    with pytest.raises(CoefficientsError, match="change 1"):
        apply_patch([], {"changes": [{"current": budget, "proposed": None}]})


def _score(**fields: object) -> dict[str, Any]:
    row: dict[str, Any] = {
        "subject": "refitted",
        "max_truncation": 0.05,
        "stratification": "overall",
        "n": 1000,
    }
    row |= {"category": "all", "complexity": "all", "n_truncated": 50, "n_undecidable": 0}
    return row | {"wilson_low": 0.038, "wilson_high": 0.065, "pinball_loss": 10.0} | fields


def test_backtest_gates() -> None:
    """Enough calls, no truncation above its rate for certain, no worse than the present table."""
    present = _score(subject="given table", pinball_loss=10.0)

    def passing(*ours: dict[str, Any]) -> dict[str, bool]:
        return {gate.name: gate.passes for gate in backtest_gates([present, *ours], rate=0.05)}

    assert passing(_score()) == {"method truncation": True, "method loss": True}
    few, enough = (evidence_gate(calls, rate=0.05, share=0.4) for calls in (99, 100))
    assert (few.passes, enough.passes) == (False, True)
    assert "5 truncations are likely from 250 calls on" in few.about  # what to collect
    assert passing(_score(wilson_low=0.051))["method truncation"] is False
    judge = _score(stratification="category", category="judge", n=200, wilson_low=0.06)
    assert passing(_score(), judge)["method truncation"] is False
    assert passing(_score(), judge | {"n": 20})["method truncation"] is True
    worse = _score(subject="given table", stratification="category", category="judge", n=200)
    for before, passes in ((19, False), (20, False), (21, True)):
        ours = judge | {"n_truncated": 20}
        found = passing(_score(), ours, worse | {"n_truncated": before})
        assert found["method truncation"] is passes
    assert passing(_score(pinball_loss=10.6))["method loss"] is False
    cut_off = present | {"n_truncated": 60, "n_undecidable": 40}  # the later row counts
    assert passing(_score(pinball_loss=10.6), cut_off)["method loss"] is True
    assert passing(_score(pinball_loss=None))["method loss"] is False


def test_other_gates(tmp_path: Path) -> None:
    """Steps within their limits, no category to roll back, and the database it came from."""
    one, two = read_table(table(tmp_path, 1000)), read_table(table(tmp_path, 2000))
    assert change_gate(changes(one, two), most_up=2, most_down=0.7).passes
    assert not change_gate(changes(one, two), most_up=1.9, most_down=0.7).passes
    fallen = change_gate(changes(two, one), most_up=2, most_down=0.7)
    assert (fallen.passes, fallen.limit) == (False, "x 0.7 to x 2, or say --max-decrease 0.5")
    assert change_gate(changes(two, one), most_up=2, most_down=0.5).passes
    assert drift_gate([{"category": "a", "state": "moved"}], set()).passes
    assert not drift_gate([{"category": "a", "state": "harmful"}], set()).passes
    assert drift_gate([{"category": "a", "state": "harmful"}], {"a"}).passes
    exported = {"kind": "budget", "category": None, "complexity": None, "labels": "{}",
                "model": None, "input_bin": None, "max_truncation": 0.02, "label": "identified",
                "value": 1000.0, "n": 60, "confidence": 0.5, "method": "budget_blend"}  # fmt: skip
    of_var = {"kind": "constant", "name": "window_share", "value": 0.5}
    assert source_gate(one, [exported, of_var]).passes
    assert not source_gate(two, [exported, of_var]).passes
