"""What LangChain makes of every provider's answer: one message with its own names."""

from __future__ import annotations

from tokenest_py.runtime.providers.members import get, items, name


def message(response: object) -> object:
    """The message within an LLMResult, or what was given."""
    for batch in items(response, "generations"):
        for generation in batch if isinstance(batch, list) else [batch]:
            return get(generation, "message")
    return response


def is_response(response: object) -> bool:
    """A message that has ended, or the LLMResult of one."""
    found = message(response)
    return (
        get(get(found, "usage_metadata"), "output_tokens") is not None
        and _reason(get(found, "response_metadata")) is not None
    )


def read(response: object) -> dict[str, object]:
    """The fields of the event record that a message carries."""
    found = message(response)
    usage = get(found, "usage_metadata")
    metadata = get(found, "response_metadata")
    return {
        "provider": get(metadata, "model_provider"),
        "model": get(metadata, "model_name", "model"),
        "response_id": get(found, "id"),
        "input_tokens": get(usage, "input_tokens"),
        "actual_output_tokens": get(usage, "output_tokens"),
        "reasoning_tokens": get(get(usage, "output_token_details"), "reasoning"),
        "stop_reason": name(_reason(metadata)),
    }


def _reason(metadata: object) -> object:
    """OpenAI's responses say it twice: that they are incomplete, and why."""
    why = get(get(metadata, "incomplete_details"), "reason")
    return why or get(metadata, "finish_reason", "stop_reason", "stopReason", "status")
