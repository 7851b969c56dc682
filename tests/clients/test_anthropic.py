"""Anthropic's own library, and its clients of Bedrock and Vertex."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import anthropic
import pydantic
import pytest
from conftest import LEARNED

import vintages
from tokenest_py import AUTO, Estimator, sized, unsized

if TYPE_CHECKING:
    from collections.abc import Callable

    from wired import Wired

MODEL = "claude-opus-4-7"
TOOL: Any = {
    "name": "person",
    "description": "A person",
    "input_schema": {"type": "object", "properties": {"name": {"type": "string"}}},
}


def ask(prompt: str) -> list[Any]:
    """One message."""
    return [{"role": "user", "content": prompt}]


@pytest.fixture
def client(wired: Wired) -> anthropic.Anthropic:
    """A sized client."""
    return wired.sized(anthropic.Anthropic(base_url=wired.provider.url))


def test_message(wired: Wired, client: anthropic.Anthropic) -> None:
    """AUTO is sized; cached input counts as input."""
    client.messages.create(model=MODEL, max_tokens=AUTO, messages=ask("needs 300"))
    [event] = wired.events()
    said = {
        "provider": "anthropic",
        "model": MODEL,
        "response_id": "msg-1",
        "input_tokens": 40,
        "selected_budget": LEARNED,
        "actual_max_tokens": LEARNED,
        "actual_output_tokens": 300,
        "stop_reason": "end_turn",
        "truncated": False,
    }
    assert {name: event.get(name) for name in said} == said


def test_a_cut_off_answer_is_tried_once_more(wired: Wired, client: anthropic.Anthropic) -> None:
    """The application sees the whole answer."""
    answer = client.messages.create(model=MODEL, max_tokens=AUTO, messages=ask("needs 1500"))
    assert answer.stop_reason == "end_turn"
    assert wired.provider.ceilings("max_tokens") == [1000, 2000]
    assert wired.seen("attempt", "truncated") == [(1, True), (2, False)]


def test_parse(wired: Wired, client: anthropic.Anthropic) -> None:
    """The library raises for half a JSON, without the answer: recorded, tried again, parsed."""

    class Person(pydantic.BaseModel):
        name: str
        age: int

    for messages in (client.messages, client.beta.messages):
        answer = messages.parse(
            model=MODEL, max_tokens=AUTO, messages=ask("needs 1500"), output_format=Person
        )
        assert answer.parsed_output == Person(name="Ada", age=36)
    assert wired.provider.ceilings("max_tokens") == [1000, 2000] * 2
    assert wired.seen("attempt", "truncated") == [(1, True), (2, False)] * 2


@pytest.mark.parametrize("is_beta", [False, True])
def test_a_stream_that_is_parsed(
    wired: Wired, client: anthropic.Anthropic, *, is_beta: bool
) -> None:
    """The library raises before it has read that the answer was cut off."""

    class Person(pydantic.BaseModel):
        name: str
        age: int

    stream: Any = (client.beta if is_beta else client).messages.stream
    asked = {"model": MODEL, "max_tokens": AUTO, "output_format": Person}
    with stream(messages=ask("needs 300"), **asked) as whole:
        assert whole.get_final_message().parsed_output.name == "Ada"
    with stream(messages=ask("needs 1500"), **asked) as it, pytest.raises(ValueError, match="JSON"):
        it.until_done()
    assert wired.seen("actual_output_tokens", "truncated") == [(300, False), (1000, True)]


def test_what_nothing_is_known_of(wired: Wired) -> None:
    """A ceiling has to be sent: it is AUTO's own number, twice that after a cut."""
    client = wired.sized(anthropic.Anthropic(base_url=wired.provider.url), category="unseen")
    client.messages.create(model=MODEL, max_tokens=AUTO, messages=ask("needs 5000"))
    assert wired.provider.ceilings("max_tokens") == [4096, 8192]


@pytest.mark.parametrize(("model", "most"), [(MODEL, 21_333), ("claude-opus-4-1", 8192)])
def test_the_library_allows_so_much_without_a_stream(wired: Wired, model: str, most: int) -> None:
    """No attempt is above that, the second one neither."""
    client = wired.sized(
        anthropic.Anthropic(base_url=wired.provider.url), category="unseen", max_tokens=30_000
    )
    for need in (5000, 12_000, 30_000):
        client.messages.create(model=model, max_tokens=AUTO, messages=ask(f"needs {need}"))
    sent = wired.provider.ceilings("max_tokens")
    assert sent == [4096, 8192] * 3
    assert max(sent, default=0) <= most


def test_the_second_attempt_stays_within_the_library(wired: Wired) -> None:
    """Twice the ceiling would be more."""
    client = wired.sized(anthropic.Anthropic(base_url=wired.provider.url), category="large")
    client.messages.create(model=MODEL, max_tokens=AUTO, messages=ask("needs 30000"))
    assert wired.provider.ceilings("max_tokens") == [15_000, 21_333]


