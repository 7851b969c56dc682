"""OpenAI's own library, sync and awaited: what is sent, recorded and tried again."""

from __future__ import annotations

import asyncio
import functools
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any

import openai
import pydantic
import pytest
from conftest import LEARNED
from google import genai

import vintages
from tokenest_py import AUTO, Estimator, Recorder, labels, sized, unsized
from tokenest_py.clients import quietly, sizer
from tokenest_py.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from wired import Wired

    from tokenest_py.runtime.budget import Escalation

MODEL = "gpt-5-mini"
SERVED = "gpt-5-mini-2025-08-07"
CEILING = ("max_completion_tokens", "max_tokens")


def ask(prompt: str) -> list[Any]:
    """One message."""
    return [{"role": "user", "content": prompt}]


class Person(pydantic.BaseModel):
    """What the provider answers with."""

    name: str
    age: int


@pytest.fixture
def client(wired: Wired) -> openai.OpenAI:
    """A sized client."""
    return wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1"))


def test_chat(wired: Wired, client: openai.OpenAI) -> None:
    """The ceiling of the table is sent, the answer is recorded whole."""
    answer = client.chat.completions.create(model=MODEL, messages=ask("needs 300 reasoning 50"))
    assert answer.choices[0].finish_reason == "stop"
    assert wired.provider.bodies[0]["max_completion_tokens"] == LEARNED
    [event] = wired.events()
    said = {
        "provider": "openai",
        "model": MODEL,
        "model_served": SERVED,
        "response_id": "chat-1",
        "category": "learned",
        "run_id": "app",
        "attempt": 1,
        "input_tokens": 40,
        "selected_budget": LEARNED,
        "actual_max_tokens": LEARNED,
        "actual_output_tokens": 350,
        "reasoning_tokens": 50,
        "stop_reason": "stop",
        "truncated": False,
    }
    assert {name: event.get(name) for name in said} == said


def test_a_cut_off_answer_is_tried_once_more(wired: Wired, client: openai.OpenAI) -> None:
    """Twice the ceiling; both attempts are events of one phase."""
    answer = client.chat.completions.create(model=MODEL, messages=ask("needs 1500"))
    assert answer.choices[0].finish_reason == "stop"
    assert wired.provider.ceilings(*CEILING) == [LEARNED, 2 * LEARNED]
    assert wired.seen("attempt", "truncated", "actual_output_tokens", "actual_max_tokens") == [
        (1, True, LEARNED, LEARNED),
        (2, False, 1500, 2 * LEARNED),
    ]
    assert len({phase for (phase,) in wired.seen("phase_id")}) == 1


def test_a_cut_that_the_answer_hides(wired: Wired) -> None:
    """Of a tool call that is cut off, vLLM says `tool_calls`: what was used tells."""
    wired.provider.hides_cuts = True
    told: list[Any] = []
    client = wired.sized(
        openai.OpenAI(base_url=f"{wired.provider.url}/v1"), on_truncation=told.append
    )
    tools: Any = [{"type": "function", "function": {"name": "person", "parameters": {}}}]
    create = functools.partial(client.chat.completions.create, model="qwen-3", tools=tools)
    [call] = create(messages=ask("needs 1500")).choices[0].message.tool_calls or []
    assert call.type == "function"
    assert Person.model_validate_json(call.function.arguments).age == 36
    list(create(messages=ask("needs 1500"), stream=True))
    create(messages=ask("needs 999"))
    assert wired.provider.ceilings(*CEILING) == [1000, 2000, 1000, 1000]
    assert [said.budget is not None for said in told] == [True, False]


def test_only_once(wired: Wired, client: openai.OpenAI) -> None:
    """The second cut is what the application sees."""
    answer = client.chat.completions.create(model=MODEL, messages=ask("needs 9000"))
    assert answer.choices[0].finish_reason == "length"
    assert wired.provider.ceilings(*CEILING) == [1000, 2000]
    assert wired.seen("truncated") == [(True,), (True,)]


def test_the_second_attempt_fails(wired: Wired, client: openai.OpenAI) -> None:
    """An error that we brought about is not the application's: it gets the first answer."""
    create = client.with_options(max_retries=0).chat.completions.create
    wired.provider.largest = LEARNED
    answer = create(model=MODEL, messages=ask("needs 1500"))
    assert answer.usage is not None
    assert answer.usage.completion_tokens == LEARNED
    assert wired.provider.ceilings(*CEILING) == [1000, 2000]
    assert wired.seen("attempt") == [(1,)]


