"""OpenAI's library before servers of others: their names for the ceiling, refusals and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest
from conftest import LEARNED
from wired import CEILING, MODEL, SERVED, ask

from tokenest_py import AUTO

if TYPE_CHECKING:
    from wired import Wired


@pytest.mark.parametrize(
    "words",
    [
        "Could not finish the message because max_tokens or model output limit was reached.",
        "Failed to generate JSON: max completion tokens reached before generating a valid document",
    ],
)
def test_an_error_in_the_place_of_an_answer(
    wired: Wired, client: openai.OpenAI, words: str
) -> None:
    """OpenAI and Groq refuse to answer: it counts as cut off, and the model is sized further on."""
    wired.provider.largest = LEARNED - 1
    wired.provider.too_large = words
    answer = client.chat.completions.create(model=MODEL, messages=ask("needs 1500"))
    assert answer.choices[0].finish_reason == "stop"
    wired.provider.largest = 0
    client.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    assert wired.provider.ceilings(*CEILING) == [LEARNED, None, LEARNED]
    assert wired.seen("attempt", "actual_max_tokens", "actual_output_tokens", "truncated") == [
        (1, LEARNED, LEARNED, True),
        (2, None, 1500, False),
        (1, LEARNED, 300, False),
    ]


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("http://openrouter.ai/api/v1", {}),
        ("http://other.test/v1", {"usage": {"include": True}}),
    ],
)
def test_a_server_that_says_the_usage_of_streams(
    wired: Wired, url: str, given: dict[str, Any]
) -> None:
    """The application has it, as without us; nothing is asked for."""
    wired.provider.streams_usage = True
    http = openai.DefaultHttpxClient(proxy=wired.provider.url)
    client = wired.sized(openai.OpenAI(base_url=url, http_client=http))
    stream = client.chat.completions.create(
        model=MODEL, messages=ask("needs 300"), stream=True, extra_body=given
    )
    assert [chunk.usage.completion_tokens for chunk in stream if chunk.usage] == [300]
    assert "stream_options" not in wired.provider.bodies[0]
    assert wired.seen("actual_output_tokens", "truncated") == [(300, False)]


def test_azure(wired: Wired) -> None:
    """The model is the deployment that was asked for; its name says nothing, nor may the host."""
    client = wired.sized(
        openai.AzureOpenAI(azure_endpoint=wired.provider.url, api_version="2025-04-01-preview")
    )
    client.chat.completions.create(model="my-deployment", messages=ask("needs 300"))
    assert "/deployments/my-deployment/" in wired.provider.requests[0][0]
    assert wired.provider.ceilings("max_completion_tokens") == [1000]
    assert wired.seen("model", "model_served", "actual_max_tokens") == [
        ("my-deployment", SERVED, 1000)
    ]


def test_a_client_of_one_deployment(wired: Wired) -> None:
    """Its requests may name no model, as LangChain's do: it is the deployment, too."""
    client = wired.sized(
        openai.AzureOpenAI(
            azure_endpoint=wired.provider.url, azure_deployment="mine", api_version="2025-04-01"
        )
    )
    client.chat.completions.create(model="", messages=ask("needs 300"))
    assert "/deployments/mine/" in wired.provider.requests[0][0]
    assert wired.seen("model", "model_served", "actual_max_tokens") == [("mine", SERVED, 1000)]


def test_a_model_of_openai_on_bedrock(wired: Wired, client: openai.OpenAI) -> None:
    """It knows the newer name alone."""
    client.chat.completions.create(model="openai.gpt-5.4", messages=ask("needs 300"))
    assert wired.provider.ceilings("max_completion_tokens") == [1000]


def test_an_older_name_for_servers_of_other_models(wired: Wired, client: openai.OpenAI) -> None:
    """Who only speaks OpenAI's format may know `max_tokens` alone."""
    client.chat.completions.create(model="llama-4-scout", messages=ask("needs 300"))
    assert wired.provider.bodies[0]["max_tokens"] == LEARNED


@pytest.mark.parametrize(
    "words",
    [
        "This model supports at most {most} completion tokens, whereas you provided {given}.",
        "Invalid max_tokens value, the valid range of max_tokens is [1, {most}]",
        "max_tokens for `llama-3.1-8b-instant` must be less than or equal to {most}",
        "`max_completion_tokens` must be less than or equal to `{most}`, the maximum value",
    ],
)
def test_a_refusal_teaches_the_limit(wired: Wired, client: openai.OpenAI, words: str) -> None:
    """The largest that is taken is sent, and from then on at once, whoever says it."""
    wired.provider.largest, wired.provider.too_large = 600, f"max_tokens: {words}"
    for _ in range(2):
        client.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    assert wired.provider.ceilings(*CEILING) == [1000, 600, 600]
    assert wired.seen("actual_max_tokens", "attempt") == [(600, 1), (600, 1)]


@pytest.mark.parametrize(
    "words",
    [
        "However, you requested 1040 tokens (40 in the messages, 1000 in the completion).",
        "Your request has 40 input tokens (1000 > 640 - 40).",
    ],
)
def test_a_window_that_leaves_less(wired: Wired, client: openai.OpenAI, words: str) -> None:
    """What is left of it is sent; that holds for this input, so nothing is remembered."""
    wired.provider.largest = 600
    wired.provider.too_large = f"This model's maximum context length is 640 tokens. {words}"
    for _ in range(2):
        client.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    assert wired.provider.ceilings(*CEILING) == [1000, 600] * 2
    assert wired.seen("actual_max_tokens", "attempt") == [(600, 1)] * 2


