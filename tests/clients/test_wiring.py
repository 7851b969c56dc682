"""Each piece of Python in docs/wiring.md, run as it stands before a provider on loopback."""

from __future__ import annotations

import asyncio
import functools
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vintages
from recorded import events
from tokenest_py.clients import sizer

if TYPE_CHECKING:
    from fake_provider import FakeProvider

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs/wiring.md").read_text(encoding="utf-8"), re.DOTALL
)
CALLS = {"create(", "invoke(", "completion(", "converse(", "run_sync("}
CALLS |= {"generate_content(", "finish("}


def test_blocks() -> None:
    """Each library has one, of at most ten lines of code."""
    assert len(BLOCKS) == 13
    for block in BLOCKS:
        code = [line for line in block.splitlines() if line and "import" not in line]
        assert len(code) <= 10


def send(body: dict[str, Any]) -> dict[str, Any]:
    """The transport of one's own."""
    assert body["max_tokens"] == 1000
    tokens = {"input_tokens": 40, "output_tokens": 100}
    return {"id": "1", "finish_reason": "COMPLETE", "usage": {"tokens": tokens}}


@pytest.fixture
def process(provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a new process would find; returns where it records.

    The blocks share this one, since most of their time goes into imports.
    """
    rows = [
        vintages.budget(0.02, 1000, n=60, method="budget_blend", category=category)
        for category in ("support", "triage", "extraction", "rag")
    ]
    variables = {
        "OPENAI_BASE_URL": f"{provider.url}/v1",
        "ANTHROPIC_BASE_URL": provider.url,
        "ANTHROPIC_API_URL": provider.url,
        "GOOGLE_GEMINI_BASE_URL": provider.url,
        "AWS_ENDPOINT_URL": provider.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "TOKENEST_COEFFICIENTS": str(
            vintages.write(tmp_path, lambda packaged: vintages.still(packaged) + rows)
        ),
        "PYTHONPATH": str(ROOT),
        "TELEMETRY_DB_ENABLED": "1",
        "TOKENEST_TELEMETRY_DIR": str(tmp_path / "recorded"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in ("_default_estimator", "_default_recorder"):
        anew = functools.cache(vars(sizer)[name].__wrapped__)
        monkeypatch.setattr(sizer, name, anew)
    asyncio.set_event_loop(asyncio.new_event_loop())
    return tmp_path / "recorded"


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_it_runs(block: str, process: Path) -> None:
    """Every call that it makes is sized and recorded."""
    if "litellm" in block:  # it calls back at the latest when its process ends
        done = subprocess.run(
            [sys.executable, "-c", block], capture_output=True, text=True, check=False, timeout=100
        )
        assert done.returncode == 0, done.stderr
    else:
        exec(compile(block, "docs/wiring.md", "exec"), {"__name__": "block", "send": send})
    calls = sum(block.count(call) for call in CALLS) + block.count(".stream(")
    found = events(process)
    assert [event["actual_max_tokens"] for event in found] == [1000] * calls