def test_the_callers_own_ceiling_wins(wired: Wired, client: openai.OpenAI) -> None:
    """It is sent under the caller's name, recorded beside ours, and not raised."""
    client.chat.completions.create(model=MODEL, messages=ask("needs 300"), max_tokens=77)
    assert wired.provider.bodies[0]["max_tokens"] == 77
    assert "max_completion_tokens" not in wired.provider.bodies[0]
    assert wired.seen("actual_max_tokens", "selected_budget", "truncated") == [(77, 1000, True)]


def test_auto_keeps_its_place(wired: Wired, client: openai.OpenAI) -> None:
    """AUTO is sized where it stands."""
    client.chat.completions.create(model=MODEL, messages=ask("needs 300"), max_tokens=AUTO)
    assert wired.provider.bodies[0]["max_tokens"] == LEARNED
    assert "max_completion_tokens" not in wired.provider.bodies[0]


def test_auto_without_us() -> None:
    """It is a number like any other."""
    assert (AUTO, repr(AUTO), f"{AUTO:d}") == (4096, "AUTO", "4096")


@pytest.mark.parametrize("given", [{}, {"max_completion_tokens": AUTO}])
def test_what_nothing_is_known_of(wired: Wired, given: dict[str, Any]) -> None:
    """No ceiling is sent, and no event claims that one was chosen."""
    client = wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1"), category="unseen")
    client.chat.completions.create(model=MODEL, messages=ask("needs 20000"), **given)
    assert wired.provider.ceilings(*CEILING) == [None]
    assert wired.seen("actual_max_tokens", "selected_budget", "actual_output_tokens") == [
        (None, None, 20000)
    ]


def test_what_becomes_of_a_call_moves_the_next_ceilings(wired: Wired) -> None:
    """With recording off too: after twenty answers that were cut off the ceiling has doubled."""
    path = vintages.write(
        wired.folder.parent, lambda packaged: vintages.still(packaged) + vintages.learned(0.02)
    )
    client = sized(
        openai.OpenAI(base_url=f"{wired.provider.url}/v1"),
        estimator=Estimator.load(path, strict=True),
        recorder=Recorder(enabled=False),
        category="chat",
        escalate=False,
    )
    for _ in range(20):
        client.chat.completions.create(model=MODEL, messages=ask("needs 9000"))
    ceilings = wired.provider.ceilings(*CEILING)
    assert ceilings == sorted(ceilings)
    assert ceilings[-1] > 2 * ceilings[0]


def test_observe_changes_nothing(wired: Wired) -> None:
    """Day one: every request as it was written, every answer recorded."""
    bare = openai.OpenAI(base_url=f"{wired.provider.url}/v1")
    client = wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1"), mode="observe")
    for each in (bare, client):
        each.chat.completions.create(model=MODEL, messages=ask("needs 1500"))
        each.chat.completions.create(model=MODEL, messages=ask("needs 1500"), max_tokens=50)
        each.responses.create(model=MODEL, input="needs 1500")
    assert wired.provider.bodies[:3] == wired.provider.bodies[3:]
    assert wired.seen("actual_max_tokens", "truncated", "actual_output_tokens") == [
        (None, False, 1500),
        (50, True, 50),
        (None, False, 1500),
    ]


@pytest.mark.parametrize("needs", [5, 1500])
def test_observe_sees_no_stream_without_usage(wired: Wired, needs: int) -> None:
    """Nor one that was cut off: else all that is seen of such an application was cut off."""
    cut: list[Escalation] = []
    url = f"{wired.provider.url}/v1"
    client = wired.sized(openai.OpenAI(base_url=url), mode="observe", on_truncation=cut.append)
    asked: dict[str, Any] = {"model": MODEL, "messages": ask(f"needs {needs}"), "max_tokens": 50}
    assert len(list(client.chat.completions.create(**asked, stream=True))) == 2
    assert wired.provider.bodies == [asked | {"stream": True}]
    assert wired.recorder.status().dropped == {"response_without_usage": 1}
    assert len(cut) == (needs > 50)