def test_a_server_that_knows_no_ceiling(wired: Wired, client: openai.OpenAI) -> None:
    """The request goes out as it was written, and the next ones at once."""
    wired.provider.refuses = CEILING
    for _ in range(3):
        client.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    assert wired.provider.ceilings(*CEILING) == [1000, None, 1000, None, None]
    assert wired.seen("actual_max_tokens", "actual_output_tokens") == [(None, 300)] * 3


@pytest.mark.parametrize(
    ("model", "refused", "known"), [(MODEL, *CEILING), ("my-deployment", *reversed(CEILING))]
)
def test_a_server_that_knows_the_other_name(
    wired: Wired, client: openai.OpenAI, model: str, refused: str, known: str
) -> None:
    """An old server of a new model, and a deployment that no name tells: the next ones fit."""
    wired.provider.refuses = (refused,)
    for _ in range(2):
        client.chat.completions.create(model=model, messages=ask("needs 300"))
    assert wired.provider.ceilings(refused) == [1000, None, None]
    assert wired.provider.ceilings(known) == [None, None, 1000]


def test_auto_under_a_name_that_is_refused(wired: Wired, client: openai.OpenAI) -> None:
    """It asks for no number: the request goes out without one, the next under the other name."""
    wired.provider.refuses = ("max_tokens",)
    for _ in range(2):
        client.chat.completions.create(model=MODEL, messages=ask("needs 300"), max_tokens=AUTO)
    assert wired.provider.ceilings("max_tokens") == [1000, None, None]
    assert wired.provider.ceilings("max_completion_tokens") == [None, None, 1000]
    assert wired.seen("actual_max_tokens") == [(None,), (1000,)]


def test_an_input_that_is_too_long(wired: Wired, client: openai.OpenAI) -> None:
    """The application has the error; it says nothing of the other calls of the model."""
    with pytest.raises(openai.BadRequestError, match="context length"):
        client.chat.completions.create(model=MODEL, messages=ask("too long"))
    client.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    assert wired.provider.ceilings(*CEILING) == [1000, None, 1000]
    assert wired.seen("actual_max_tokens") == [(1000,)]


def test_a_body_beside_the_arguments(wired: Wired, client: openai.OpenAI) -> None:
    """What stands in `extra_body` was written by the caller, too."""
    create = client.chat.completions.create
    create(model=MODEL, messages=ask("needs 300"), extra_body={"max_tokens": 70})
    create(model=MODEL, messages=ask("needs 1500"), extra_body={"max_tokens": AUTO})
    create(
        model=MODEL, messages=ask("needs 3"), max_tokens=5, extra_body={"max_tokens": openai.omit}
    )
    create(model=MODEL, messages=ask("needs 3"), extra_body={"reasoning": {"max_tokens": 2000}})
    create(model=MODEL, messages=ask("needs 3"), extra_body={"thinking": {"type": "enabled"}})
    stream = create(
        model=MODEL,
        messages=ask("needs 3"),
        stream=True,
        extra_body={"stream_options": {"include_usage": True}},
    )
    assert [chunk.usage is not None for chunk in stream] == [False, False, True]
    assert wired.provider.ceilings("max_tokens") == [70, 1000, 2000, *[None] * 4]
    assert wired.provider.ceilings("max_completion_tokens") == [*[None] * 3, 1000, 3000, 1000, 1000]
    assert wired.seen("actual_max_tokens", "labels")[:1] == [(70, None)]
    assert wired.seen("labels")[-2:] == [({"effort": "enabled"},), (None,)]


def test_a_response_in_the_background(wired: Wired, client: openai.OpenAI) -> None:
    """It is left alone: nobody waits for it who could try again."""
    client.responses.create(model=MODEL, input="needs 300", background=True)
    assert wired.provider.ceilings("max_output_tokens") == [None]
    assert wired.events() == []


@pytest.mark.parametrize("given", [-1, 0, 10**30])
def test_as_much_as_there_is(wired: Wired, client: openai.OpenAI, given: int) -> None:
    """Local servers take -1 for no ceiling: it is sent, and the event says that there was none."""
    client.chat.completions.create(model=MODEL, messages=ask("needs 300"), max_tokens=given)
    assert wired.provider.ceilings("max_tokens") == [given]
    assert len(wired.seen("actual_output_tokens")) == 1
    assert wired.seen("actual_max_tokens", "selected_budget") == [(None, None)]


def test_a_server_that_knows_no_stream_options(wired: Wired, client: openai.OpenAI) -> None:
    """The stream comes as it was asked for, and the next ones have a ceiling."""
    wired.provider.refuses = ("stream_options",)
    for _ in range(2):
        stream = client.chat.completions.create(model=MODEL, messages=ask("needs 3"), stream=True)
        assert len(list(stream)) == 2
    assert ["stream_options" in body for body in wired.provider.bodies] == [True, False, False]
    assert wired.provider.ceilings(*CEILING) == [1000, None, 1000]
