"""An export that has lost too much does not replace the one before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import vintages
from dbt_project import Project, line
from tokenest_py.pipeline.calibration.export_guard import guarded

if TYPE_CHECKING:
    from pathlib import Path


def table(categories: int) -> bytes:
    """A table with a budget for each of so many categories, and none for all calls."""
    rows = [vintages.budget(0.05, 1000, n=60, category=f"c{i}") for i in range(categories)]
    return vintages.encode(vintages.packaged_rows() + rows)


@pytest.mark.parametrize(("left", "is_kept"), [(10, False), (8, False), (7, True), (0, True)])
def test_a_fifth_of_the_cells_may_go(tmp_path: Path, left: int, *, is_kept: bool) -> None:
    """With more gone the old file is back, and the refused one lies beside it."""
    path = tmp_path / "coefficients.ndjson"
    path.write_bytes(table(10))
    with guarded(path) as guard:
        path.write_bytes(table(left))
    assert path.read_bytes() == table(10 if is_kept else left)
    assert bool(guard.fault) == guard.refused.exists() == is_kept
    if is_kept:
        assert guard.refused.read_bytes() == table(left)
        assert f"lacks {10 - left} of its 10 cells (at most 20%)" in guard.fault
    names = {found.name for found in tmp_path.iterdir()}
    assert names <= {"coefficients.ndjson", "coefficients.refused.ndjson"}


def test_an_export_that_is_taken_after_all(tmp_path: Path) -> None:
    """As the message says: it is moved over the old one, and is the measure from then on."""
    path = tmp_path / "coefficients.ndjson"
    path.write_bytes(table(10))
    with guarded(path) as guard:
        path.write_bytes(table(2))
    guard.refused.replace(path)
    with guarded(path) as guard:
        path.write_bytes(table(2))
    assert (guard.fault, path.read_bytes()) == ("", table(2))


def test_a_killed_build_does_not_move_the_measure(tmp_path: Path) -> None:
    """The file from before it is the one that the next export is held against."""
    path = tmp_path / "coefficients.ndjson"
    path.write_bytes(table(10))
    guarding = guarded(path)
    guarding.__enter__().path.write_bytes(table(0))  # and it never comes to the end
    with guarded(path) as guard:
        path.write_bytes(table(1))
    assert "lacks 9 of its 10 cells" in guard.fault
    assert path.read_bytes() == table(10)


def test_a_first_table_that_no_runtime_could_read(tmp_path: Path) -> None:
    """It is set aside, so that a client begins with what is in the package."""
    path = tmp_path / "coefficients.ndjson"
    with guarded(path) as guard:
        path.write_bytes(table(1)[:-9])
    assert guard.fault.startswith("there is no table: the new one cannot be read (")
    assert not path.exists()
    assert guard.refused.read_bytes() == table(1)[:-9]


def test_nothing_to_lose(tmp_path: Path) -> None:
    """No file, or one that no runtime could read, is replaced by anything."""
    path = tmp_path / "coefficients.ndjson"
    with guarded(path) as guard:
        path.write_bytes(table(1))
    assert guard.fault == ""
    path.write_text("damaged", encoding="utf-8")
    with guarded(path) as guard:
        path.write_bytes(table(0))
    assert (guard.fault, path.read_bytes()) == ("", table(0))


def test_an_unreadable_export_is_refused(tmp_path: Path) -> None:
    """And the old one is back."""
    path = tmp_path / "coefficients.ndjson"
    path.write_bytes(table(1))
    with guarded(path) as guard:
        path.write_bytes(table(1)[:-9])
    assert "cannot be read" in guard.fault
    assert path.read_bytes() == table(1)


@pytest.mark.slow
def test_a_build_keeps_the_export_that_it_would_empty(project: Project) -> None:
    """Exit 3 and one line, and the refused table beside it."""
    old = table(10)
    (project.folder / "exports").mkdir()
    project.coefficients.write_bytes(old)
    project.telemetry().write_bytes(line())
    done = project.tokenest("build", "--format", "json")
    assert done.returncode == 3, done.stderr
    [said] = [text for text in done.stderr.splitlines() if text.startswith("tokenest: ")]
    assert "the new table lacks 10 of its 10 cells (at most 20%)" in said
    assert project.coefficients.read_bytes() == old
    refused = project.folder / "exports" / "coefficients.refused.ndjson"
    header = json.loads(refused.read_bytes().partition(b"\n")[0])
    assert header["kind"] == "header"
