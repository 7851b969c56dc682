"""Every way in which an application reaches a provider: one call that needs 1,500 tokens each.

Used by test_paths.py, and by benchmarks/clients.py, which prints the table.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import agents
import anthropic
import boto3
import instructor
import openai
from google import genai
from google.genai import types
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tokenest_py import AUTO, Sizer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from wired import Wired

    from tokenest_py.clients.litellm import TokenestLogger
    from tokenest_py.clients.patches import Theirs

GPT, CLAUDE, GEMINI, NOVA = (
    "gpt-5-mini", "claude-opus-4-7", "gemini-3-pro-preview", "us.amazon.nova-pro-v1:0",
)  # fmt: skip
PROMPT = "needs 1500"
MESSAGES: list[Any] = [{"role": "user", "content": PROMPT}]
CHAT: dict[str, Any] = {"model": GPT, "messages": MESSAGES}
MESSAGE: dict[str, Any] = {"model": CLAUDE, "max_tokens": AUTO, "messages": MESSAGES}
CONVERSE: dict[str, Any] = {
    "modelId": NOVA,
    "messages": [{"role": "user", "content": [{"text": PROMPT}]}],
}
USAGE = {"stream_options": {"include_usage": True}}
CEILINGS = (
    "max_completion_tokens", "max_tokens", "max_output_tokens",
    "inferenceConfig.maxTokens", "generationConfig.maxOutputTokens", "options.num_predict",
)  # fmt: skip


class Person(BaseModel):
    """What the provider answers with."""

    name: str
    age: int


def _openai(wired: Wired) -> openai.OpenAI:
    return wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1"))


def _openai_async(wired: Wired) -> openai.AsyncOpenAI:
    return wired.sized(openai.AsyncOpenAI(base_url=f"{wired.provider.url}/v1"))


def _anthropic(wired: Wired) -> anthropic.Anthropic:
    return wired.sized(anthropic.Anthropic(base_url=wired.provider.url))


def _anthropic_async(wired: Wired) -> anthropic.AsyncAnthropic:
    return wired.sized(anthropic.AsyncAnthropic(base_url=wired.provider.url))


def _google(wired: Wired) -> genai.Client:
    options = types.HttpOptions(base_url=wired.provider.url)
    return wired.sized(genai.Client(http_options=options))


def _bedrock(wired: Wired) -> Theirs:
    url = wired.provider.url
    return wired.sized(boto3.client("bedrock-runtime", "us-east-1", endpoint_url=url))


def _azure(wired: Wired) -> None:
    client = openai.AzureOpenAI(azure_endpoint=wired.provider.url, api_version="2025-04-01-preview")
    wired.sized(client).chat.completions.create(**CHAT | {"model": "my-deployment"})


def _anthropic_on_bedrock(wired: Wired) -> None:
    client = anthropic.AnthropicBedrock(
        base_url=wired.provider.url,
        aws_region="us-east-1",
        aws_access_key="none",
        aws_secret_key="none",
    )
    wired.sized(client).messages.create(**MESSAGE)


def _anthropic_on_vertex(wired: Wired) -> None:
    client = anthropic.AnthropicVertex(
        base_url=wired.provider.url, region="us-east5", project_id="p", access_token="none"
    )
    wired.sized(client).messages.create(**MESSAGE)


def _responses_stream(wired: Wired) -> None:
    with _openai(wired).responses.stream(model=GPT, input=PROMPT) as stream:
        stream.until_done()


def _messages_stream(wired: Wired) -> None:
    with _anthropic(wired).messages.stream(**MESSAGE) as stream:
        stream.until_done()


def _instructor(wired: Wired) -> None:
    create = instructor.from_openai(_openai(wired)).chat.completions.create
    create(**CHAT, response_model=Person, max_retries=0)


async def _five(wired: Wired) -> None:
    async with _openai_async(wired) as client:
        await asyncio.gather(*[client.chat.completions.create(**CHAT) for _ in range(5)])


async def _messages_awaited(wired: Wired) -> None:
    async with _anthropic_async(wired) as client:
        await client.messages.create(**MESSAGE)


async def _pydantic_ai_openai(wired: Wired) -> None:
    async with _openai_async(wired) as client:
        model = OpenAIChatModel(GPT, provider=OpenAIProvider(openai_client=client))
        await Agent(model, output_type=Person).run(PROMPT)


async def _pydantic_ai_anthropic(wired: Wired) -> None:
    async with _anthropic_async(wired) as client:
        provider = AnthropicProvider(anthropic_client=client)
        model = AnthropicModel(CLAUDE, provider=provider, settings={"max_tokens": AUTO})
        await Agent(model, output_type=Person).run(PROMPT)


async def _agents_responses(wired: Wired) -> None:
    async with _openai_async(wired) as client:
        model = agents.OpenAIResponsesModel(GPT, client)
        await agents.Runner.run(agents.Agent(name="a", model=model), PROMPT)


async def _agents_chat(wired: Wired) -> None:
    async with _openai_async(wired) as client:
        model = agents.OpenAIChatCompletionsModel(GPT, client)
        await agents.Runner.run(agents.Agent(name="a", model=model), PROMPT)


def _google_once(wired: Wired) -> None:
    client = _google(wired)  # one that is let go closes itself
    client.models.generate_content(model=GEMINI, contents=PROMPT)


def _google_stream(wired: Wired) -> None:
    client = _google(wired)
    list(client.models.generate_content_stream(model=GEMINI, contents=PROMPT))


async def _google_awaited(wired: Wired) -> None:
    client = _google(wired)
    await client.aio.models.generate_content(model=GEMINI, contents=PROMPT)


def _litellm(wired: Wired) -> tuple[TokenestLogger, dict[str, Any]]:
    import litellm  # with its table as it is packaged, as wired.py has it said

    from tokenest_py.clients.litellm import TokenestLogger

    logger = TokenestLogger(category="learned", estimator=wired.estimator, recorder=wired.recorder)
    litellm.callbacks = [logger]
    return logger, CHAT | {
        "model": f"openai/{GPT}",
        "api_base": f"{wired.provider.url}/v1",
        "api_key": "none",
    }


async def _litellm_awaited(wired: Wired) -> None:
    import litellm

    _, call = _litellm(wired)
    await litellm.acompletion(**call)
    await _recorded(wired)


async def _litellm_asked(wired: Wired) -> None:
    import litellm

    logger, call = _litellm(wired)
    litellm.completion(**logger.size(**call))
    await _recorded(wired)


async def _litellm_alone(wired: Wired) -> None:
    import litellm

    _, call = _litellm(wired)
    litellm.completion(**call)
    await _recorded(wired)


async def _recorded(wired: Wired) -> None:
    """LiteLLM calls back from another thread or task."""
    import litellm

    for _ in range(1000):
        if wired.events():
            break
        await asyncio.sleep(0.02)
    litellm.callbacks = []
    for name in ("success_callback", "failure_callback", "input_callback"):
        setattr(litellm, name, [])
        setattr(litellm, f"_async_{name}", [])


def _langchain_openai(wired: Wired) -> None:
    model = ChatOpenAI(model=GPT, base_url=f"{wired.provider.url}/v1")
    wired.sized(model).invoke(PROMPT)


def _langchain_anthropic(wired: Wired) -> None:
    model = ChatAnthropic(model_name=CLAUDE, base_url=wired.provider.url, max_tokens_to_sample=AUTO)
    wired.sized(model).invoke(PROMPT)


def _own_transport(wired: Wired, provider: str, end: str) -> None:
    """A call by hand, of an API for which there is no wrapped client."""
    import httpx

    sizer = Sizer(estimator=wired.estimator, recorder=wired.recorder, category="learned")
    call = sizer.begin({"model": "m", "messages": MESSAGES}, provider=provider)
    for _ in range(2):
        answer = httpx.post(f"{wired.provider.url}{end}", json=call.body).json()
        if call.finish(answer).budget is None:
            break


def _overloaded(wired: Wired) -> None:
    wired.provider.overloaded = 2
    _openai(wired).chat.completions.create(**CHAT)


def _left(stream: Theirs) -> None:
    next(iter(stream))
    stream.close()


def awaited(call: Callable[[Wired], Coroutine[Any, Any, None]]) -> Callable[[Wired], object]:
    """A path that is awaited."""
    return lambda wired: asyncio.run(call(wired))


PATHS: dict[str, Callable[[Wired], object]] = {
    "openai chat": lambda w: _openai(w).chat.completions.create(**CHAT),
    "openai chat, awaited, 5 at once": awaited(_five),
    "openai chat, stream": lambda w: list(_openai(w).chat.completions.create(**CHAT, stream=True)),
    "openai chat, stream with usage": lambda w: list(
        _openai(w).chat.completions.create(**CHAT, stream=True, **USAGE)
    ),
    "openai parse": lambda w: _openai(w).chat.completions.parse(**CHAT, response_format=Person),
    "openai responses": lambda w: _openai(w).responses.create(model=GPT, input=PROMPT),
    "openai responses, stream": _responses_stream,
    "openai raw response": lambda w: _openai(w).chat.completions.with_raw_response.create(**CHAT),
    "openai with_options": lambda w: (
        _openai(w).with_options(timeout=9).chat.completions.create(**CHAT)
    ),
    "openai Azure": _azure,
    "anthropic messages": lambda w: _anthropic(w).messages.create(**MESSAGE),
    "anthropic messages, awaited": awaited(_messages_awaited),
    "anthropic messages, stream": _messages_stream,
    "anthropic Bedrock": _anthropic_on_bedrock,
    "anthropic Vertex": _anthropic_on_vertex,
    "google-genai": _google_once,
    "google-genai, awaited": awaited(_google_awaited),
    "google-genai, stream": _google_stream,
    "boto3 converse": lambda w: _bedrock(w).converse(**CONVERSE),
    "boto3 converse_stream": lambda w: list(_bedrock(w).converse_stream(**CONVERSE)["stream"]),
    "pydantic-ai, openai": awaited(_pydantic_ai_openai),
    "pydantic-ai, anthropic": awaited(_pydantic_ai_anthropic),
    "instructor": _instructor,
    "openai-agents, responses": awaited(_agents_responses),
    "openai-agents, chat": awaited(_agents_chat),
    "langchain-openai": _langchain_openai,
    "langchain-anthropic, AUTO": _langchain_anthropic,
    "litellm acompletion": awaited(_litellm_awaited),
    "litellm completion, asked": awaited(_litellm_asked),
    "litellm completion": awaited(_litellm_alone),
    "own transport, cohere": lambda w: _own_transport(w, "cohere", "/v2/chat"),
    "own transport, ollama": lambda w: _own_transport(w, "ollama", "/api/chat"),
    "openai, 503 twice": _overloaded,
    "openai, stream left": lambda w: _left(_openai(w).chat.completions.create(**CHAT, stream=True)),
    "anthropic, stream left": lambda w: _left(
        _anthropic(w).messages.create(**MESSAGE, stream=True)
    ),
}
