"""Cohere's chat, version 2. It names no model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenest_py.runtime.providers.members import get

if TYPE_CHECKING:
    from tokenest_py.runtime.providers import Seen

PARAMETERS = {"cohere": "max_tokens"}
CEILINGS = (("max_tokens",),)
IS_REQUIRED = False
EFFORTS = (("thinking", "type"),)
GRANTS = ()
TOO_LARGE = (r"max_tokens.{0,80}?less than or equal to (?P<most>\d+)",)


def is_response(response: object) -> bool:
    """A whole answer. Its tokens are those that the model saw, not those that are billed."""
    return (
        get(response, "finish_reason") is not None
        and get(get(get(response, "usage"), "tokens"), "output_tokens") is not None
    )


def read(response: object) -> dict[str, object]:
    """The fields of the event record that an answer carries."""
    tokens = get(get(response, "usage"), "tokens")
    return {
        "provider": "cohere",
        "response_id": get(response, "id"),
        "input_tokens": get(tokens, "input_tokens"),
        "actual_output_tokens": get(tokens, "output_tokens"),
        "stop_reason": get(response, "finish_reason"),
    }


def is_event(event: object) -> bool:
    """What a stream begins with, and what ends it."""
    return get(event, "type") in ("message-start", "message-end")


def fold(seen: Seen, event: object) -> None:
    """Add an event: the last one has it all."""
    seen["id"] = get(event, "id") or seen.get("id")
    delta = get(event, "delta")
    reason = get(delta, "finish_reason")
    if reason is not None:
        seen["finish_reason"] = seen["stop_reason"] = reason
        seen["usage"] = get(delta, "usage")
