"""Ollama's own API (its other one speaks OpenAI's format)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenest_py.runtime.providers.members import get

if TYPE_CHECKING:
    from tokenest_py.runtime.providers import Seen

PARAMETERS = {"ollama": "num_predict"}
CEILINGS = (("options", "num_predict"),)
IS_REQUIRED = False
EFFORTS = (("think",),)
GRANTS = ()
TOO_LARGE = ()


def is_response(response: object) -> bool:
    """A whole answer, or the last part of a stream, which has all counts."""
    return get(response, "done") is True and get(response, "eval_count") is not None


def read(response: object) -> dict[str, object]:
    """The fields of the event record that an answer carries."""
    return {
        "provider": "ollama",
        "model": get(response, "model"),
        "input_tokens": get(response, "prompt_eval_count"),
        "actual_output_tokens": get(response, "eval_count"),
        "stop_reason": get(response, "done_reason"),
    }


def is_event(event: object) -> bool:
    """A part of a stream."""
    return isinstance(get(event, "done"), bool)


def fold(seen: Seen, event: object) -> None:
    """Add a part: the last one has it all."""
    if get(event, "done") is True:
        for name in ("model", "done", "done_reason", "prompt_eval_count", "eval_count"):
            seen[name] = get(event, name)
        seen["stop_reason"] = get(event, "done_reason") or "stop"