@pytest.mark.parametrize("asks_for_usage", [False, True])
def test_stream(wired: Wired, client: openai.OpenAI, asks_for_usage: bool) -> None:  # noqa: FBT001
    """Usage is asked for where the caller did not, and then its chunk is not shown."""
    bare = openai.OpenAI(base_url=f"{wired.provider.url}/v1")
    asked: dict[str, Any] = {"stream_options": {"include_usage": True}} if asks_for_usage else {}
    shown = [
        list(
            each.chat.completions.create(
                model=MODEL, messages=ask("needs 300 reasoning 9"), stream=True, **asked
            )
        )
        for each in (bare, client)
    ]
    assert shown[0] == shown[1]
    assert wired.provider.bodies[1]["stream_options"] == {"include_usage": True}
    assert wired.seen("stop_reason", "actual_output_tokens", "reasoning_tokens", "truncated") == [
        ("stop", 309, 9, False)
    ]


def test_a_stream_of_dictionaries(wired: Wired, client: openai.OpenAI) -> None:
    """Whoever posts by hand may have its events as they are in the JSON."""
    stream = client.post(
        "/chat/completions",
        body={"model": MODEL, "messages": ask("needs 300"), "stream": True},
        cast_to=object,
        stream=True,
        stream_cls=openai.Stream[object],
    )
    assert len(list(stream)) == 2
    assert wired.seen("actual_output_tokens", "actual_max_tokens") == [(300, 1000)]


def test_a_stream_is_not_tried_again(wired: Wired) -> None:
    """Its parts are out; who wants to know is called."""
    told: list[Any] = []
    client = wired.sized(
        openai.OpenAI(base_url=f"{wired.provider.url}/v1"), on_truncation=told.append
    )
    list(client.chat.completions.create(model=MODEL, messages=ask("needs 1500"), stream=True))
    assert len(wired.provider.requests) == 1
    assert wired.seen("truncated", "actual_output_tokens") == [(True, 1000)]
    assert [(said.budget, said.reason) for said in told] == [
        (None, "a stream is not tried again: its parts are out")
    ]


def test_a_stream_that_the_caller_leaves(wired: Wired, client: openai.OpenAI) -> None:
    """No usage has come, so nothing is claimed."""
    stream = client.chat.completions.create(model=MODEL, messages=ask("needs 5"), stream=True)
    next(iter(stream))
    stream.close()
    del stream
    assert wired.events() == []


def test_parse(wired: Wired, client: openai.OpenAI) -> None:
    """The library raises where an answer was cut off: recorded, tried again, parsed."""
    answer = client.chat.completions.parse(
        model=MODEL, messages=ask("needs 1500"), response_format=Person
    )
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)
    assert wired.seen("attempt", "truncated", "stop_reason") == [
        (1, True, "length"),
        (2, False, "stop"),
    ]


def test_parse_that_stays_cut_off(wired: Wired, client: openai.OpenAI) -> None:
    """Both attempts are recorded, and the error is the library's."""
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(
            model=MODEL, messages=ask("needs 9000"), response_format=Person
        )
    assert wired.seen("attempt", "truncated", "actual_output_tokens") == [
        (1, True, 1000),
        (2, True, 2000),
    ]


@pytest.mark.parametrize("need", [1500, 9000])
def test_parse_of_responses(wired: Wired, client: openai.OpenAI, need: int) -> None:
    """Here the library raises what is wrong with half a JSON, without the answer."""

    def call() -> Person | None:
        prompt = f"needs {need}"
        return client.responses.parse(model=MODEL, input=prompt, text_format=Person).output_parsed

    if need < 2 * LEARNED:
        assert call() == Person(name="Ada", age=36)
    else:
        with pytest.raises(pydantic.ValidationError, match="Invalid JSON"):
            call()
    assert wired.provider.ceilings("max_output_tokens") == [1000, 2000]
    assert wired.seen("attempt", "truncated", "actual_output_tokens") == [
        (1, True, 1000),
        (2, need > 2 * LEARNED, min(need, 2000)),
    ]


def test_a_parser_that_refuses_a_whole_answer(wired: Wired, client: openai.OpenAI) -> None:
    """The answer is recorded, the error is the application's, and a second one would not help."""

    class Address(pydantic.BaseModel):
        street: str

    for parse, more in (
        (client.chat.completions.parse, {"messages": ask("needs 5"), "response_format": Address}),
        (client.responses.parse, {"input": "needs 5", "text_format": Address}),
    ):
        with pytest.raises(pydantic.ValidationError, match="street"):
            parse(model=MODEL, **more)
    assert wired.seen("attempt", "truncated", "actual_output_tokens") == [(1, False, 5)] * 2


