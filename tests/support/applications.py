"""Applications whose calls a page has to tell of: a chat, a coding agent, one call, one cut off."""

from __future__ import annotations

import json
import random

from dbt_project import event

__all__ = ["APPLICATIONS", "application"]

APPLICATIONS = ("chat", "agent", "one call", "cut off")
_CHAT = {"chat": (350, 0.7, 4_096), "extract": (90, 0.4, 2_048), "answer": (700, 0.5, 8_192)}
_AGENT = {"implementation": (2_400, 0.6, 8_192), "testing": (900, 0.5, 4_096)}


def application(name: str) -> bytes:
    """The calls of an application as lines of NDJSON; the same for the same name."""
    chance = random.Random(name)
    kinds = _AGENT if name == "agent" else _CHAT
    if name == "one call":
        kinds, count = {"chat": _CHAT["chat"]}, 1
    else:
        count = 260
    lines = []
    for kind, (median, spread, ceiling) in kinds.items():
        if name == "cut off":
            ceiling = round(median * 1.4)
        for number in range(count):
            need = round(median * chance.lognormvariate(0, spread)) + 1
            is_cut = need > ceiling
            files = [f"src/{part}.py" for part in "abc"[: 1 + number % 3]]
            record = event(
                event_id=f"{kind}-{number}",
                occurred_at=f"2026-03-{1 + number % 28:02}T{number % 24:02}:00:00Z",
                run_id=f"run-{number // 5}",
                phase_id=f"{kind}-{number}",
                category=kind,
                complexity="low" if name == "agent" else None,
                deliverables=files if name == "agent" else None,
                provider="openai",
                model="gpt-4o-mini" if number % 2 else "own-model",
                input_tokens=chance.choice([400, 1_500, 6_000]),
                predicted_output_tokens=None,
                actual_max_tokens=ceiling,
                actual_output_tokens=min(need, ceiling),
                stop_reason="max_tokens" if is_cut else "end_turn",
                truncated=is_cut,
                success=not is_cut,
            )
            lines.append(json.dumps(record) + "\n")
    return "".join(lines).encode()
