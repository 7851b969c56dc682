"""Converse of Amazon Bedrock: one format for all of its models. It names no model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenest_py.runtime.providers.members import get, total

if TYPE_CHECKING:
    from tokenest_py.runtime.providers import Seen

PARAMETERS = {"bedrock": "maxTokens"}
CEILINGS = (("inferenceConfig", "maxTokens"),)
IS_REQUIRED = False
EFFORTS = (
    ("additionalModelRequestFields", "thinking", "type"),
    ("additionalModelRequestFields", "reasoning_config", "type"),
)
GRANTS = (
    ("additionalModelRequestFields", "thinking", "budget_tokens"),
    ("additionalModelRequestFields", "reasoning_config", "budget_tokens"),
)
TOO_LARGE = (r"maximum tokens you requested exceeds the model limit of (?P<most>\d+)",)


def is_response(response: object) -> bool:
    """What Converse returns."""
    return (
        get(response, "stopReason") is not None
        and get(get(response, "usage"), "outputTokens") is not None
    )


def read(response: object) -> dict[str, object]:
    """The fields of the event record that an answer carries; cached input is reported apart."""
    usage = get(response, "usage")
    return {
        "provider": "bedrock",
        "response_id": get(get(response, "ResponseMetadata"), "RequestId"),
        "input_tokens": total(
            get(usage, "inputTokens"),
            get(usage, "cacheReadInputTokens"),
            get(usage, "cacheWriteInputTokens"),
        ),
        "actual_output_tokens": get(usage, "outputTokens"),
        "stop_reason": get(response, "stopReason"),
    }


def is_event(event: object) -> bool:
    """The two events of ConverseStream that count."""
    return get(event, "messageStop", "metadata") is not None


def fold(seen: Seen, event: object) -> None:
    """Add an event: the stop reason comes before the usage."""
    reason = get(get(event, "messageStop"), "stopReason")
    if reason is not None:
        seen["stopReason"] = seen["stop_reason"] = reason
    usage = get(get(event, "metadata"), "usage")
    if usage is not None:
        seen["usage"] = usage
