"""What an application does beside its calls: time limits, mocks, other wrappers of its client."""

from __future__ import annotations

import asyncio
import functools
import inspect
import signal
from typing import TYPE_CHECKING
from unittest.mock import MagicMock, Mock, create_autospec

import boto3
import openai
import pytest
from botocore.config import Config
from botocore.exceptions import HTTPClientError
from google import genai
from google.genai import types
from paths import CHAT, CONVERSE, GEMINI, PROMPT

from tokenest_py import sized, unsized

if TYPE_CHECKING:
    from collections.abc import Callable

    from wired import Wired

    from tokenest_py.clients.patches import Theirs


class SoftTimeLimitError(Exception):
    """As Celery and RQ raise one within a task, by the handler of a signal."""


def limit(*_: object) -> None:
    """The time is up."""
    raise SoftTimeLimitError


def chat(wired: Wired, **options: Theirs) -> Theirs:
    """OpenAI's chat."""
    client = openai.OpenAI(base_url=f"{wired.provider.url}/v1", max_retries=0)
    return wired.sized(client, **options).chat.completions.create(**CHAT)


def gemini(wired: Wired, **options: Theirs) -> Theirs:
    """Google's."""
    http = types.HttpOptions(base_url=wired.provider.url)
    client = wired.sized(genai.Client(http_options=http), **options)
    return client.models.generate_content(model=GEMINI, contents=PROMPT)


def converse(wired: Wired, **options: Theirs) -> Theirs:
    """Bedrock's."""
    once = Config(retries={"total_max_attempts": 1})
    url = wired.provider.url
    client = boto3.client("bedrock-runtime", "us-east-1", endpoint_url=url, config=once)
    return wired.sized(client, **options).converse(**CONVERSE)


@pytest.mark.parametrize("ask", [chat, gemini, converse])
def test_a_time_limit_in_the_second_attempt(wired: Wired, ask: Callable[..., Theirs]) -> None:
    """The application has it, as its library passes it on, and not the first answer."""

    def begin(_: object) -> None:
        wired.provider.delay = 0.5
        signal.setitimer(signal.ITIMER_REAL, 0.2)

    errors = SoftTimeLimitError, openai.APIConnectionError, HTTPClientError
    before = signal.signal(signal.SIGALRM, limit)
    try:
        with pytest.raises(errors) as raised:
            ask(wired, on_truncation=begin)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    error: BaseException | None = raised.value
    while error is not None and not isinstance(error, SoftTimeLimitError):
        error = error.__cause__ or error.__context__
    assert error is not None


def test_a_mock_of_a_client() -> None:
    """Tests of an application put one in the place of a client: it stays as it is."""
    for mock in (Mock(), MagicMock(spec=openai.OpenAI), create_autospec(openai.OpenAI)):
        assert sized(mock, category="support") is mock
        assert unsized(mock) is mock
        mock.with_options.return_value = "theirs"
        assert mock.with_options(timeout=1) == "theirs"


def test_what_can_be_seen_of_a_method(wired: Wired) -> None:
    """Its signature and its name are those of the library."""
    bare = openai.OpenAI(base_url=wired.provider.url)
    methods = ("request", "copy", "with_options")
    signatures = [inspect.signature(getattr(bare, name)) for name in methods]
    client = wired.sized(bare)
    assert [inspect.signature(getattr(client, name)) for name in methods] == signatures
    assert client.with_options.__doc__ == openai.OpenAI.copy.__doc__


def test_a_wrapper_of_others_stays(wired: Wired) -> None:
    """A tool that wraps the method after us keeps its place; what of us is within does nothing."""
    client = wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1"), category="unseen")
    ours = client.request

    @functools.wraps(ours)
    def theirs(*args: Theirs, **kwargs: Theirs) -> Theirs:
        seen.append(1)
        return ours(*args, **kwargs)

    seen: list[int] = []
    client.request = theirs  # type: ignore[method-assign]
    wired.sized(client)
    client.chat.completions.create(**CHAT)
    unsized(client)
    client.chat.completions.create(**CHAT)
    assert len(seen) == len(wired.provider.requests) == 3
    assert wired.provider.ceilings("max_completion_tokens") == [1000, 2000, None]
    assert wired.seen("category", "attempt") == [("learned", 1), ("learned", 2)]


def test_a_method_that_is_awaited_and_does_not_say_so(wired: Wired) -> None:
    """As a tool leaves one that wraps it in a function."""
    client = openai.AsyncOpenAI(base_url=f"{wired.provider.url}/v1")
    real = client.request
    client.request = lambda *args, **kwargs: real(*args, **kwargs)  # type: ignore[method-assign]
    wired.sized(client)

    async def call() -> None:
        answer = await client.chat.completions.create(**CHAT)
        assert answer.choices[0].finish_reason == "stop"
        await client.close()

    asyncio.run(call())
    assert wired.seen("attempt", "truncated") == [(1, True), (2, False)]
