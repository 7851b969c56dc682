"""What models take at most, found by the names that applications write."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

import vintages
from tokenest_py import Estimator
from tokenest_py.runtime.limits import PLACES, Limit, Limits, canonical

ROOT = Path(__file__).parents[2]


def rows() -> list[dict[str, str]]:
    """The seed."""
    with PLACES[0].open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929"),
        ("bedrock/anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku-20240307"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("ft:gpt-4o-2024-08-06:acme::abc", "gpt-4o-2024-08-06"),
        ("openai:gpt-5-mini", "gpt-5-mini"),
        ("vertex_ai/claude-haiku-4-5@20251001", "claude-haiku-4-5-20251001"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0", "nova-pro"),
        (" GPT-4o-Latest ", "gpt-4o"),
        ("qwen3:8b", "qwen3:8b"),
        ("gpt-3.5-turbo", "gpt-3.5-turbo"),
    ],
)
def test_canonical(name: str, expected: str) -> None:
    """Region, vendor, account, provider, fine-tune, version and alias are no part of it."""
    assert canonical(name) == expected


def test_every_row_is_found_by_its_own_name() -> None:
    """The seed holds canonical names, each once, with limits that can be."""
    found = rows()
    assert len(found) > 1000
    names = [row["model"] for row in found]
    assert len(set(names)) == len(names)
    limits = Limits()
    for row in found:
        assert limits.find(row["model"]).max_output == int(row["max_output"]) >= 1
        assert row["source"]
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", row["as_of"])


def test_exact_then_a_date_then_nothing() -> None:
    """A longer or a shorter name is another model."""
    limits = Limits()
    assert limits.find("gpt-4o").max_output == 16384
    assert limits.find("gpt-4o-2024-05-13").max_output == 4096
    assert limits.find("gpt-4o-2031-01-01").max_output == 16384
    assert limits.find("claude-opus-4-7").max_output == 128_000
    assert limits.find("claude-opus-4-7-20310101").max_output == 128_000
    assert limits.find("gpt-4o-of-tomorrow") == Limit()
    assert limits.find("gpt-") == Limit()
    assert limits.find("") == Limit()


def test_deployments_of_ones_own() -> None:
    """The caller knows them best."""
    estimator = Estimator.load(limits={"My-Deployment": (5000, 9000), "open": (7000, None)})
    estimate = estimator.estimate(["src/a.py"], "implementation", "low")

    def sized(model: str, input_tokens: int) -> tuple[int, str]:
        found = estimator.budget(estimate, model=model, input_tokens=input_tokens)
        return found.max_tokens, found.clamped_by

    assert sized("my-deployment", 10) == (5000, "max_output")
    assert sized("my-deployment", 6000) == (3000, "context_window")
    assert sized("my-deployment", 8984) == (16, "context_window")
    assert sized("my-deployment", 8985) == (5000, "input_over_window")
    assert sized("my-deployment", 9000) == (5000, "input_over_window")
    assert sized("open", 10**9) == (7000, "max_output")


def test_a_limit_that_answers_have_passed_is_wrong(tmp_path: Path) -> None:
    """Two answers of 20,000: gpt-4o writes more than 16,384. The caller's own limit stays."""
    row = {"kind": "answer_length", "model": "gpt-4o", "value": 20_000}
    path = vintages.write(tmp_path, lambda packaged: [*packaged, row])

    def most(model: str, limits: dict[str, tuple[int, int | None]] | None = None) -> int:
        estimator = Estimator.load(path, strict=True, limits=limits)
        estimate = estimator.estimate(["src/a.py"] * 20, "implementation", "high")
        return estimator.budget(estimate, model=model, input_tokens=10).max_tokens

    assert most("gpt-4o") == 20_000
    assert most("gpt-4o-mini") == 16_384
    assert most("gpt-4o", {"gpt-4o": (9000, None)}) == 9000


# names of models as they stand in prose, in code and behind a provider's name
NAMED = re.compile(r"\b(?:claude|gpt|gemini|command|nova)-[a-z0-9]+(?:[.-][a-z0-9]+)*\b")


def unserved(text: str) -> dict[str, str]:
    """The models named in a text that the seed does not know or that are past their date in it."""
    known = {row["model"]: row for row in rows()}
    found = {}
    for name in NAMED.findall(text):
        row = known.get(canonical(name))
        if row is None:
            found[name] = "unknown"
        elif row["deprecation_date"] and row["deprecation_date"] <= row["as_of"]:
            found[name] = row["deprecation_date"]
    return found


def test_models_on_the_pages_are_served() -> None:
    """None is past its date on the day of the seed."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").iterdir()]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if page.is_file())
    assert len(set(NAMED.findall(text))) >= 4
    assert unserved(text) == {}


def test_a_model_that_is_gone_is_found() -> None:
    """The check above sees it, whatever stands around it."""
    text = 'model="gpt-4.5-preview", bedrock/us.anthropic.claude-3-haiku-20240307-v1:0, `gpt-none`'
    assert unserved(text) == {
        "gpt-4.5-preview": "2025-07-14",
        "claude-3-haiku-20240307-v1": "2026-08-23",
        "gpt-none": "unknown",
    }
