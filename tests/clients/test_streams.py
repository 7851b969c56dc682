"""Streams that come slowly or break off: they pass through as they are."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING, Any

import anthropic
import boto3
import openai
import pytest
from google import genai
from google.genai import types
from paths import CHAT, CONVERSE, GEMINI, GPT, MESSAGE, PROMPT, USAGE

import vintages
from tokenest_py import Estimator, sized
from tokenest_py.runtime.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wired import Wired

    from tokenest_py.clients.patches import Theirs


def chat(wired: Wired) -> Theirs:
    """OpenAI's chat."""
    client = wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1", max_retries=0))
    return client.chat.completions.create(**CHAT, stream=True)


def responses(wired: Wired) -> Theirs:
    """OpenAI's responses."""
    client = wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1", max_retries=0))
    return client.responses.create(model=GPT, input=PROMPT, stream=True)


def messages(wired: Wired) -> Theirs:
    """Anthropic's messages."""
    client = wired.sized(anthropic.Anthropic(base_url=wired.provider.url, max_retries=0))
    return client.messages.create(**MESSAGE, stream=True)


def gemini(wired: Wired) -> Iterator[Any]:
    """Google's."""
    options = types.HttpOptions(base_url=wired.provider.url)
    client = wired.sized(genai.Client(http_options=options))
    yield from client.models.generate_content_stream(model=GEMINI, contents=PROMPT)


def converse(wired: Wired) -> Theirs:
    """Bedrock's."""
    url = wired.provider.url
    client = wired.sized(boto3.client("bedrock-runtime", "us-east-1", endpoint_url=url))
    return client.converse_stream(**CONVERSE)["stream"]


STREAMS = [chat, responses, messages, gemini, converse]


@pytest.mark.parametrize("make", STREAMS)
def test_a_part_comes_when_it_is_sent(wired: Wired, make: Callable[[Wired], Any]) -> None:
    """The provider goes on only when the application has the first part: nothing is held back."""
    wired.provider.gate = threading.Event()
    parts = iter(make(wired))
    next(parts)
    assert not wired.provider.gate.is_set()
    wired.provider.gate.set()
    assert list(parts)
    assert wired.seen("actual_max_tokens", "actual_output_tokens", "truncated") == [
        (1000, 1000, True)
    ]


def test_a_server_that_does_not_say_what_a_chunk_is(wired: Wired) -> None:
    """Its chunks are known by what they hold."""
    wired.provider.says_object = False
    assert len(list(chat(wired))) == 2
    assert wired.seen("actual_output_tokens", "stop_reason") == [(1000, "length")]


def test_a_part_comes_when_it_is_sent_and_awaited(wired: Wired) -> None:
    """The same."""

    async def calls() -> None:
        url = f"{wired.provider.url}/v1"
        async with wired.sized(openai.AsyncOpenAI(base_url=url)) as client:
            stream = await client.chat.completions.create(**CHAT, stream=True)
            assert await anext(stream)
            assert wired.provider.gate is not None
            wired.provider.gate.set()
            assert [part async for part in stream]

    wired.provider.gate = threading.Event()
    asyncio.run(calls())
    assert wired.seen("actual_output_tokens") == [(1000,)]


def is_end(part: Theirs) -> bool:
    """Whether this says why the answer ended, as many an application asks in order to leave."""
    if isinstance(part, dict):
        return "messageStop" in part
    if hasattr(part, "type"):
        return part.type in ("response.completed", "response.incomplete", "message_delta")
    return any(choice.finish_reason for choice in part.choices)