def test_a_streamed_parse_that_is_cut_off(wired: Wired, client: openai.OpenAI) -> None:
    """The library raises before the usage comes: all of the ceiling was used.

    The event is written when the stream is let go, which the traceback of the error holds.
    """

    def call() -> bool:
        try:
            with client.chat.completions.stream(
                model=MODEL, messages=ask("needs 1500"), response_format=Person
            ) as stream:
                list(stream)
        except openai.LengthFinishReasonError:
            return True
        return False

    assert call()
    gc.collect()
    assert wired.seen("truncated", "actual_output_tokens", "stop_reason") == [
        (True, 1000, "length")
    ]


def test_responses(wired: Wired, client: openai.OpenAI) -> None:
    """Incomplete is cut off."""
    answer = client.responses.create(model=MODEL, input="needs 1500 reasoning 100")
    assert answer.status == "completed"
    assert wired.provider.ceilings("max_output_tokens") == [1000, 2000]
    assert wired.seen("attempt", "stop_reason", "actual_output_tokens", "reasoning_tokens") == [
        (1, "max_output_tokens", 1000, 100),
        (2, "completed", 1600, 100),
    ]


@pytest.mark.parametrize(
    ("tool", "attempts"),
    [
        ({"type": "mcp", "server_label": "mail", "server_url": "https://mail.test"}, 1),
        ({"type": "code_interpreter", "container": "cntr_1"}, 1),
        (
            {
                "type": "shell",
                "environment": {"type": "container_reference", "container_id": "cntr_1"},
            },
            1,
        ),
        ({"type": "code_interpreter", "container": {"type": "auto"}}, 2),
    ],
)
def test_what_may_have_been_done_already(
    wired: Wired, client: openai.OpenAI, tool: dict[str, Any], attempts: int
) -> None:
    """What a server of MCP or code in a container of one's own did would be done twice."""
    tools: Any = [tool]
    answer = client.responses.create(model=MODEL, input="needs 1500", tools=tools)
    assert answer.status == ("incomplete" if attempts == 1 else "completed")
    assert len(wired.seen("attempt")) == attempts


def test_a_stored_prompt(wired: Wired, client: openai.OpenAI) -> None:
    """It may have a ceiling of its own, which one in the request would replace."""
    client.responses.create(prompt={"id": "pmpt_1"}, model=MODEL)
    assert wired.provider.ceilings("max_output_tokens") == [None]
    assert wired.seen("attempt", "actual_max_tokens") == [(1, None)]


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


def test_a_key_of_idempotency(wired: Wired, client: openai.OpenAI) -> None:
    """Who knows it would give the first answer again; a request that was refused has none."""
    keyed = {"Idempotency-Key": "order-17"}
    create = client.responses.create
    answer = create(model=MODEL, input="needs 1500", extra_headers=keyed)
    assert answer.status == "incomplete"
    wired.provider.largest = 600
    create(model=MODEL, input="needs 300", extra_headers=keyed)
    assert wired.provider.ceilings("max_output_tokens") == [1000, 1000, 600]
    assert wired.seen("attempt", "actual_output_tokens") == [(1, 1000), (1, 300)]


def test_a_conversation(wired: Wired, client: openai.OpenAI) -> None:
    """What is in it already is not said again; a refused request is."""
    create = client.responses.create
    assert create(model=MODEL, input="needs 1500", conversation="c").status == "incomplete"
    wired.provider.largest = 600
    create(model=MODEL, input="needs 300", conversation="c")
    assert wired.provider.ceilings("max_output_tokens") == [1000, 1000, 600]
    assert wired.seen("attempt", "actual_output_tokens") == [(1, 1000), (1, 300)]


def test_streamed_responses(wired: Wired, client: openai.OpenAI) -> None:
    """The last event has it all."""
    with client.responses.stream(model=MODEL, input="needs 300") as stream:
        assert stream.get_final_response().status == "completed"
    list(client.responses.create(model=MODEL, input="needs 400", stream=True))
    assert wired.provider.ceilings("max_output_tokens") == [1000, 1000]
    assert wired.seen("stop_reason", "actual_output_tokens", "model") == [
        ("completed", 300, MODEL),
        ("completed", 400, MODEL),
    ]


