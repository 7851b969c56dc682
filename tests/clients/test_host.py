"""What an application does beside its calls: time limits, mocks, other wrappers of its client."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import boto3
import openai
import pytest
from botocore.config import Config
from google import genai
from google.genai import types
from paths import CHAT, CONVERSE, GEMINI, PROMPT

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

    before = signal.signal(signal.SIGALRM, limit)
    try:
        with pytest.raises(Exception, match=".*") as raised:
            ask(wired, on_truncation=begin)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    error: BaseException | None = raised.value
    while error is not None and not isinstance(error, SoftTimeLimitError):
        error = error.__cause__ or error.__context__
    assert error is not None
