"""`tokenest limits`: the seed written anew from others' tables."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tokenest_py.errors import TokenestError, UsageError
from tokenest_py.pipeline.limits import COLUMNS, update

if TYPE_CHECKING:
    from pathlib import Path

LITELLM: dict[str, Any] = {
    "sample_spec": {"mode": "chat", "max_output_tokens": "a number"},
    "big-1": {
        "mode": "chat", "litellm_provider": "openai", "max_output_tokens": 900,
        "max_input_tokens": 5000, "deprecation_date": "2027-01-01",
    },
    "gateway/big-1": {"mode": "chat", "litellm_provider": "gateway", "max_output_tokens": 100},
    "other/big-1": {"mode": "chat", "litellm_provider": "other", "max_output_tokens": 100},
    "us.meta.open-2-v1:0": {"mode": "chat", "litellm_provider": "x", "max_output_tokens": 70},
    "a/open-2": {"mode": "chat", "litellm_provider": "y", "max_output_tokens": 80},
    "picture": {"mode": "image_generation", "max_output_tokens": 7},
}  # fmt: skip
MODELS_DEV = {
    "openai": {"models": {"big-1": {"limit": {"context": 6000, "output": 900}}}},
    "y": {"models": {"open-2": {"limit": {"output": 70}}, "unsaid": {"limit": {"output": 0}}}},
}


def seed(folder: Path, *models: str) -> Path:
    """A seed that knows these models."""
    path = folder / "model_limits.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([[model, 1, 8000, "", "old", "2026-01-01", ""] for model in models])
    return path


def test_the_maker_knows_best(tmp_path: Path) -> None:
    """Else most votes count, of a tie the smaller; what the source does not say stays."""
    path, source = seed(tmp_path, "big-1"), tmp_path / "table.json"
    source.write_text(json.dumps(LITELLM))
    assert update(path, str(source)) == (1, 2)
    with path.open(newline="") as file:
        big, small = csv.DictReader(file)
    assert big | {"as_of": ""} == {
        "model": "big-1", "max_output": "900", "context_window": "8000", "max_input": "5000",
        "source": "table.json", "as_of": "", "deprecation_date": "2027-01-01",
    }  # fmt: skip
    assert (small["model"], small["max_output"]) == ("open-2", "70")


def test_models_dev(tmp_path: Path) -> None:
    """The other format has a window."""
    path, source = seed(tmp_path), tmp_path / "api.json"
    source.write_text(json.dumps(MODELS_DEV))
    assert update(path, str(source)) == (0, 2)
    assert "big-1,900,6000,,api.json," in path.read_text()


def test_a_source_that_lost_models_is_refused(tmp_path: Path) -> None:
    """More than a tenth; of fewer, the old rows stay."""
    source = tmp_path / "table.json"
    source.write_text(json.dumps(LITELLM))
    path = seed(tmp_path, "big-1", "gone-1")
    before = path.read_bytes()
    with pytest.raises(TokenestError, match="does not know 1 of 2 models, gone-1"):
        update(path, str(source))
    assert path.read_bytes() == before
    many = {f"m-{n}": {"mode": "chat", "max_output_tokens": 5} for n in range(10)}
    source.write_text(json.dumps(LITELLM | many))
    path = seed(tmp_path, *many, "gone-1")
    assert update(path, str(source)) == (11, 13)
    assert "gone-1,1,8000,,old" in path.read_text()


def test_sources_that_cannot_be_read(tmp_path: Path) -> None:
    """They are named, with what would do."""
    path, source = seed(tmp_path), tmp_path / "list.json"
    source.write_text("[]")
    with pytest.raises(TokenestError, match="is no table of models"):
        update(path, str(source))
    with pytest.raises(TokenestError, match="cannot be read"):
        update(path, str(tmp_path / "nowhere.json"))
    with pytest.raises(UsageError, match="litellm is not installed"):
        update(path, "litellm")


def test_show(tmp_path: Path) -> None:
    """The command says what was found, and under which name."""
    done = subprocess.run(
        [sys.executable, "-m", "tokenest_py", "limits", "show", "openai:gpt-4o", "--format=json"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    [row] = json.loads(done.stdout)
    assert (row["found_as"], row["max_output"]) == ("gpt-4o", 16384)
