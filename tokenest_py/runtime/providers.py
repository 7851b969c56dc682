"""What each provider's API calls the ceiling, and what its response says: never its text.

Responses are read by their members, as objects of the provider's own library or as the
dictionaries of its JSON; none of those libraries is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tokenest_py.errors import DroppedEventError
from tokenest_py.runtime.stop_reasons import is_cut_off

if TYPE_CHECKING:
    from collections.abc import Callable

# What each provider's API calls the ceiling on output tokens.
PARAMETERS = {
    "anthropic": "max_tokens",
    "bedrock": "maxTokens",
    "cohere": "max_tokens",
    "gemini": "maxOutputTokens",
    "google": "maxOutputTokens",
    "google_gemini": "maxOutputTokens",
    "openai": "max_completion_tokens",
    "openai_compatible": "max_tokens",
    "openai_responses": "max_output_tokens",
    "vertex": "maxOutputTokens",
}

MAX_ID = 200  # characters of an id that the event record keeps


def call_fields(estimate: object, budget: object, response: object) -> dict[str, object]:
    """Return the fields of the event record that a call's estimate, budget and response carry."""
    return {
        "category": _get(estimate, "category"),
        "complexity": _get(estimate, "complexity"),
        "labels": _get(estimate, "labels") or None,
        "deliverables": _get(estimate, "deliverables"),
        "deliverable_count": _get(estimate, "deliverable_count"),
        "breakdown": _get(estimate, "recorded_breakdown") or None,
        "coefficients_id": _get(estimate, "coefficients_id") or _get(budget, "coefficients_id"),
        "estimator_version": _get(estimate, "estimator_version"),
        "predicted_output_tokens": _get(estimate, "estimated_tokens"),
        "selected_budget": _get(budget, "max_tokens"),
        "budget_source": _get(budget, "source"),
        "max_truncation": _get(budget, "max_truncation"),
        "actual_max_tokens": _get(budget, "max_tokens"),
        "is_control": _get(budget, "is_control") or None,
    } | _known(response_fields(response))


def response_fields(response: object) -> dict[str, object]:
    """Return the fields of the event record that a provider's response carries.

    `input_tokens` includes cached ones, `actual_output_tokens` all that counts against the
    ceiling, reasoning included. What the response does not say is None.

    Raises:
        DroppedEventError: The response is of no known shape, has no usage, or holds several
            answers, whose tokens together say nothing about one ceiling.
    """
    fields = _reader(response)(response)
    fields["model_served"] = fields["model"]
    fields["response_id"] = _id(_get(response, "id", "response_id", "responseId"))
    stop_reason = fields["stop_reason"]
    if isinstance(stop_reason, str):
        fields["truncated"] = is_cut_off(stop_reason)
    return fields


def _reader(response: object) -> Callable[[object], dict[str, object]]:
    if _get(response, "usage_metadata", "usageMetadata") is not None:
        return _gemini
    usage = _get(response, "usage")
    if usage is None:
        raise DroppedEventError("response_without_usage")
    if _get(response, "choices") is not None:
        return _openai_chat
    if _get(response, "object") == "response":
        return _openai_responses
    if _get(usage, "output_tokens") is not None:
        return _anthropic
    raise DroppedEventError("unknown_response")


def _anthropic(response: object) -> dict[str, object]:
    usage = _get(response, "usage")
    return {
        "provider": "anthropic",
        "model": _get(response, "model"),
        "input_tokens": _sum(
            _get(usage, "input_tokens"),
            _get(usage, "cache_creation_input_tokens"),
            _get(usage, "cache_read_input_tokens"),
        ),
        "actual_output_tokens": _get(usage, "output_tokens"),
        "reasoning_tokens": _get(_get(usage, "output_tokens_details"), "thinking_tokens"),
        "stop_reason": _get(response, "stop_reason"),
    }


def _openai_chat(response: object) -> dict[str, object]:
    usage = _get(response, "usage")
    details = _get(usage, "completion_tokens_details")
    return {
        "provider": "openai",
        "model": _get(response, "model"),
        "input_tokens": _get(usage, "prompt_tokens"),
        "actual_output_tokens": _get(usage, "completion_tokens"),
        "reasoning_tokens": _get(details, "reasoning_tokens"),
        "stop_reason": _get(_only(_get(response, "choices")), "finish_reason"),
    }


def _openai_responses(response: object) -> dict[str, object]:
    usage = _get(response, "usage")
    reason = _get(_get(response, "incomplete_details"), "reason")
    return {
        "provider": "openai",
        "model": _get(response, "model"),
        "input_tokens": _get(usage, "input_tokens"),
        "actual_max_tokens": _get(response, "max_output_tokens"),
        "actual_output_tokens": _get(usage, "output_tokens"),
        "reasoning_tokens": _get(_get(usage, "output_tokens_details"), "reasoning_tokens"),
        "stop_reason": _get(response, "status") if reason is None else reason,
    }


def _gemini(response: object) -> dict[str, object]:
    usage = _get(response, "usage_metadata", "usageMetadata")
    thoughts = _get(usage, "thoughts_token_count", "thoughtsTokenCount")
    candidate = _only(_get(response, "candidates"))
    return {
        "provider": "gemini",
        "model": _get(response, "model_version", "modelVersion"),
        "input_tokens": _sum(
            _get(usage, "prompt_token_count", "promptTokenCount"),
            _get(usage, "tool_use_prompt_token_count", "toolUsePromptTokenCount"),
        ),
        "actual_output_tokens": _sum(
            _get(usage, "candidates_token_count", "candidatesTokenCount"), thoughts
        ),
        "reasoning_tokens": thoughts,
        "stop_reason": _name(_get(candidate, "finish_reason", "finishReason")),
    }


def _known(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _get(source: object, *names: str) -> object:
    """Return the first member of these names that `source` has, or None."""
    for name in names:
        value = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
        if value is not None:
            return value
    return None


def _only(answers: object) -> object:
    if not isinstance(answers, Sequence) or not answers:
        return None  # a blocked prompt or the last part of a stream has no answer
    if len(answers) > 1:
        raise DroppedEventError("several_answers")
    return answers[0]


def _sum(*counts: object) -> int | None:
    """Return the sum of the counts that are there, or None where there is none."""
    known = [count for count in counts if isinstance(count, int)]
    if len(known) < sum(count is not None for count in counts):
        raise DroppedEventError("unknown_response")
    return sum(known) if known else None


def _id(value: object) -> str | None:
    """Return the provider's id of the response; one that is no id costs no event."""
    return value if isinstance(value, str) and len(value) <= MAX_ID else None


def _name(reason: object) -> object:
    """Return the name of an enumeration's member (FinishReason.MAX_TOKENS), else as given."""
    return _get(reason, "name") or reason
