"""OpenAI's own library, sync and awaited: what is sent, recorded and tried again."""

from __future__ import annotations

import asyncio
import functools
import gc
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import openai
import pydantic
import pytest
from conftest import LEARNED
from google import genai
from wired import CEILING, MODEL, SERVED, ask

import vintages
from tokenest_py import AUTO, Estimator, Recorder, sized, unsized
from tokenest_py.clients import quietly, sizer
from tokenest_py.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from wired import Wired

    from tokenest_py.runtime.budget import Escalation


class Person(pydantic.BaseModel):
    """What the provider answers with."""

    name: str
    age: int


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


def test_a_full_window_is_not_tried_again(wired: Wired) -> None:
    """The server says `length` far below the ceiling: more of it would give the same answer."""
    told: list[Any] = []
    client = wired.sized(
        openai.OpenAI(base_url=f"{wired.provider.url}/v1"), on_truncation=told.append
    )
    client.chat.completions.create(model=MODEL, messages=ask("needs 1500 room 400"))
    assert wired.provider.ceilings(*CEILING) == [1000]
    assert wired.seen("truncated", "actual_output_tokens") == [(True, 400)]
    [said] = told
    assert "400 tokens are far below the ceiling of 1000" in said.reason


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


def test_the_callers_own_ceiling_may_be_of_another_kind(
    wired: Wired, client: openai.OpenAI
) -> None:
    """Servers that read 77.0 cut off there: the event has the ceiling that was sent."""
    body: Any = {"max_tokens": 77.0}
    client.chat.completions.create(model=MODEL, messages=ask("needs 300"), **body)
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
