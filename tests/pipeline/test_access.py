"""Whoever could read a file can read the one that takes its place, whatever the umask is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import vintages
from tokenest_py.cli.output import write_lines
from tokenest_py.pipeline.access import keep_access
from tokenest_py.pipeline.calibration.export_guard import guarded
from tokenest_py.pipeline.calibration.promotion import publish, roll_back
from tokenest_py.pipeline.calibration.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OLD, NEW = vintages.phase_2, vintages.head


@pytest.fixture(autouse=True)
def _as_a_command_has_it() -> Iterator[None]:
    """Every command has this umask: what it makes is its user's own."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """The bits of who may what."""
    return path.stat().st_mode & 0o777


def test_a_published_table(tmp_path: Path) -> None:
    """The application that reads it runs as another user."""
    target = vintages.write(tmp_path, OLD, "published.ndjson")
    assert mode(target) == 0o600
    target.chmod(0o644)
    publish(read_table(vintages.write(tmp_path, NEW)), target)
    assert mode(target) == 0o644
    roll_back(target)
    assert mode(target) == 0o644


@pytest.mark.parametrize("exported", [NEW, OLD, lambda rows: rows[:0]])
def test_an_export(tmp_path: Path, exported: Callable[[vintages.Rows], vintages.Rows]) -> None:
    """A table that a build exports, and one that its guard puts back."""
    target = vintages.write(tmp_path, OLD)
    target.chmod(0o640)
    with guarded(target):
        target.unlink()
        vintages.write(tmp_path, exported)
    assert mode(target) == 0o640


def test_an_output(tmp_path: Path) -> None:
    """A report that a web server serves."""
    page = tmp_path / "report.html"
    write_lines(["one"], page)
    assert mode(page) == 0o600
    page.chmod(0o644)
    write_lines(["two"], page)
    assert (page.read_text(), mode(page)) == ("two", 0o644)


def test_owner_and_group(tmp_path: Path) -> None:
    """As far as one may: who is not root gives a file to no other user, and that is no error."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.touch()
    new.touch()
    if os.geteuid() == 0:
        os.chown(old, 4321, 8765)
    keep_access(new, old)
    found, expected = new.stat(), old.stat()
    assert (found.st_uid, found.st_gid) == (expected.st_uid, expected.st_gid)
    keep_access(new, tmp_path / "none")
