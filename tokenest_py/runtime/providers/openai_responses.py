"""OpenAI's responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenest_py.runtime.providers.members import get

if TYPE_CHECKING:
    from tokenest_py.runtime.providers import Seen

PARAMETERS = {"openai_responses": "max_output_tokens"}
CEILINGS = (("max_output_tokens",),)
IS_REQUIRED = False
EFFORTS = (("reasoning", "effort"),)
GRANTS = (("thinking", "budget_tokens"),)  # LiteLLM's callback says so what Claude is granted
TOO_LARGE = (r"max_output_tokens.{0,80}?at most (?P<most>\d+)",)

# LiteLLM hands its callbacks the usage under the names of chat completions.
_OUTPUT = ("output_tokens", "completion_tokens")
_DETAILS = ("output_tokens_details", "completion_tokens_details")
_LAST = ("response.completed", "response.incomplete", "response.failed")


def is_response(response: object) -> bool:
    """A response that has ended: one in the background has no usage yet."""
    return (
        get(response, "object") == "response" and get(get(response, "usage"), *_OUTPUT) is not None
    )


def read(response: object) -> dict[str, object]:
    """The fields of the event record that a response carries."""
    usage = get(response, "usage")
    reason = get(get(response, "incomplete_details"), "reason")
    return {
        "provider": "openai",
        "model": get(response, "model"),
        "response_id": get(response, "id"),
        "input_tokens": get(usage, "input_tokens", "prompt_tokens"),
        "actual_max_tokens": get(response, "max_output_tokens"),
        "actual_output_tokens": get(usage, *_OUTPUT),
        "reasoning_tokens": get(get(usage, *_DETAILS), "reasoning_tokens"),
        "stop_reason": get(response, "status") if reason is None else reason,
    }


def is_event(event: object) -> bool:
    """The last event of a stream, which has the whole response."""
    return get(event, "type") in _LAST


def fold(seen: Seen, event: object) -> None:
    """Keep what the response says of itself, without its text."""
    response = get(event, "response")
    for name in ("object", "id", "model", "usage", "incomplete_details", "max_output_tokens"):
        seen[name] = get(response, name)
    seen["status"] = seen["stop_reason"] = get(response, "status")
