"""Refusals in the words of providers: what the application is told, and what is sent next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest
from conftest import LEARNED
from wired import ask

if TYPE_CHECKING:
    from wired import Wired

MODEL = "llama-4"
CEILING = ("max_completion_tokens", "max_tokens")
PER_MINUTE = "on tokens per minute (TPM): Limit {most}, Requested {given}"
ABOVE = (
    "The parameter `max_completion_tokens` specified in the request are not valid: integer above "
    "maximum value, expected a value <= {most}, but got {given} instead."
)
LEFT = (
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 700. "
    "Given: 100 `inputs` tokens and {given} `max_new_tokens`"
)


@pytest.fixture
def client(wired: Wired) -> openai.OpenAI:
    """A sized client."""
    return wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1", max_retries=0))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (429, f"Request too large for gpt-4o in organization org-1 {PER_MINUTE}. The input or"),
        (
            413,
            f"Request too large for model `llama-4` service tier `on_demand` {PER_MINUTE}, please",
        ),
    ],
)
def test_a_ceiling_beyond_the_tokens_per_minute(
    wired: Wired, client: openai.OpenAI, status: int, words: str
) -> None:
    """OpenAI and Groq count the ceiling: no such request would ever pass, one without it does."""
    wired.provider.largest, wired.provider.refusal, wired.provider.too_large = 600, status, words
    for _ in range(2):
        answer = client.chat.completions.create(model=MODEL, messages=ask("needs 300"))
        assert answer.choices[0].finish_reason == "stop"
    assert wired.provider.ceilings(*CEILING) == [LEARNED, None, None]


def test_a_rate_that_is_used_up(wired: Wired, client: openai.OpenAI) -> None:
    """It is not about the ceiling: the application waits as it would without us."""
    wired.provider.largest, wired.provider.refusal = 600, 429
    wired.provider.too_large = (
        "Rate limit reached for gpt-4o on tokens per min (TPM): Limit {most}, Used 500, "
        "Requested {given}. Please try again in 2s; or reduce the maximum tokens requested."
    )
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    assert wired.provider.ceilings(*CEILING) == [LEARNED]


@pytest.mark.parametrize(
    "words",
    [
        "Please reduce the length of the messages or completion. context_length_exceeded",
        "Invalid request: Your request exceeded model token limit: {most} (requested: {given})",
        "model max length exceeded, max length:{most}",
    ],
)
def test_a_window_in_other_words(wired: Wired, client: openai.OpenAI, words: str) -> None:
    """Groq, Cerebras and Moonshot: the ceiling is what was too much, for this input."""
    wired.provider.largest, wired.provider.too_large = 600, words
    answer = client.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    assert answer.choices[0].finish_reason == "stop"
    wired.provider.largest = 0
    client.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    assert wired.provider.ceilings(*CEILING) == [LEARNED, None, LEARNED]


@pytest.mark.parametrize(
    ("words", "following"),
    [
        ("<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, {most}]", 1),
        (ABOVE, 1),
        ("max_tokens ({given}) exceeds model's maximum output tokens ({most}) for model x", 1),
        ("Requests with max_tokens > {most} must have stream=true", 1),
        (LEFT, 2),
    ],
)
def test_the_largest_that_is_named(
    wired: Wired, client: openai.OpenAI, words: str, following: int
) -> None:
    """Alibaba, BytePlus and others name it, text-generation-inference what the window leaves."""
    wired.provider.largest, wired.provider.too_large = 600, words
    client.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    client.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    expected = [LEARNED, 600, 600] if following == 1 else [LEARNED, 600, LEARNED, 600]
    assert wired.provider.ceilings(*CEILING) == expected


def test_a_second_attempt_that_is_refused(wired: Wired, client: openai.OpenAI) -> None:
    """The next one asks for what is taken, and none is sent where that is no more."""
    for largest in (1400, LEARNED):
        wired.provider.largest, wired.provider.requests[:] = largest, []
        for _ in range(2):
            client.chat.completions.create(model=f"{MODEL}-{largest}", messages=ask("needs 1500"))
        second = [largest] if largest > LEARNED else []
        assert wired.provider.ceilings(*CEILING) == [LEARNED, 2 * LEARNED, LEARNED, *second]


def test_a_ceiling_that_azure_does_not_allow(wired: Wired) -> None:
    """The next request has the other name."""
    client = wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1"))
    wired.provider.largest = 600
    wired.provider.too_large = "Extra parameters ['max_completion_tokens'] are not allowed"
    client.chat.completions.create(model="gpt-5-mini", messages=ask("needs 300"))
    wired.provider.largest = 0
    client.chat.completions.create(model="gpt-5-mini", messages=ask("needs 300"))
    assert [sorted(set(CEILING) & set(body)) for body in wired.provider.bodies] == [
        ["max_completion_tokens"],
        [],
        ["max_tokens"],
    ]


@pytest.mark.parametrize("mode", ["size", "observe"])
@pytest.mark.parametrize("is_stream", [False, True])
def test_the_callers_own_ceiling_is_spent_by_reasoning(
    wired: Wired,
    mode: str,
    is_stream: bool,  # noqa: FBT001
) -> None:
    """The application has the error, once; the call counts as cut off, as each other one."""
    client = wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1"), mode=mode)
    wired.provider.largest = 600
    wired.provider.too_large = "Could not finish the message because max_tokens was reached."
    with pytest.raises(openai.BadRequestError, match="Could not finish"):
        client.chat.completions.create(
            model=MODEL, messages=ask("needs 1500"), max_tokens=900, stream=is_stream
        )
    assert wired.provider.ceilings(*CEILING) == [900]
    assert wired.seen("actual_max_tokens", "actual_output_tokens", "truncated") == [
        (900, 900, True)
    ]


@pytest.mark.parametrize("is_stream", [False, True])
def test_the_callers_own_ceiling_is_refused(
    wired: Wired,
    client: openai.OpenAI,
    is_stream: bool,  # noqa: FBT001
) -> None:
    """The application has the error, and no answer to a request that it did not write."""
    wired.provider.largest = 600
    with pytest.raises(openai.BadRequestError, match="too large: 900"):
        client.chat.completions.create(
            model=MODEL, messages=ask("needs 800"), max_tokens=900, stream=is_stream
        )
    assert set(wired.provider.ceilings(*CEILING)) == {900}
    client.chat.completions.create(model=MODEL, messages=ask("needs 300"), max_tokens=500)
    assert wired.seen("actual_max_tokens") == [(500,)]
