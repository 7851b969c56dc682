"""What each way to a provider sends and records, where an answer needs more than its ceiling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from paths import CEILINGS, PATHS

if TYPE_CHECKING:
    from wired import Wired

# Ceilings in the order in which they were sent, and of each event: attempt, output, cut off.
TWICE = [1000, 2000], [(1, 1000, True), (2, 1500, False)]
ONCE = [1000], [(1, 1000, True)]  # a stream's parts are out; LiteLLM lets nobody try again
OTHERS = {
    "openai chat, awaited, 5 at once": (
        [1000] * 5 + [2000] * 5, [(1, 1000, True)] * 5 + [(2, 1500, False)] * 5,
    ),
    "litellm acompletion": ONCE,
    "litellm completion, asked": ONCE,
    "litellm completion": ([None], [(1, 1500, False)]),
    "openai, 503 twice": ([1000, 1000, 1000, 2000], TWICE[1]),
    "openai, stream left": ([1000], []),
    "anthropic, stream left": ([1000], [(1, 1, None)]),
}  # fmt: skip


@pytest.mark.parametrize("name", PATHS)
def test_path(name: str, wired: Wired) -> None:
    """Hand-computed: 1,500 tokens are needed, 1,000 are allowed, then twice that."""
    PATHS[name](wired)
    sent, recorded = OTHERS.get(name, ONCE if "stream" in name else TWICE)
    found = wired.seen("attempt", "actual_output_tokens", "truncated")
    if "at once" in name:
        assert sorted(wired.provider.ceilings(*CEILINGS), key=str) == sent
        assert sorted(found) == recorded
    else:
        assert wired.provider.ceilings(*CEILINGS) == sent
        assert found == recorded
    assert {tokens for (tokens,) in wired.seen("input_tokens")} <= {40}
