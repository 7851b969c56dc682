"""Frameworks that are handed a sized client, or whose client is sized."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import agents
import instructor
import openai
import pytest
from conftest import LEARNED
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tokenest_py import AUTO, Recorder, unsized
from tokenest_py.errors import UsageError
from tokenest_py.runtime.providers import response_fields

if TYPE_CHECKING:
    from wired import Wired

    from tokenest_py.clients.patches import Theirs

MODEL = "gpt-5-mini"
CLAUDE = "claude-opus-4-7"
CEILINGS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
TWICE = [(1, 1000, True), (2, 1500, False)]
SEEN = ("attempt", "actual_output_tokens", "truncated")


class Person(BaseModel):
    """What the provider answers with."""

    name: str
    age: int


def url(wired: Wired) -> str:
    """Where OpenAI's clients go."""
    return f"{wired.provider.url}/v1"


def test_instructor(wired: Wired) -> None:
    """It sees whole answers only."""
    client = instructor.from_openai(wired.sized(openai.OpenAI(base_url=url(wired))))
    person = client.chat.completions.create(
        model=MODEL,
        response_model=Person,
        messages=[{"role": "user", "content": "needs 1500"}],
        max_retries=0,
    )
    assert (person.name, person.age) == ("Ada", 36)
    assert wired.provider.ceilings(*CEILINGS) == [LEARNED, 2 * LEARNED]
    assert wired.seen(*SEEN) == TWICE


def test_instructor_that_stays_cut_off(wired: Wired, tmp_path: Theirs) -> None:
    """Its error carries the answer: whoever records by hand can hand it over."""
    bare = instructor.from_openai(openai.OpenAI(base_url=url(wired)))
    with pytest.raises(Exception, match=r"(?i)incomplete") as caught:
        bare.chat.completions.create(
            model=MODEL,
            response_model=Person,
            messages=[{"role": "user", "content": "needs 1500"}],
            max_tokens=50,
            max_retries=0,
        )
    error: Any = caught.value
    recorder = Recorder(tmp_path / "by hand", enabled=True)
    assert recorder.record_response(None, error, run_id="r", phase_id="p")
    assert response_fields(error)["actual_output_tokens"] == 50


def test_pydantic_ai(wired: Wired) -> None:
    """Structured output by a tool."""

    async def calls() -> Theirs:
        client = wired.sized(openai.AsyncOpenAI(base_url=url(wired)))
        model = OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=client))
        result = await Agent(model, output_type=Person).run("needs 1500")
        await client.close()
        return result

    result = asyncio.run(calls())
    assert result.output == Person(name="Ada", age=36)
    assert wired.seen(*SEEN) == TWICE
    with pytest.raises(Exception, match=r"response_without_usage|unknown_response"):
        response_fields(result)


def test_openai_agents(wired: Wired) -> None:
    """Both of its models."""

    async def calls() -> list[Any]:
        client = wired.sized(openai.AsyncOpenAI(base_url=url(wired)))
        models = (
            agents.OpenAIResponsesModel(MODEL, client),
            agents.OpenAIChatCompletionsModel(MODEL, client),
        )
        results = [
            await agents.Runner.run(agents.Agent(name="a", model=model), "needs 1500")
            for model in models
        ]
        streamed = agents.Runner.run_streamed(agents.Agent(name="a", model=models[0]), "needs 9")
        async for _ in streamed.stream_events():
            pass
        await client.close()
        return results

    results = asyncio.run(calls())
    assert wired.seen(*SEEN) == [*TWICE, *TWICE, (1, 9, False)]
    for result in results:
        with pytest.raises(Exception, match=r"response_without_usage|unknown_response"):
            response_fields(result.raw_responses[0])


def test_langchain_openai(wired: Wired) -> None:
    """The model itself is handed over; its messages can be read by hand, too."""
    model = wired.sized(ChatOpenAI(model=MODEL, base_url=url(wired)))
    message = model.invoke("needs 1500")
    list(model.stream("needs 9"))
    asyncio.run(model.ainvoke("needs 8"))
    structured = model.with_structured_output(Person).invoke("needs 7")
    assert structured == Person(name="Ada", age=36)
    assert wired.provider.ceilings(*CEILINGS) == [1000, 2000, 1000, 1000, 1000]
    assert wired.seen(*SEEN) == [*TWICE, (1, 9, False), (1, 8, False), (1, 7, False)]
    fields = response_fields(message)
    assert (fields["actual_output_tokens"], fields["stop_reason"]) == (1500, "stop")
    assert (fields["input_tokens"], fields["model"]) == (40, "gpt-5-mini-2025-08-07")
    assert response_fields(model.generate([[HumanMessage("needs 6")]]))["actual_output_tokens"] == 6


def test_what_is_made_of_a_model_of_langchain(wired: Wired) -> None:
    """It is no model, and the message names what is."""
    bound = ChatOpenAI(model=MODEL, base_url=url(wired)).bind(stop=["x"])
    with pytest.raises(UsageError, match=r"langchain_core.* ChatOpenAI .* before anything .*Sizer"):
        wired.sized(bound)


def test_a_ceiling_of_langchain_openai(wired: Wired) -> None:
    """A common number that happens to be AUTO's own is the caller's: one can leave it out here."""
    model = wired.sized(ChatOpenAI(model=MODEL, base_url=url(wired), max_completion_tokens=4096))
    model.invoke("needs 1500")
    assert wired.provider.ceilings(*CEILINGS) == [4096]
    assert wired.seen("actual_max_tokens", "selected_budget") == [(4096, 1000)]


def test_langchain_openai_responses(wired: Wired) -> None:
    """Its other way."""
    model = wired.sized(ChatOpenAI(model=MODEL, base_url=url(wired), use_responses_api=True))
    message = model.invoke("needs 1500")
    assert wired.seen(*SEEN) == TWICE
    assert response_fields(message)["actual_output_tokens"] == 1500


def test_langchain_anthropic(wired: Wired) -> None:
    """AUTO loses its type in the model's fields, and is still AUTO."""
    model = wired.sized(
        ChatAnthropic(model_name=CLAUDE, base_url=wired.provider.url, max_tokens_to_sample=AUTO)
    )
    message = model.invoke("needs 1500")
    assert response_fields(message)["stop_reason"] == "end_turn"
    list(model.stream("needs 9"))
    asyncio.run(model.bind(stop=["x"]).ainvoke("needs 8"))
    assert wired.provider.ceilings(*CEILINGS) == [1000, 2000, 1000, 1000]
    assert wired.seen(*SEEN) == [*TWICE, (1, 9, False), (1, 8, False)]
    unsized(model).invoke("needs 5")
    assert len(wired.events()) == 4


def test_langchains_client_alone(wired: Wired) -> None:
    """Its number is then the caller's own."""
    model = ChatAnthropic(model_name=CLAUDE, base_url=wired.provider.url, max_tokens_to_sample=AUTO)
    # LangChain hands out its client in no other way
    wired.sized(model._client)  # noqa: SLF001
    model.invoke("needs 1500")
    assert wired.seen("actual_max_tokens", "selected_budget") == [(4096, 1000)]
