"""`tokenest limits`: the seed written anew from others' tables."""

from __future__ import annotations

import csv
import gzip
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
    "y": {"models": {
        "open-2": {"limit": {"context": 500, "output": 70}},
        "alone-1": {"limit": {"context": 500, "output": 70}},
        "unsaid": {"limit": {"output": 0}},
        "pictures": {"limit": {"output": 1}},
    }},
    "z": {"models": {"z/open-2": {"limit": {"context": 500, "input": 400, "output": 70}}}},
}  # fmt: skip


def seed(folder: Path, *models: str, source: str = "litellm 1.0.0") -> Path:
    """A seed that knows these models."""
    path = folder / "model_limits.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([[model, 1, 8000, "", source, "2026-01-01", ""] for model in models])
    return path


def rows(path: Path) -> dict[str, dict[str, str]]:
    """The rows of a seed, without the day, which is today's."""
    with path.open(newline="") as file:
        return {row.pop("model"): row | {"as_of": ""} for row in csv.DictReader(file)}


def table(folder: Path, content: object, name: str = "table.json") -> str:
    """A file of others."""
    (folder / name).write_text(json.dumps(content))
    return str(folder / name)


def test_the_maker_knows_best(tmp_path: Path) -> None:
    """Else most votes count, of a tie the smaller."""
    path = seed(tmp_path)
    assert update(path, table(tmp_path, LITELLM)) == (0, 2)
    assert rows(path) == {
        "big-1": {
            "max_output": "900", "context_window": "", "max_input": "5000", "as_of": "",
            "source": "litellm table.json", "deprecation_date": "2027-01-01",
        },
        "open-2": {
            "max_output": "70", "context_window": "", "max_input": "", "as_of": "",
            "source": "litellm table.json", "deprecation_date": "",
        },
    }  # fmt: skip


def test_one_source_after_the_other(tmp_path: Path) -> None:
    """What one does not say stays as the other said, and the row names both.

    A window counts where its maker says it or two say it alike.
    """
    path = seed(tmp_path)
    models_dev, litellm = table(tmp_path, MODELS_DEV, "api.json"), table(tmp_path, LITELLM)
    assert update(path, models_dev) == (0, 3)
    windows = {model: row["context_window"] for model, row in rows(path).items()}
    assert windows == {"big-1": "6000", "open-2": "500", "alone-1": ""}
    for _ in range(2):
        assert update(path, litellm) == (3, 3)
        assert rows(path)["big-1"] == {
            "max_output": "900", "context_window": "6000", "max_input": "5000", "as_of": "",
            "source": "litellm table.json, models.dev api.json", "deprecation_date": "2027-01-01",
        }  # fmt: skip
    assert rows(path)["alone-1"]["source"] == "models.dev api.json"
    assert update(path, models_dev) == (3, 3)
    assert rows(path)["big-1"]["source"] == "models.dev api.json, litellm table.json"
    assert rows(path)["big-1"]["deprecation_date"] == "2027-01-01"


def test_a_window_that_another_source_contradicts(tmp_path: Path) -> None:
    """It would cut answers off, so it is forgotten."""
    path = seed(tmp_path)
    update(path, table(tmp_path, {"openai": {"models": {
        "big-1": {"limit": {"context": 4999, "output": 900}},
        "odd-1": {"limit": {"context": 800, "output": 900}},
    }}}))  # fmt: skip
    windows = {model: row["context_window"] for model, row in rows(path).items()}
    assert windows == {"big-1": "4999", "odd-1": ""}
    update(path, table(tmp_path, LITELLM))
    assert rows(path)["big-1"]["context_window"] == ""


@pytest.mark.parametrize(
    ("source", "package", "file", "content"),
    [
        ("models.dev", "models_dev", "data.json.gz", MODELS_DEV),
        ("litellm", "litellm", "model_prices_and_context_window_backup.json", LITELLM),
    ],
)
def test_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    source: str, package: str, file: str, content: dict[str, Any],
) -> None:  # fmt: skip
    """Its word is enough; it is not imported."""
    data = json.dumps(content).encode()
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("raise RuntimeError")
    (tmp_path / package / file).write_bytes(gzip.compress(data) if file[-1] == "z" else data)
    facts = tmp_path / f"{package}-9.8.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 9.8\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = seed(tmp_path)
    update(path, source)
    assert rows(path)["big-1"]["source"] == f"{source} 9.8"


def test_a_source_that_lost_models_is_refused(tmp_path: Path) -> None:
    """More than a tenth of what it said before; of fewer, the old rows stay."""
    source = table(tmp_path, LITELLM)
    path = seed(tmp_path, "big-1", "gone-1")
    before = path.read_bytes()
    with pytest.raises(TokenestError, match="not know 1 of 2 models that litellm had: gone-1"):
        update(path, source)
    assert path.read_bytes() == before
    many = {f"m-{n}": {"mode": "chat", "max_output_tokens": 5} for n in range(10)}
    source = table(tmp_path, LITELLM | many)
    path = seed(tmp_path, *many, "gone-1")
    assert update(path, source) == (11, 13)
    assert "gone-1,1,8000,,litellm 1.0.0" in path.read_text()
    path = seed(tmp_path, "big-1", "gone-1", source="models.dev 1.0.0")
    assert update(path, source) == (2, 13)


def test_sources_that_cannot_be_read(tmp_path: Path) -> None:
    """They are named, with what would do."""
    path = seed(tmp_path)
    with pytest.raises(TokenestError, match="is no table of models"):
        update(path, table(tmp_path, []))
    with pytest.raises(TokenestError, match="does not know 0 of 0"):
        update(path, table(tmp_path, {}))
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(b"{}")[:-4])
    with pytest.raises(TokenestError, match="cannot be read"):
        update(path, str(tmp_path / "cut.json.gz"))
    with pytest.raises(TokenestError, match="cannot be read"):
        update(path, str(tmp_path / "nowhere.json"))
    for source, package in (("litellm", "litellm"), ("models.dev", "models-dev")):
        with pytest.raises(UsageError, match=f"{package} is not installed"):
            update(path, source)


def test_show(tmp_path: Path) -> None:
    """The command says what was found, and under which name."""
    done = subprocess.run(
        [sys.executable, "-m", "tokenest_py", "limits", "show", "openai:gpt-4o", "--format=json"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    [row] = json.loads(done.stdout)
    assert (row["found_as"], row["max_output"]) == ("gpt-4o", 16384)