def test_a_stream_may_be_longer(wired: Wired) -> None:
    """The limit of the library is for answers that come at once."""
    client = wired.sized(anthropic.Anthropic(base_url=wired.provider.url), category="huge")
    with client.messages.stream(model=MODEL, max_tokens=AUTO, messages=ask("needs 9")) as stream:
        assert stream.get_final_message().usage.output_tokens == 9
    list(client.messages.create(model=MODEL, max_tokens=AUTO, messages=ask("needs 8"), stream=True))
    client.messages.create(model=MODEL, max_tokens=AUTO, messages=ask("needs 7"))
    assert wired.provider.ceilings("max_tokens") == [40_000, 40_000, 21_333]
    assert wired.seen("actual_output_tokens", "stop_reason", "input_tokens", "truncated") == [
        (9, "end_turn", 40, False),
        (8, "end_turn", 40, False),
        (7, "end_turn", 40, False),
    ]


def test_a_cut_off_stream(wired: Wired, client: anthropic.Anthropic) -> None:
    """Recorded, not repeated."""
    with client.messages.stream(model=MODEL, max_tokens=AUTO, messages=ask("needs 1500")) as stream:
        assert stream.get_final_message().stop_reason == "max_tokens"
    assert wired.seen("truncated", "actual_output_tokens") == [(True, 1000)]


def test_a_stream_that_the_caller_leaves(wired: Wired, client: anthropic.Anthropic) -> None:
    """The one token that it begins with is no answer: the event says that it is partial."""
    stream = client.messages.create(
        model=MODEL, max_tokens=AUTO, messages=ask("needs 5"), stream=True
    )
    next(iter(stream))
    stream.close()
    assert wired.seen("quality_flags", "truncated", "stop_reason") == [
        (["partial_usage"], None, None)
    ]


def test_streams_that_are_left_move_no_ceiling(wired: Wired) -> None:
    """The token that each began with is not what its answer needed."""
    path = vintages.write(
        wired.folder.parent, lambda packaged: vintages.still(packaged) + vintages.learned(0.02)
    )
    client = sized(
        anthropic.Anthropic(base_url=wired.provider.url),
        estimator=Estimator.load(path, strict=True),
        recorder=wired.recorder,
        category="chat",
    )
    for _ in range(5):
        with client.messages.create(
            model=MODEL, max_tokens=AUTO, messages=ask("needs 5"), stream=True
        ) as stream:
            next(iter(stream))
    assert wired.seen("quality_flags") == [(["partial_usage"],)] * 5
    assert len(set(wired.provider.ceilings("max_tokens"))) == 1


def test_a_helper_that_the_caller_leaves(wired: Wired, client: anthropic.Anthropic) -> None:
    """It is recorded as it is left: a worker that is ended later collects no cycle before."""

    async def left() -> None:
        helper = waiting.messages.stream(model=MODEL, max_tokens=AUTO, messages=ask("needs 5"))
        async with helper as stream:
            await anext(stream)

    waiting = wired.sized(anthropic.AsyncAnthropic(base_url=wired.provider.url))
    gc.disable()
    try:
        with client.messages.stream(
            model=MODEL, max_tokens=AUTO, messages=ask("needs 5")
        ) as stream:
            next(stream)
        assert wired.seen("quality_flags") == [(["partial_usage"],)]
        asyncio.run(left())
        assert wired.seen("quality_flags") == [(["partial_usage"],)] * 2
    finally:
        gc.enable()


def test_tools(wired: Wired, client: anthropic.Anthropic) -> None:
    """A call of a tool is a whole answer."""
    answer = client.messages.create(
        model=MODEL, max_tokens=AUTO, messages=ask("needs 30"), tools=[TOOL]
    )
    assert answer.stop_reason == "tool_use"
    assert wired.seen("stop_reason", "truncated") == [("tool_use", False)]


def test_what_may_have_been_done_already(wired: Wired, client: anthropic.Anthropic) -> None:
    """An answer in which a server of MCP was called is not tried again: it would do it twice."""
    servers: Any = [{"type": "url", "url": "https://mail.test", "name": "mail"}]
    answer = client.beta.messages.create(
        model=MODEL, max_tokens=AUTO, messages=ask("needs 1500"), mcp_servers=servers
    )
    assert answer.stop_reason == "max_tokens"
    assert wired.seen("attempt", "truncated") == [(1, True)]


def test_a_thread(wired: Wired, client: anthropic.Anthropic) -> None:
    """Each answer is continued once, as the library's runner of tools does; a first one is anew."""
    answers = [
        client.beta.messages.create(
            model=MODEL, max_tokens=AUTO, messages=ask("needs 1500"), thread=thread
        )
        for thread in ({"type": "create"}, {"type": "continue", "previous_message_id": "msg-0"})
    ]
    assert [answer.stop_reason for answer in answers] == ["end_turn", "max_tokens"]
    assert wired.provider.ceilings("max_tokens") == [1000, 2000, 1000]


def test_a_cache_that_is_filled(wired: Wired, client: anthropic.Anthropic) -> None:
    """A ceiling of 0 asks for no answer: none was cut off."""
    client.messages.create(model=MODEL, max_tokens=0, messages=ask("needs 300"))
    assert wired.provider.ceilings("max_tokens") == [0]
    assert wired.events() == []


