"""Google's Gemini, on its own API and on Vertex."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from tokenest_py.runtime.providers.members import answers, get, items, name, total

if TYPE_CHECKING:
    from tokenest_py.runtime.providers import Seen

PARAMETERS = dict.fromkeys(("gemini", "google", "google_gemini", "vertex"), "maxOutputTokens")
_CONFIG = ("generationConfig", "generation_config")  # the API takes either spelling, and mixed
_THINKING = ("thinkingConfig", "thinking_config")
CEILINGS = tuple(product(_CONFIG, ("maxOutputTokens", "max_output_tokens")))
IS_REQUIRED = False
EFFORTS = tuple(product(_CONFIG, _THINKING, ("thinkingLevel", "thinking_level")))
GRANTS = tuple(product(_CONFIG, _THINKING, ("thinkingBudget", "thinking_budget")))
TOO_LARGE = (
    r"maxOutputTokens.{0,80}?from 1 \(inclusive\) to (?P<over>\d+) \(exclusive\)",
    r"max_output_tokens.{0,80}?from 1 \(inclusive\) to (?P<over>\d+) \(exclusive\)",
)


def is_response(response: object) -> bool:
    """A whole answer: a part of a stream has no finish reason, unless it is the last one."""
    if get(get(response, "usage_metadata", "usageMetadata"), *_COUNTS) is None:
        return False
    if get(response, "prompt_feedback", "promptFeedback") is not None:
        return True
    return any(
        get(candidate, "finish_reason", "finishReason") is not None
        for candidate in items(response, "candidates")
    )


_COUNTS = ("prompt_token_count", "promptTokenCount", "total_token_count", "totalTokenCount")


def read(response: object) -> dict[str, object]:
    """The fields of the event record that an answer carries; thoughts are reported apart."""
    usage = get(response, "usage_metadata", "usageMetadata")
    thoughts = get(usage, "thoughts_token_count", "thoughtsTokenCount")
    tokens = total(get(usage, "candidates_token_count", "candidatesTokenCount"), thoughts)
    reasons = [
        name(get(candidate, "finish_reason", "finishReason"))
        for candidate in items(response, "candidates")
    ]
    return {
        "provider": "gemini",
        "model": get(response, "model_version", "modelVersion"),
        "response_id": get(response, "response_id", "responseId"),
        "input_tokens": total(
            get(usage, "prompt_token_count", "promptTokenCount"),
            get(usage, "tool_use_prompt_token_count", "toolUsePromptTokenCount"),
        ),
        "reasoning_tokens": thoughts,
        **answers(reasons, tokens),
    }


def is_event(event: object) -> bool:
    """A part of a stream looks like an answer."""
    return (
        get(event, "candidates") is not None
        or get(get(event, "usage_metadata", "usageMetadata"), *_COUNTS) is not None
    )


def fold(seen: Seen, event: object) -> None:
    """Add a part: the counts of the last one are those of the whole."""
    for ours, *theirs in (
        ("usage_metadata", "usage_metadata", "usageMetadata"),
        ("model_version", "model_version", "modelVersion"),
        ("response_id", "response_id", "responseId"),
        ("prompt_feedback", "prompt_feedback", "promptFeedback"),
    ):
        seen[ours] = get(event, *theirs) or seen.get(ours)
    reasons = seen.setdefault("reasons", {})
    for candidate in items(event, "candidates"):
        index = get(candidate, "index") or 0
        reasons[index] = get(candidate, "finish_reason", "finishReason") or reasons.get(index)
    seen["candidates"] = [{"finish_reason": reason} for reason in reasons.values()]
    ended = [name(reason) for reason in reasons.values() if reason is not None]
    seen["stop_reason"] = ended[0] if len(ended) == len(reasons) and ended else None
