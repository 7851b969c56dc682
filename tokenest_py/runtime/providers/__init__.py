"""What each provider's API calls the ceiling, and what its answers say: never their text.

One module a provider. Each says

    PARAMETERS   the name of the ceiling, for each spelling of the provider's name
    CEILINGS     where in a request it stands, the name to write first
    IS_REQUIRED  whether a request may go without
    EFFORTS      where a request says how much the model shall reason
    GRANTS       where it grants tokens to reasoning, which the ceiling has to exceed
    TOO_LARGE    how it refuses a ceiling: patterns with `most`, `over`, or `window` and `input`
    is_response, read    a whole answer, and the fields of the event record that it carries
    is_event, fold       what counts in a stream, folded into what `read` reads

Answers are read by their members, as objects of the provider's own library or as the dictionaries
of its JSON; none of those libraries is imported. What only looks alike is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from tokenest_py.errors import DroppedEventError
from tokenest_py.runtime.providers import (
    anthropic,
    bedrock,
    cohere,
    gemini,
    langchain,
    ollama,
    openai_chat,
    openai_responses,
)
from tokenest_py.runtime.providers.members import PARTIAL_USAGE, SEVERAL_ANSWERS, get
from tokenest_py.runtime.stop_reasons import is_cut_off

if TYPE_CHECKING:
    from types import ModuleType

Seen: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str, ...]

APIS = (anthropic, openai_chat, openai_responses, gemini, bedrock, cohere, ollama)
PARAMETERS: dict[str, str] = {
    provider: name for api in APIS for provider, name in api.PARAMETERS.items()
}
BY_PROVIDER: dict[str, ModuleType] = {provider: api for api in APIS for provider in api.PARAMETERS}

MAX_NAME = 200  # characters of a name or an id that the event record keeps

__all__ = [
    "APIS",
    "BY_PROVIDER",
    "PARAMETERS",
    "SEVERAL_ANSWERS",
    "Fold",
    "call_fields",
    "response_fields",
    "said_limit",
    "stop_fields",
]


def call_fields(estimate: object, budget: object, response: object) -> dict[str, object]:
    """Return the fields of the event record that a call's estimate, budget and response carry."""
    return sized_fields(estimate, budget) | {
        name: value for name, value in response_fields(response).items() if value is not None
    }


def sized_fields(estimate: object, budget: object) -> dict[str, object]:
    """Return the fields of the event record that a call's estimate and budget carry."""
    return {
        "category": get(estimate, "category"),
        "complexity": get(estimate, "complexity"),
        "labels": get(estimate, "labels") or None,
        "deliverables": get(estimate, "deliverables"),
        "deliverable_count": get(estimate, "deliverable_count"),
        "breakdown": get(estimate, "recorded_breakdown") or None,
        "coefficients_id": get(estimate, "coefficients_id") or get(budget, "coefficients_id"),
        "estimator_version": get(estimate, "estimator_version"),
        "predicted_output_tokens": get(estimate, "estimated_tokens"),
        "selected_budget": get(budget, "max_tokens"),
        "budget_source": get(budget, "source"),
        # a ceiling that a limit lowered was made for no rate, and is judged by none
        "max_truncation": None if get(budget, "clamped_by") else get(budget, "max_truncation"),
        "actual_max_tokens": get(budget, "max_tokens"),
        "is_control": get(budget, "is_control") or None,
    }


def response_fields(response: object) -> dict[str, object]:
    """Return the fields of the event record that a provider's response carries.

    Besides a response it takes what holds one: the list of a stream's events, a raw response of
    the OpenAI and Anthropic libraries, the last event of OpenAI's responses, and the errors in
    which OpenAI's library and instructor hand over an answer that was cut off.

    `input_tokens` includes cached ones, `actual_output_tokens` all that counts against the
    ceiling, reasoning included. What the response does not say is None.

    Raises:
        DroppedEventError: The response is of no known shape, has no usage, or has not ended.
    """
    response = _within(response)
    for api in (*APIS, langchain):
        if api.is_response(response):
            return _completed(api.read(response))
    if any(api.is_event(response) for api in (anthropic, openai_chat, gemini, bedrock)):
        raise DroppedEventError("part_of_a_stream")
    if get(response, "usage", "usage_metadata", "usageMetadata") is None:
        raise DroppedEventError("response_without_usage")
    raise DroppedEventError("unknown_response")


def stop_fields(api: ModuleType, response: object) -> dict[str, object]:
    """How an answer of this provider ended, whether or not it says its tokens."""
    fields = _completed(api.read(_within(response)))
    return {name: fields.get(name) for name in ("stop_reason", "truncated")}


def _completed(fields: dict[str, object]) -> dict[str, object]:
    """What a provider said, and what follows from it; a name that is none costs no event."""
    for name in ("model", "response_id"):
        said = fields.get(name)
        fields[name] = said if isinstance(said, str) and len(said) <= MAX_NAME else None
    fields["model_served"] = fields["model"]
    reason = fields.get("stop_reason")
    if isinstance(reason, str):
        fields["truncated"] = is_cut_off(reason)
    return fields


def _within(response: object) -> object:
    """The answer within what was given."""
    if isinstance(response, (list, tuple)) and not hasattr(response, "_fields"):
        fold = Fold()
        for event in response:
            fold.add(event)
        return fold.seen
    if isinstance(response, Exception):
        return get(response, "completion", "last_completion")
    raw = get(response, "http_response")
    if raw is not None and hasattr(response, "parse"):
        return raw.json()  # type: ignore[attr-defined]
    if openai_responses.is_event(response):
        return get(response, "response")
    return response


class Fold:
    """Folds the events of a stream into the answer that they add up to. No text is kept.

    Attributes:
        seen: The answer so far, as `response_fields` reads it.
    """

    def __init__(self, api: ModuleType | None = None) -> None:
        """Fold the events of this provider; without one, of the first that knows an event."""
        self.seen: Seen = {}
        self._api = api

    def add(self, event: object) -> None:
        """Add one event; one that says nothing about usage is passed over."""
        api = self._api
        if api is None:
            api = next((api for api in APIS if api.is_event(event)), None)
            self._api = api
        if api is not None and api.is_event(event):
            api.fold(self.seen, event)

    @property
    def lacks_usage(self) -> bool | None:
        """Whether an answer that has ended says no usage yet; None where it has not ended."""
        if self.seen.get("stop_reason") is None:
            return None
        return self.seen.get("usage") is None

    def fields(self) -> dict[str, object]:
        """The fields of the event record that the parts so far carry.

        Those of a stream that has not ended are flagged as partial: its usage is not the answer's.
        """
        fields = {} if self._api is None else _completed(self._api.read(self.seen))
        if self.seen.get("stop_reason") is None:
            fields |= {"truncated": None, "quality_flags": [PARTIAL_USAGE]}
        return fields


def said_limit(message: str) -> tuple[int, bool] | None:
    """Read the largest ceiling out of a refusal, and whether it holds for each call of the model.

    What is left of the context window holds for this call only. A gateway hands on the words of
    whoever is behind it.
    """
    import re  # only a refusal pays for it

    for pattern in (pattern for api in APIS for pattern in api.TOO_LARGE):
        found = re.search(pattern, message, re.DOTALL)
        if found:
            said = {name: int(value) for name, value in found.groupdict().items()}
            if "window" in said:
                return said["window"] - said["input"], False
            return said.get("most", said.get("over", 0) - 1), True
    return None