@pytest.mark.parametrize("asked", [{}, USAGE])
@pytest.mark.parametrize("needs", [300, 1500])
@pytest.mark.parametrize("make", [chat, responses, messages, converse])
def test_a_stream_that_is_left_at_its_end(
    wired: Wired,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Wired], Any],
    needs: int,
    asked: dict[str, Any],
) -> None:
    """The usage comes after it: the whole answers would be lost, and what was cut off would stay.

    It is recorded while the application still has the stream, which may live as long as it does.
    """
    prompt = f"needs {needs}"
    monkeypatch.setitem(globals(), "PROMPT", prompt)
    for body, content in ((CHAT, prompt), (MESSAGE, prompt), (CONVERSE, [{"text": prompt}])):
        monkeypatch.setitem(body, "messages", [{"role": "user", "content": content}])
    monkeypatch.setitem(CHAT, "stream_options", asked.get("stream_options"))
    stream = make(wired)
    for part in stream:
        if is_end(part):
            break
    assert wired.seen("actual_output_tokens", "truncated", "quality_flags") == [
        (min(needs, 1000), needs > 1000, None)
    ]
    stream.close()


def test_a_stream_that_is_left_at_its_end_awaited(wired: Wired) -> None:
    """The same."""

    async def calls() -> None:
        async with wired.sized(openai.AsyncOpenAI(base_url=f"{wired.provider.url}/v1")) as client:
            stream = await client.chat.completions.create(**CHAT, stream=True)
            async for part in stream:
                if is_end(part):
                    break
            assert wired.seen("actual_output_tokens") == [(1000,)]
            await stream.close()

    asyncio.run(calls())
    assert wired.seen("actual_output_tokens") == [(1000,)]


def test_a_stream_that_breaks_off_after_its_end(wired: Wired) -> None:
    """The application has the end, and then the error, as without us."""
    wired.provider.breaks_off_after = 2
    parts: list[Any] = []
    with pytest.raises(Exception, match=r"peer|incomplete|closed"):
        parts.extend(chat(wired))
    assert [is_end(part) for part in parts] == [False, True]


def test_a_stream_that_is_left_awaited(wired: Wired) -> None:
    """Asyncio has nothing to say of ours; of httpx's generators it may, with a bare one, too."""

    async def leave(client: openai.AsyncOpenAI) -> None:
        async for _ in await client.chat.completions.create(**CHAT, stream=True):
            break

    async def calls() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, said: faults.append(said))
        async with wired.sized(openai.AsyncOpenAI(base_url=f"{wired.provider.url}/v1")) as client:
            await asyncio.create_task(leave(client))
            gc.collect()
            await asyncio.sleep(0.05)

    faults: list[Any] = []
    asyncio.run(calls())
    assert [said for said in faults if "Tapped" in said["message"]] == []
    assert wired.events() == []


def test_a_stream_that_is_freed_while_another_call_is_remembered(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collection of cycles may come at any time, in the thread that holds our lock, too."""

    def learn(*given: Theirs) -> None:
        gc.collect()
        known(*given)

    def calls() -> None:
        for event in client.responses.create(model=GPT, input=PROMPT, stream=True):
            if event.type == "response.incomplete":
                break
        client.responses.create(model=GPT, input="needs 5")

    path = vintages.write(
        wired.folder.parent, lambda packaged: vintages.still(packaged) + vintages.learned(0.02)
    )
    client = sized(
        openai.OpenAI(base_url=f"{wired.provider.url}/v1"),
        estimator=Estimator.load(path, strict=True),
        recorder=wired.recorder,
        category="chat",
    )
    known = Memory._know  # noqa: SLF001
    monkeypatch.setattr(Memory, "_know", learn)
    gc.disable()
    try:
        caller = threading.Thread(target=calls, daemon=True)
        caller.start()
        caller.join(20)
    finally:
        gc.enable()
    assert not caller.is_alive()
    assert len(wired.events()) == 2


@pytest.mark.parametrize("make", STREAMS)
def test_a_stream_that_breaks_off(wired: Wired, make: Callable[[Wired], Any]) -> None:
    """The library's error is the application's; no answer is claimed."""
    wired.provider.breaks_off_after = 1
    with pytest.raises(Exception, match=r"peer|incomplete|closed|read|broken|premature"):
        list(make(wired))
    assert {flags == ["partial_usage"] for (flags,) in wired.seen("quality_flags")} <= {True}
    assert {word for (word,) in wired.seen("truncated")} <= {None}