def test_raw_responses(wired: Wired, client: openai.OpenAI) -> None:
    """What LangChain uses: read without being parsed for the caller."""
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=ask("needs 1500"))
    assert raw.parse().choices[0].finish_reason == "stop"
    raw_stream = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=ask("needs 7"), stream=True
    )
    assert len(list(raw_stream.parse())) == 2
    with client.chat.completions.with_streaming_response.create(
        model=MODEL, messages=ask("needs 5")
    ) as body:
        assert body.parse().choices[0].finish_reason == "stop"
    with client.chat.completions.with_streaming_response.create(
        model=MODEL, messages=ask("needs 4"), stream=True
    ) as body:
        assert len([line for line in body.iter_lines() if line]) == 3  # and none with a usage
    assert wired.provider.ceilings(*CEILING) == [1000, 2000, 1000, 1000, 1000]
    assert wired.seen("attempt", "actual_output_tokens") == [(1, 1000), (2, 1500), (1, 7)]


def test_awaited(wired: Wired) -> None:
    """The same, five at once."""

    async def calls() -> list[Any]:
        client = wired.sized(openai.AsyncOpenAI(base_url=f"{wired.provider.url}/v1"))
        create = client.chat.completions.create
        answers: list[Any] = await asyncio.gather(
            *[create(model=MODEL, messages=ask(f"needs {need}")) for need in range(997, 1002)]
        )
        stream = await create(model=MODEL, messages=ask("needs 8"), stream=True)
        assert len([chunk async for chunk in stream]) == 2
        parsed = await client.responses.parse(model=MODEL, input="needs 1500", text_format=Person)
        assert parsed.output_parsed is not None
        await client.close()
        return [answer.choices[0].finish_reason for answer in answers]

    assert asyncio.run(calls()) == ["stop"] * 5
    found = sorted(wired.seen("actual_output_tokens", "truncated", "attempt"))
    assert found == sorted(
        [
            *[(997, False, 1), (998, False, 1), (999, False, 1), (1000, False, 1)],
            *[(1000, True, 1), (1001, False, 2), (8, False, 1), (1000, True, 1), (1500, False, 2)],
        ]
    )


def test_retries_of_the_library_are_one_call(wired: Wired, client: openai.OpenAI) -> None:
    """Two answers of 503 make no event."""
    wired.provider.overloaded = 2
    client.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    assert len(wired.provider.requests) == 3
    assert wired.seen("attempt", "actual_output_tokens") == [(1, 300)]


