"""OpenAI's chat completions, and every server that speaks its format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tokenest_py.runtime.providers.members import answers, get, items, total

if TYPE_CHECKING:
    from tokenest_py.runtime.providers import Seen

PARAMETERS = {"openai": "max_completion_tokens", "openai_compatible": "max_tokens"}
CEILINGS = (("max_completion_tokens",), ("max_tokens",))
IS_REQUIRED = False
# OpenRouter says it under "reasoning"; Anthropic, Z.ai, DeepSeek and LiteLLM under "thinking".
EFFORTS = (("reasoning_effort",), ("reasoning", "effort"), ("thinking", "type"))
GRANTS = (("reasoning", "max_tokens"), ("thinking", "budget_tokens"))
TOO_LARGE = (
    r"supports at most (?P<most>\d+) completion tokens",
    r"max_\w*tokens.{0,60}?integer above maximum value[.,] [Ee]xpected a value <= (?P<most>\d+)",
    r"ange of max_tokens (?:is|should be) \[1, (?P<most>\d+)\]",  # DeepSeek, Alibaba
    r"max_tokens > (?P<most>\d+) must have stream",  # Fireworks
    r"exceeds model's maximum output tokens \((?P<most>\d+)\)",  # Ollama's cloud
    r"max_(completion_)?tokens.{0,80}? must be less than or equal to `?(?P<most>\d+)",  # Groq
    r"maximum context length is (?P<window>\d+) tokens.*\((?P<input>\d+) in the messages",
    r"maximum context length is (?P<window>\d+) tokens.*has (?P<input>\d+) input tokens",  # vLLM
    r"must be <= (?P<window>\d+)\. Given: (?P<input>\d+) .inputs. tokens",  # TGI
)


def is_response(response: object) -> bool:
    """A whole completion: a chunk of a stream is none."""
    return (
        get(response, "choices") is not None
        and get(response, "object") != "chat.completion.chunk"
        and get(get(response, "usage"), "completion_tokens") is not None
    )


def read(response: object) -> dict[str, object]:
    """The fields of the event record that a completion carries."""
    usage, model = get(response, "usage"), get(response, "model")
    apart, tokens = _reasoning_apart(usage, model), get(usage, "completion_tokens")
    reasons = [get(choice, "finish_reason") for choice in items(response, "choices")]
    return {
        "provider": "openai",
        "model": model,
        "response_id": get(response, "id"),
        "input_tokens": get(usage, "prompt_tokens"),
        "reasoning_tokens": apart or _reasoning(usage),
        **answers(reasons, total(tokens, apart) if apart else tokens),
    }


def _reasoning(usage: object) -> object:
    return get(get(usage, "completion_tokens_details"), "reasoning_tokens")


def _reasoning_apart(usage: object, model: object) -> int | None:
    """The reasoning that `completion_tokens` leaves out, and the total has: xAI and Gemini do so.

    Gemini's endpoint of this format says no count of it; else the rest of a total is not known.
    """
    said = [get(usage, name) for name in ("total_tokens", "prompt_tokens", "completion_tokens")]
    whole, *parts = [count for count in said if isinstance(count, int)] or [0]
    apart, reasoning = whole - sum(parts), _reasoning(usage)
    is_known = reasoning == apart or (reasoning is None and "gemini" in str(model))
    return apart if len(parts) == 2 and apart > 0 and is_known else None


def is_event(event: object) -> bool:
    """A chunk of a stream; some servers do not say that it is one."""
    said, choices = get(event, "object"), get(event, "choices")
    return said == "chat.completion.chunk" or (
        not said
        and isinstance(choices, Sequence)
        and all(get(choice, "delta") is not None for choice in choices)
    )


def fold(seen: Seen, event: object) -> None:
    """Add a chunk: usage comes with the last one, and only if it was asked for."""
    for name in ("id", "model", "usage"):
        seen[name] = get(event, name) or seen.get(name)
    reasons = seen.setdefault("reasons", {})
    for choice in items(event, "choices"):
        index = get(choice, "index") or 0
        reasons[index] = get(choice, "finish_reason") or reasons.get(index)
    seen["choices"] = [{"finish_reason": reason} for reason in reasons.values()]
    ended = [reason for reason in reasons.values() if reason is not None]
    seen["stop_reason"] = ended[0] if len(ended) == len(reasons) and ended else None
