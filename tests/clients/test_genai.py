"""Google's own library."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from google import genai
from google.genai import errors, types

from tokenest_py import AUTO, Sizer, unsized

if TYPE_CHECKING:
    from wired import Wired

    from tokenest_py.clients.patches import Theirs

MODEL = "gemini-3-pro-preview"
CEILING = "generationConfig.maxOutputTokens"


def bare(wired: Wired) -> genai.Client:
    """A client of the provider on loopback."""
    return genai.Client(http_options=types.HttpOptions(base_url=wired.provider.url))


@pytest.fixture
def client(wired: Wired) -> genai.Client:
    """A sized client."""
    return wired.sized(bare(wired))


@pytest.mark.parametrize(
    "config",
    [
        None,
        {"temperature": 0.5},
        types.GenerateContentConfig(temperature=0.5),
    ],
    ids=str,
)
def test_generate(wired: Wired, client: genai.Client, config: Theirs) -> None:
    """The ceiling is added to whatever configuration there is; thoughts count."""
    answer = client.models.generate_content(
        model=MODEL, contents="needs 300 reasoning 50", config=config
    )
    assert answer.usage_metadata is not None
    assert wired.provider.ceilings(CEILING) == [1000]
    [event] = wired.events()
    said = {
        "provider": "gemini",
        "model": MODEL,
        "model_served": "gemini-served",
        "response_id": "gem-1",
        "input_tokens": 40,
        "actual_max_tokens": 1000,
        "actual_output_tokens": 350,
        "reasoning_tokens": 50,
        "stop_reason": "STOP",
        "truncated": False,
    }
    assert {name: event.get(name) for name in said} == said


@pytest.mark.parametrize(
    "config",
    [
        {"thinking_config": {"thinking_budget": 5000}},
        types.GenerateContentConfig(thinking_config=types.ThinkingConfig(thinking_budget=5000)),
    ],
    ids=["dict", "typed"],
)
def test_thinking(wired: Wired, client: genai.Client, config: Theirs) -> None:
    """Thoughts count against the ceiling: it is above what is granted to them."""
    client.models.generate_content(model="gemini-2.5-pro", contents="needs 30", config=config)
    assert wired.provider.ceilings(CEILING) == [6000]


def test_the_callers_configuration_stays_as_it_is(wired: Wired, client: genai.Client) -> None:
    """Nothing is changed in place."""
    given = types.GenerateContentConfig(temperature=0.5)
    client.models.generate_content(model=MODEL, contents="needs 300", config=given)
    assert given == types.GenerateContentConfig(temperature=0.5)
    assert wired.provider.ceilings(CEILING) == [1000]


def test_a_cut_off_answer_is_tried_once_more(wired: Wired, client: genai.Client) -> None:
    """Both attempts are recorded."""
    client.models.generate_content(model=MODEL, contents="needs 1500")
    assert wired.provider.ceilings(CEILING) == [1000, 2000]
    assert wired.seen("attempt", "stop_reason", "truncated") == [
        (1, "MAX_TOKENS", True),
        (2, "STOP", False),
    ]


@pytest.mark.parametrize(
    "config",
    [
        {"tools": [{"mcp_servers": [{"name": "mail"}]}]},
        types.GenerateContentConfig(
            tools=[types.Tool(mcp_servers=[types.McpServer(name="mail")])], temperature=0.5
        ),
    ],
)
def test_what_may_have_been_done_already(
    wired: Wired, client: genai.Client, config: Theirs
) -> None:
    """An answer in which a server of MCP was called is not tried again: it would do it twice."""
    client.models.generate_content(model=MODEL, contents="needs 1500", config=config)
    assert wired.seen("attempt", "truncated") == [(1, True)]


def test_the_callers_own_ceiling_wins(wired: Wired, client: genai.Client) -> None:
    """And is not raised."""
    for config in ({"max_output_tokens": 70}, types.GenerateContentConfig(max_output_tokens=80)):
        client.models.generate_content(model=MODEL, contents="needs 300", config=config)
    assert wired.seen("actual_max_tokens", "selected_budget") == [(70, 1000), (80, 1000)]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ({"max_output_tokens": 300}, {"max_output_tokens": 300}),
        ({"maxOutputTokens": 300}, {"maxOutputTokens": 300}),
        ({"temperature": 0}, {"temperature": 0, "maxOutputTokens": 1000}),
        (
            {"max_output_tokens": AUTO, "thinking_config": {"thinking_budget": 5000}},
            {"max_output_tokens": 6000, "thinking_config": {"thinking_budget": 5000}},
        ),
    ],
)
def test_the_other_spelling_of_a_transport(wired: Wired, written: Theirs, sent: Theirs) -> None:
    """The API takes its configuration in both, and in one of them only."""
    sizer = Sizer(estimator=wired.estimator, recorder=wired.recorder, category="learned")
    call = sizer.begin({"generation_config": written}, provider="gemini", model="gemini-3-pro")
    assert call.body == {"generation_config": sent}


def test_what_nothing_is_known_of(wired: Wired) -> None:
    """No ceiling is sent."""
    client = wired.sized(bare(wired), category="unseen")
    client.models.generate_content(model=MODEL, contents="needs 300")
    assert wired.provider.ceilings(CEILING) == [None]


def test_auto_is_a_number_here(wired: Wired, client: genai.Client) -> None:
    """The library validates the configuration first. A ceiling that is left out is sized."""
    client.models.generate_content(
        model=MODEL, contents="needs 300", config={"max_output_tokens": AUTO}
    )
    assert wired.seen("actual_max_tokens", "selected_budget") == [(4096, 1000)]


def test_stream(wired: Wired, client: genai.Client) -> None:
    """Two parts with usage are one call."""
    parts = list(client.models.generate_content_stream(model=MODEL, contents="needs 300"))
    assert len(parts) == 2
    assert wired.provider.ceilings(CEILING) == [1000]
    assert wired.seen("actual_output_tokens", "stop_reason") == [(300, "STOP")]


def test_a_stream_that_the_caller_leaves(wired: Wired, client: genai.Client) -> None:
    """What came of it is flagged."""
    stream = client.models.generate_content_stream(model=MODEL, contents="needs 300")
    next(stream)
    stream.close()
    assert wired.seen("quality_flags", "truncated") == [(["partial_usage"], None)]


def test_chats(wired: Wired, client: genai.Client) -> None:
    """They end in the same method."""
    chat = client.chats.create(model=MODEL)
    chat.send_message("needs 300")
    chat.send_message("needs 200")
    assert len(wired.events()) == 2


def test_awaited(wired: Wired, client: genai.Client) -> None:
    """The same."""

    async def calls() -> None:
        await client.aio.models.generate_content(model=MODEL, contents="needs 1500")
        stream = await client.aio.models.generate_content_stream(model=MODEL, contents="needs 9")
        assert len([part async for part in stream]) == 2

    asyncio.run(calls())
    assert wired.provider.ceilings(CEILING) == [1000, 2000, 1000]
    assert wired.seen("attempt", "actual_output_tokens") == [(1, 1000), (2, 1500), (1, 9)]


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_refusal_teaches_the_limit(
    wired: Wired,
    client: genai.Client,
    is_stream: bool,  # noqa: FBT001
) -> None:
    """The largest that is taken is sent, and from then on at once."""
    wired.provider.largest = 600
    models = client.models
    for _ in range(2):
        if is_stream:
            list(models.generate_content_stream(model=MODEL, contents="needs 300"))
        else:
            models.generate_content(model=MODEL, contents="needs 300")
    assert wired.provider.ceilings(CEILING) == [1000, 600, 600]
    assert wired.seen("actual_max_tokens") == [(600,), (600,)]


def test_an_error_is_no_event(wired: Wired, client: genai.Client) -> None:
    """It reaches the application as it is."""
    wired.provider.overloaded = 99
    with pytest.raises(errors.ServerError):
        client.models.generate_content(model=MODEL, contents="needs 300")
    with pytest.raises(errors.ServerError):
        list(client.models.generate_content_stream(model=MODEL, contents="needs 300"))
    assert wired.events() == []


def test_unsized(wired: Wired, client: genai.Client) -> None:
    """It is the client that it was."""
    unsized(client).models.generate_content(model=MODEL, contents="needs 3")
    assert wired.provider.ceilings(CEILING) == [None]
    assert wired.events() == []