def test_thinking(wired: Wired, client: anthropic.Anthropic) -> None:
    """The ceiling has to be above what is granted to it; that there is any is a label."""
    client.messages.create(
        model=MODEL,
        max_tokens=AUTO,
        messages=ask("needs 30"),
        thinking={"type": "enabled", "budget_tokens": 5000},
    )
    assert wired.provider.ceilings("max_tokens") == [6000]
    assert wired.seen("labels") == [({"effort": "enabled"},)]


@pytest.mark.parametrize("is_stream", [False, True])
def test_thinking_up_to_the_limit(wired: Wired, *, is_stream: bool) -> None:
    """The ceiling is above what is granted, and once a refusal has said it within the limit."""
    client = wired.sized(anthropic.Anthropic(base_url=wired.provider.url), category="large")
    wired.provider.largest = 32_000
    for _ in range(2):
        client.messages.create(
            model="claude-new",
            max_tokens=AUTO,
            messages=ask("needs 30"),
            stream=is_stream,
            extra_body={"thinking": {"type": "enabled", "budget_tokens": 30_000}},
        )
    assert wired.provider.ceilings("max_tokens") == [45_000, 32_000, 32_000]


def test_beta_and_raw(wired: Wired, client: anthropic.Anthropic) -> None:
    """The other ways in."""
    client.beta.messages.create(
        model=MODEL, max_tokens=AUTO, messages=ask("needs 30"), betas=["context-1m-2025-08-07"]
    )
    raw = client.messages.with_raw_response.create(
        model=MODEL, max_tokens=AUTO, messages=ask("needs 31")
    )
    assert raw.parse().usage.output_tokens == 31
    assert wired.provider.ceilings("max_tokens") == [1000, 1000]
    assert wired.seen("actual_output_tokens") == [(30,), (31,)]


def test_awaited(wired: Wired) -> None:
    """The same."""

    async def calls() -> None:
        client = wired.sized(anthropic.AsyncAnthropic(base_url=wired.provider.url))
        await client.messages.create(model=MODEL, max_tokens=AUTO, messages=ask("needs 1500"))
        async with client.messages.stream(
            model=MODEL, max_tokens=AUTO, messages=ask("needs 9")
        ) as stream:
            assert (await stream.get_final_message()).usage.output_tokens == 9
        await client.close()

    asyncio.run(calls())
    assert wired.seen("attempt", "actual_output_tokens") == [(1, 1000), (2, 1500), (1, 9)]


def test_a_refusal_teaches_the_limit(wired: Wired, client: anthropic.Anthropic) -> None:
    """The largest that is taken is sent, and from then on at once."""
    wired.provider.largest = 600
    for _ in range(2):
        client.messages.create(model=MODEL, max_tokens=AUTO, messages=ask("needs 300"))
    assert wired.provider.ceilings("max_tokens") == [1000, 600, 600]


def test_an_error_is_no_event(wired: Wired, client: anthropic.Anthropic) -> None:
    """The library tries again by itself, then the application has it."""
    wired.provider.overloaded = 9
    with pytest.raises(anthropic.InternalServerError):
        client.messages.create(model=MODEL, max_tokens=AUTO, messages=ask("needs 300"))
    assert wired.provider.ceilings("max_tokens") == [1000] * 3
    assert wired.events() == []


def bedrock(url: str) -> anthropic.AnthropicBedrock:
    """The client of Bedrock."""
    return anthropic.AnthropicBedrock(
        base_url=url, aws_region="us-east-1", aws_access_key="none", aws_secret_key="none"
    )


def vertex(url: str) -> anthropic.AnthropicVertex:
    """The client of Vertex."""
    return anthropic.AnthropicVertex(
        base_url=url, region="us-east5", project_id="p", access_token="none"
    )


@pytest.mark.parametrize(
    ("make", "model"),
    [(bedrock, "anthropic.claude-opus-4-7-v1:0"), (vertex, "claude-opus-4-7@20260101")],
)
def test_on_other_platforms(wired: Wired, make: Callable[[str], Any], model: str) -> None:
    """The model is the platform's name for it."""
    client = wired.sized(make(wired.provider.url))
    client.messages.create(model=model, max_tokens=AUTO, messages=ask("needs 1500"))
    with client.messages.stream(model=model, max_tokens=AUTO, messages=ask("needs 9")) as stream:
        assert stream.get_final_message().usage.output_tokens == 9
    assert wired.provider.ceilings("max_tokens") == [1000, 2000, 1000]
    assert wired.seen("model", "attempt", "actual_output_tokens") == [
        (model, 1, 1000),
        (model, 2, 1500),
        (model, 1, 9),
    ]


def test_unsized(wired: Wired, client: anthropic.Anthropic) -> None:
    """AUTO is then the number that it is."""
    unsized(client).messages.create(model=MODEL, max_tokens=AUTO, messages=ask("needs 3"))
    assert wired.provider.ceilings("max_tokens") == [4096]
    assert wired.events() == []
