"""The temporary folder of a command."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest

from tokenest_py.errors import TokenestError
from tokenest_py.pipeline.failures import failure
from tokenest_py.pipeline.scratch import scratch_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is in it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder() as folder:
        (folder / "table.ndjson").touch()
    assert not list(tmp_path.iterdir())


def test_no_place_for_one_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose root is read-only."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    said = "no temporary folder can be made: No such file or directory; set TMPDIR"
    with pytest.raises(TokenestError, match=said), scratch_folder():
        pass


def test_one_that_is_too_small_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command needs for a moment is no database that had anything to keep."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    full = 'TransactionContext Error: Could not write file "{}/calls.wal": No space left on device'
    with scratch_folder("advise-") as folder:
        said = str(failure("commit", full.format(folder)))
    assert said.endswith("No space left on device; set TMPDIR to a folder with more room")
    said = str(failure("commit", full.format(tmp_path)))
    assert said.endswith("; make room, then build again: what had landed is kept")
