"""Each piece of Python in docs/wiring.md, run as it stands before a provider on loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vintages
from recorded import events

if TYPE_CHECKING:
    from fake_provider import FakeProvider

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs/wiring.md").read_text(encoding="utf-8"), re.DOTALL
)
# The transport of one's own, and where Google's library has to look, which no variable says.
PRELUDE = """
import os
from google.genai import _api_client
def send(body):
    tokens = {"input_tokens": 40, "output_tokens": 100}
    assert body["max_tokens"] == 1000
    return {"id": "1", "finish_reason": "COMPLETE", "usage": {"tokens": tokens}}
"""
CALLS = {"create(", "invoke(", "completion(", "converse(", "run_sync("}
CALLS |= {"generate_content(", "finish("}


def test_blocks() -> None:
    """Each library has one, of at most ten lines of code."""
    assert len(BLOCKS) == 12
    for block in BLOCKS:
        code = [line for line in block.splitlines() if line and "import" not in line]
        assert len(code) <= 10


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_it_runs(block: str, provider: FakeProvider, tmp_path: Path) -> None:
    """Every call that it makes is sized and recorded."""
    rows = [
        vintages.budget(0.02, 1000, n=60, method="budget_blend", category=category)
        for category in ("support", "triage", "extraction", "rag")
    ]
    table = vintages.write(tmp_path, lambda packaged: packaged + rows)
    (tmp_path / "block.py").write_text(PRELUDE + block)
    done = subprocess.run(
        [sys.executable, "block.py"],
        cwd=tmp_path,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "OPENAI_BASE_URL": f"{provider.url}/v1",
            "ANTHROPIC_BASE_URL": provider.url,
            "ANTHROPIC_API_URL": provider.url,
            "GOOGLE_GEMINI_BASE_URL": provider.url,
            "AWS_ENDPOINT_URL": provider.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "TOKENEST_COEFFICIENTS": str(table),
            "TELEMETRY_DB_ENABLED": "1",
            "TOKENEST_TELEMETRY_DIR": "recorded",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    calls = sum(block.count(call) for call in CALLS) + block.count(".stream(")
    found = events(tmp_path / "recorded")
    assert [event["actual_max_tokens"] for event in found] == [1000] * len(found)
    assert len(found) == calls
