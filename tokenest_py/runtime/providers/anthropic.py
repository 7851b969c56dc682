"""Anthropic's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenest_py.runtime.providers.members import get, total

if TYPE_CHECKING:
    from tokenest_py.runtime.providers import Seen

PARAMETERS = {"anthropic": "max_tokens"}
CEILINGS = (("max_tokens",),)
IS_REQUIRED = True
EFFORTS = (("output_config", "effort"), ("thinking", "type"))
GRANTS = (("thinking", "budget_tokens"),)
TOO_LARGE = (
    r"max_tokens: \d+ > (?P<most>\d+)",
    r"exceed context limit: (?P<input>\d+) \+ \d+ > (?P<window>\d+)",
)


def is_response(response: object) -> bool:
    """A whole message: the `message_start` of a stream has no stop reason yet."""
    return (
        get(response, "type") in ("message", None)
        and get(response, "stop_reason") is not None
        and get(get(response, "usage"), "output_tokens") is not None
    )


def read(response: object) -> dict[str, object]:
    """The fields of the event record that a message carries; cached input is reported apart."""
    usage = get(response, "usage")
    return {
        "provider": "anthropic",
        "model": get(response, "model"),
        "response_id": get(response, "id"),
        "input_tokens": total(
            get(usage, "input_tokens"),
            get(usage, "cache_creation_input_tokens"),
            get(usage, "cache_read_input_tokens"),
        ),
        "actual_output_tokens": get(usage, "output_tokens"),
        "reasoning_tokens": get(get(usage, "output_tokens_details"), "thinking_tokens"),
        "stop_reason": get(response, "stop_reason"),
    }


def is_event(event: object) -> bool:
    """What a stream begins with, and what ends it."""
    return get(event, "type") in ("message_start", "message_delta")


def fold(seen: Seen, event: object) -> None:
    """Add an event: the last usage counts, and says only what has changed."""
    source = get(event, "message") if get(event, "type") == "message_start" else event
    for name in ("id", "model"):
        seen[name] = get(source, name) or seen.get(name)
    found = get(source, "usage")
    known = seen.get("usage")
    seen["usage"] = {
        name: value
        for name in (
            "input_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
            "output_tokens",
            "output_tokens_details",
        )
        if (value := get(found, name) if get(found, name) is not None else get(known, name))
        is not None
    }
    seen["stop_reason"] = get(get(event, "delta"), "stop_reason") or seen.get("stop_reason")