def test_an_answer_that_says_no_tokens(
    wired: Wired, client: openai.OpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the application's, and a dropped event, counted with the reason."""
    wired.provider.says_usage = False
    for _ in range(2):
        answer = client.chat.completions.create(model=MODEL, messages=ask("needs 5"))
        assert answer.usage is None
    assert wired.recorder.status().dropped == {"response_without_usage": 2}
    assert caplog.messages == ["telemetry events are dropped: response_without_usage"]


def test_a_cut_off_answer_that_says_no_tokens(wired: Wired, client: openai.OpenAI) -> None:
    """It is tried once more, as any other."""
    wired.provider.says_usage = False
    answer = client.chat.completions.create(model=MODEL, messages=ask("needs 1500"))
    assert answer.choices[0].finish_reason == "stop"
    assert wired.provider.ceilings(*CEILING) == [1000, 2000]
    assert wired.recorder.status().dropped == {"response_without_usage": 2}


def test_what_is_no_call_of_a_model(wired: Wired, client: openai.OpenAI) -> None:
    """Embeddings have no output: they pass."""
    client.embeddings.create(model="text-embedding-3-small", input="needs 5")
    assert wired.provider.ceilings(*CEILING) == [None]
    assert wired.events() == []


def test_an_error_is_no_event(wired: Wired, client: openai.OpenAI) -> None:
    """It reaches the application as it is."""
    wired.provider.overloaded = 9
    with pytest.raises(openai.InternalServerError):
        client.with_options(max_retries=0).chat.completions.create(
            model=MODEL, messages=ask("needs 300")
        )
    assert wired.events() == []


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


def test_what_an_error_holds(wired: Wired, client: openai.OpenAI) -> None:
    """It is freed at once with the frames that it went through, as that of a bare client."""

    class Held:
        """What a frame of the application holds."""

    def call(prompt: str) -> weakref.ref[Held]:
        held = Held()
        with suppress(openai.APIError):
            create(model=MODEL, messages=ask(prompt))
        return weakref.ref(held)

    create = client.with_options(max_retries=0).chat.completions.create
    wired.provider.overloaded = 1
    gc.disable()
    try:
        assert [call("needs 300")(), call("too long")()] == [None, None]
    finally:
        gc.enable()


def test_copies_are_sized_too(wired: Wired, client: openai.OpenAI) -> None:
    """A client made from the client, and the one made from that."""
    copied = client.with_options(timeout=5).copy(max_retries=1)
    copied.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    assert wired.provider.ceilings(*CEILING) == [1000]
    assert len(wired.events()) == 1


def test_sized_twice_and_unsized(wired: Wired, client: openai.OpenAI) -> None:
    """The last settings count; then it is the client that it was."""
    again = wired.sized(client, category="unseen")
    assert again is client
    again.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    assert unsized(client) is client
    assert {"request", "copy", "with_options"}.isdisjoint(vars(client))
    client.chat.completions.create(model=MODEL, messages=ask("needs 300"))
    assert wired.provider.ceilings(*CEILING) == [None, None]
    assert wired.seen("category") == [("unseen",)]


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


def test_several_answers_are_an_interval(wired: Wired, client: openai.OpenAI) -> None:
    """Their mean is a lower bound of the longest; if one was cut off, it is the ceiling."""
    create = client.chat.completions.create
    create(model=MODEL, messages=ask("needs 301"), n=3)
    create(model=MODEL, messages=ask("needs 5000"), n=2, max_tokens=80)
    assert wired.seen("actual_output_tokens", "truncated", "stop_reason") == [
        (301, None, None),
        (80, True, "length"),
    ]


def test_whoever_is_told_of_a_cut_may_fail(wired: Wired) -> None:
    """The answer is tried once more all the same."""

    def fail(_: object) -> None:
        raise RuntimeError("a fault of the application")

    client = wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1"), on_truncation=fail)
    client.chat.completions.create(model=MODEL, messages=ask("needs 1500"))
    assert wired.provider.ceilings(*CEILING) == [1000, 2000]


def test_labels(wired: Wired, client: openai.OpenAI) -> None:
    """They nest, the inner one wins, and what is said in a request counts too."""
    create = client.chat.completions.create
    with labels(run="nightly", tenant="acme"):
        with labels(category="unseen", tenant="other"):
            create(model=MODEL, messages=ask("needs 5"), reasoning_effort="high")
        create(model=MODEL, messages=ask("needs 5"))
    create(model=MODEL, messages=ask("needs 5"))
    assert wired.seen("run_id", "category", "labels") == [
        ("nightly", "unseen", {"tenant": "other", "effort": "high"}),
        ("nightly", "learned", {"tenant": "acme"}),
        ("app", "learned", None),
    ]
    assert wired.provider.ceilings(*CEILING) == [None, 1000, 1000]


def test_labels_that_are_kept(wired: Wired, client: openai.OpenAI) -> None:
    """They can be used again, by many tasks at once, and around functions, awaited or not."""
    nightly, unseen = labels(run="nightly"), labels(category="unseen")

    @nightly
    @unseen
    def call() -> None:
        client.responses.create(model=MODEL, input="needs 5")

    @nightly
    async def awaited() -> None:
        with unseen:
            await asyncio.sleep(0.01)
            client.responses.create(model=MODEL, input="needs 6")

    async def together() -> None:
        await asyncio.gather(awaited(), awaited())

    call()
    asyncio.run(together())
    with nightly, nightly:
        pass
    client.responses.create(model=MODEL, input="needs 7")
    assert wired.seen("run_id", "category", "actual_output_tokens") == [
        ("nightly", "unseen", 5),
        ("nightly", "unseen", 6),
        ("nightly", "unseen", 6),
        ("app", "learned", 7),
    ]


def test_labels_that_cannot_be(wired: Wired, client: openai.OpenAI) -> None:
    """What the call says itself, and what is too long, is left out: the others count."""
    with labels(model="mine", input_bin=3, estimate_bin="9", Team="x", long="y" * 129, tenant=7):
        client.chat.completions.create(model=MODEL, messages=ask("needs 5"))
    assert wired.provider.ceilings(*CEILING) == [1000]
    assert wired.seen("category", "labels", "model") == [("learned", {"tenant": "7"}, MODEL)]


def test_labels_that_are_members_of_an_enum(wired: Wired) -> None:
    """Their values count, as in an estimate and in a recorder; what is no text is left out."""

    class Category(str, Enum):  # noqa: UP042 - as many applications have it
        KNOWN = "learned"

    class Tenant(Enum):
        ACME = "acme"

    url = f"{wired.provider.url}/v1"
    client = wired.sized(openai.OpenAI(base_url=url), category=Category.KNOWN, tenant=Tenant.ACME)
    with labels(team=["a text of no label"], place=_Unspeakable()):
        client.chat.completions.create(model=MODEL, messages=ask("needs 5"))
    assert wired.provider.ceilings(*CEILING) == [1000]
    assert wired.seen("category", "labels") == [("learned", {"tenant": "acme"})]


class _Unspeakable:
    """A value that has no text."""

    def __str__(self) -> str:
        raise RuntimeError


def test_the_number_of_auto_in_a_text() -> None:
    """A request that is put together as a text has the number, and a reader sees the name."""
    assert (f"{AUTO}", str(AUTO), f"{AUTO:d}", repr(AUTO)) == ("4096", "4096", "4096", "AUTO")


def test_a_name_of_the_run_that_is_empty(
    wired: Wired, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable without a value, as containers are given, is none."""
    monkeypatch.setenv("TOKENEST_RUN_ID", "")
    client.chat.completions.create(model=MODEL, messages=ask("needs 5"))
    assert wired.seen("run_id") == [("app",)]


def test_more_labels_than_an_event_has(wired: Wired) -> None:
    """The first eight count; the call is sized all the same."""
    many = {f"label_{number}": str(number) for number in range(12)}
    client = wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1"), **many)
    client.chat.completions.create(model=MODEL, messages=ask("needs 5"))
    assert wired.provider.ceilings(*CEILING) == [1000]
    assert wired.seen("category", "labels") == [
        ("learned", {f"label_{number}": str(number) for number in range(8)})
    ]


def test_labels_around_a_generator(wired: Wired) -> None:
    """It may end in another context than it began in, as one that its reader leaves does."""

    async def parts() -> AsyncIterator[str]:
        with labels(run="inner"):
            stream = await client.chat.completions.create(
                model=MODEL, messages=ask("needs 5"), stream=True
            )
            async for chunk in stream:
                yield chunk.id

    async def leave() -> None:
        async for _ in parts():
            break

    async def calls() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, said: faults.append(said))
        await asyncio.create_task(leave())
        gc.collect()
        await asyncio.sleep(0.05)
        await client.responses.create(model=MODEL, input="needs 6")
        await client.close()

    faults: list[Any] = []
    client = wired.sized(openai.AsyncOpenAI(base_url=f"{wired.provider.url}/v1"))
    asyncio.run(calls())
    assert [said for said in faults if isinstance(said["exception"], ValueError)] == []
    assert wired.seen("run_id", "actual_output_tokens") == [("app", 6)]


def test_labels_of_generators(wired: Wired, client: openai.OpenAI) -> None:
    """Their calls are made as they are read, as the parts of a streamed answer are."""

    @labels(run="read")
    def parts() -> Iterator[str]:
        yield client.responses.create(model=MODEL, input="needs 5").id

    @labels(run="awaited")
    async def parts_awaited() -> AsyncIterator[str]:
        for part in parts():
            yield part
        yield client.responses.create(model=MODEL, input="needs 6").id

    async def calls() -> None:
        assert [part async for part in parts_awaited()] == ["resp-1"] * 2

    asyncio.run(calls())
    assert list(parts()) == ["resp-1"]
    client.responses.create(model=MODEL, input="needs 7")
    assert wired.seen("run_id", "actual_output_tokens") == [
        ("read", 5),
        ("awaited", 6),
        ("read", 5),
        ("app", 7),
    ]


def test_labels_follow_tasks_and_threads(wired: Wired) -> None:
    """Those that copy their context, and no others."""

    async def calls() -> None:
        client = wired.sized(openai.AsyncOpenAI(base_url=f"{wired.provider.url}/v1"))
        blocking = wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1"))

        async def task(name: str) -> None:
            with labels(run=name):
                await client.responses.create(model=MODEL, input="needs 5")
                await asyncio.to_thread(blocking.responses.create, model=MODEL, input="needs 6")

        await asyncio.gather(task("a"), task("b"))
        with labels(run="c"), ThreadPoolExecutor(1) as pool:
            pool.submit(blocking.responses.create, model=MODEL, input="needs 7").result()
        await client.close()

    asyncio.run(calls())
    found = sorted(wired.seen("run_id", "actual_output_tokens"))
    assert found == [("a", 5), ("a", 6), ("app", 7), ("b", 5), ("b", 6)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "watch"}, "mode='watch'"),
        ({"max_truncation": 2}, "max_truncation=2"),
        ({"max_truncation": "0.02"}, "max_truncation='0.02'"),
        ({"max_tokens": 0}, "max_tokens=0"),
        ({"max_tokens": 1.5}, "max_tokens=1.5"),
        ({"estimator": "table.ndjson"}, r"estimator='table.ndjson' .* use Estimator.load\(path\)"),
        ({"recorder": "telemetry"}, r"recorder='telemetry' .* use Recorder\(directory\)"),
        ({"count": 5}, "count=5 .* use a function"),
        ({"on_truncation": "retry"}, "on_truncation='retry' .* use a function"),
        ({"on_truncation": openai.AsyncOpenAI().close}, "on_truncation=.* that is not awaited"),
        ({"labels": {"tenant": "acme"}}, r"labels=.* as in sized\(client, tenant='acme'\)"),
        ({"escalate": "0"}, "escalate='0' .* use True or False"),
        ({"strict": True}, "strict=True .* what is no option is a label"),
        ({"Tenant": "acme"}, "labels='Tenant' .* use names of at most 32 of a-z"),
        ({"tenant": "a" * 129}, "tenant='aaa.* use a text of at most 128 characters"),
        ({"model": MODEL}, "model='gpt-5-mini' .* use the request: each call says its own"),
        ({"max_token": 500}, "max_token=500 .* what is no option is a label"),
        ({"reload_after": 60}, "reload_after=60 .* what is no option is a label"),
    ],
)
def test_settings_that_cannot_be(options: dict[str, Any], said: str) -> None:
    """They are refused where the client is wired, not where it is called."""
    with pytest.raises(UsageError, match=said):
        sized(openai.OpenAI(), **options)


def test_functions_of_the_caller_that_fail(
    wired: Wired, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call is sized and has its category all the same, and the log names the function."""
    monkeypatch.setattr(quietly, "_seen", set())
    client = wired.sized(
        openai.OpenAI(base_url=f"{wired.provider.url}/v1"),
        count=lambda body: body["prompt"],
        on_truncation=lambda escalation: escalation.budget.max_token,
    )
    for _ in range(2):
        client.responses.create(model=MODEL, input="needs 1500")
    assert wired.provider.ceilings("max_output_tokens") == [1000, 2000] * 2
    assert {category for (category,) in wired.seen("category")} == {"learned"}
    assert caplog.messages == [
        "count failed with KeyError; the calls are sized without their input",
        "on_truncation failed with AttributeError; the calls go on",
    ]


@pytest.mark.parametrize("content", [None, b"", b'{"kind": "torn'])
def test_a_table_that_cannot_be_used(
    wired: Wired,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    content: bytes | None,
) -> None:
    """The application goes on without its ceilings, and the log says why, once."""
    path = tmp_path / "coefficients.ndjson"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("TOKENEST_COEFFICIENTS", str(path))
    monkeypatch.setattr(
        sizer, "_default_estimator", functools.cache(vars(sizer)["_default_estimator"].__wrapped__)
    )
    for _ in range(2):
        client = sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1"), category="learned")
        client.chat.completions.create(model=MODEL, messages=ask("needs 5"))
    assert wired.provider.ceilings(*CEILING) == [None, None]
    [message] = [record.getMessage() for record in caplog.records if record.name == "tokenest"]
    assert message.startswith(str(path))
    assert message.endswith("; the packaged table is in use")


def test_a_client_of_no_known_kind() -> None:
    """Its name and the known ones are said; of a half of Google's client, too."""
    with pytest.raises(UsageError, match=r"client='google\.genai\.client\.AsyncClient'"):
        sized(genai.Client().aio)
    with pytest.raises(UsageError, match=r"client='builtins\.dict'.*openai, anthropic"):
        sized({})
    with pytest.raises(UsageError, match=r"client='module openai'"):
        sized(openai)
    with pytest.raises(UsageError, match=r"client='type OpenAI'"):
        sized(openai.OpenAI)
