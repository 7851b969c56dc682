"""A provider, a table and a recorder for one test."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from recorded import events, lines
from tokenest_py import sized

if TYPE_CHECKING:
    from pathlib import Path

    from fake_provider import FakeProvider

    from tokenest_py import Estimator, Recorder
    from tokenest_py.clients.patches import Theirs

# No network but loopback, and no keys.
os.environ |= dict.fromkeys(
    (
        "OPENAI_API_KEY",
        "AZURE_OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "GEMINI_API_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ),
    "none",
)
os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_AGENTS_DISABLE_TRACING": "1"}

# Of the fake provider's OpenAI, and where a request has its ceiling.
MODEL = "gpt-5-mini"
SERVED = "gpt-5-mini-2025-08-07"
CEILING = ("max_completion_tokens", "max_tokens")

_Client = TypeVar("_Client")


def ask(prompt: str) -> list[Any]:
    """One message."""
    return [{"role": "user", "content": prompt}]


@dataclass(frozen=True)
class Wired:
    """What a sized client needs, and what came of its calls."""

    provider: FakeProvider
    estimator: Estimator
    recorder: Recorder
    folder: Path

    def sized(
        self, client: _Client, category: str | None = "learned", **options: Theirs
    ) -> _Client:
        """The client, sized by this table, with this recorder."""
        return sized(
            client,
            estimator=self.estimator,
            recorder=self.recorder,
            category=category,
            **options,
        )

    def events(self) -> list[dict[str, Any]]:
        """What was recorded; nothing was dropped and no text is in it."""
        assert self.recorder.status().dropped == {}
        assert not any("Ada" in line or "needs" in line for line in lines(self.folder))
        return events(self.folder)

    def seen(self, *names: str) -> list[tuple[Any, ...]]:
        """These fields of each event."""
        return [tuple(event.get(name) for name in names) for event in self.events()]
