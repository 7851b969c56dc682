"""A fault in any function of ours: the request goes out as it was written, the answer comes back.

Each function of the wings that a call goes through is made to raise, one after the other, and the
same calls are made through every kind of client. What is sent and what comes back is then what a
bare client sends and gets.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import pkgutil
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import anthropic
import boto3
import openai
import pytest
from fake_provider import FakeProvider
from google import genai
from google.genai import types

import tokenest_py.clients
import tokenest_py.runtime
from tokenest_py import AUTO, Recorder, Sizer, sized
from tokenest_py.clients.attempts import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

    from tokenest_py import Estimator
    from tokenest_py.clients.patches import Theirs

# The guards are what every call of ours stands within, and hold nothing else, and what
# sends again.
GUARDS = {
    "attempts.run", "attempts.run_async", "attempts._begin", "attempts._following",
    "attempts._choose", "attempts.Outcome.__init__", "attempts.Outcome.__enter__",
    "attempts.Outcome.__exit__", "attempts.Outcome.deliver", "genai._show", "genai._finish",
    "boto._Operation._send", "passing.Passing.through", "passing.Passing.now",
    "passing.Passing.rest", "passing.Passing.finish",
}  # fmt: skip


def functions() -> dict[str, tuple[Any, str]]:
    """Each function and method of the runtime and the clients, and where another can be put."""
    found: dict[str, tuple[Any, str]] = {}
    for package in (tokenest_py.runtime, tokenest_py.clients):
        for about in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(about.name)
            short = module.__name__.removeprefix("tokenest_py.").removeprefix("clients.")
            for name, value in vars(module).items():
                if getattr(value, "__module__", None) != module.__name__:
                    continue
                if inspect.isfunction(inspect.unwrap(value)):
                    found[f"{short}.{name}"] = (module, name)
                elif inspect.isclass(value):
                    for method, defined in vars(value).items():
                        if inspect.isfunction(defined):
                            found[f"{short}.{name}.{method}"] = (value, method)
    return found


def reached(call: Callable[[], object]) -> set[str]:
    """The functions of ours that a call goes through."""
    seen: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            seen.add(frame.f_code)

    for owner, attribute in functions().values():
        with suppress(AttributeError):
            getattr(owner, attribute).cache_clear()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return {
        name
        for name, (owner, attribute) in functions().items()
        if inspect.unwrap(getattr(owner, attribute)).__code__ in seen
    }


def ask(prompt: str) -> list[Any]:
    """One message."""
    return [{"role": "user", "content": prompt}]


class Clients:
    """One client of each kind, sized or not."""

    def __init__(self, url: str, wire: Callable[[Any], Any]) -> None:
        """Make them."""
        self.openai = wire(openai.OpenAI(base_url=f"{url}/v1"))
        self.anthropic = wire(anthropic.Anthropic(base_url=url))
        self.google = wire(genai.Client(http_options=types.HttpOptions(base_url=url)))
        self.boto = wire(boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=url))
        self.awaited = wire(openai.AsyncOpenAI(base_url=f"{url}/v1"))

    def calls(self, prompt: str) -> dict[str, Callable[[], Any]]:
        """Whole answers and streams of each."""
        chat = {"model": "gpt-5-mini", "messages": ask(prompt)}
        claude = {"model": "claude-opus-4-7", "max_tokens": AUTO, "messages": ask(prompt)}
        gemini = {"model": "gemini-3-pro-preview", "contents": prompt}
        converse = {
            "modelId": "amazon.nova-pro-v1:0",
            "messages": [{"role": "user", "content": [{"text": prompt}]}],
        }

        async def awaited() -> Theirs:
            whole = await self.awaited.responses.create(model="gpt-5-mini", input=prompt)
            stream = await self.awaited.chat.completions.create(**chat, stream=True)
            return whole.usage, [chunk async for chunk in stream]

        def copied() -> Theirs:
            client = self.openai.with_options(timeout=9)
            return client.chat.completions.create(**chat).usage

        return {
            "chat": lambda: self.openai.chat.completions.create(**chat).usage,
            "chat, stream": lambda: list(self.openai.chat.completions.create(**chat, stream=True)),
            "a copy": copied,
            "awaited": lambda: asyncio.run(awaited()),
            "messages": lambda: self.anthropic.messages.create(**claude).usage,
            "messages, stream": lambda: len(
                list(self.anthropic.messages.create(**claude, stream=True))
            ),
            "gemini": lambda: self.google.models.generate_content(**gemini).usage_metadata,
            "gemini, stream": lambda: len(
                list(self.google.models.generate_content_stream(**gemini))
            ),
            "converse": lambda: self.boto.converse(**converse)["usage"],
            "converse, stream": lambda: list(self.boto.converse_stream(**converse)["stream"]),
        }


class Situation(NamedTuple):
    """What the provider is asked for, and what it takes.

    Attributes:
        prompt: What each call asks for.
        largest: The largest ceiling that is taken; 0 is any.
        without: Calls that a bare client cannot make there.
        is_same: Whether answers are those of a bare client; else they may be cut off.
    """

    prompt: str
    largest: int = 0
    without: str = "none"
    is_same: bool = True


SITUATIONS = {
    "whole": Situation("needs 300"),
    "cut off": Situation("needs 1500", is_same=False),
    "refused": Situation("needs 300", largest=600, without="messages"),
}


def outcome(
    provider: FakeProvider, clients: Clients, situation: Situation
) -> tuple[dict[str, Any], list[Any]]:
    """What the calls bring back, and what each of their requests was."""
    provider.requests.clear()
    provider.largest = situation.largest
    calls = clients.calls(situation.prompt).items()
    answers = {name: call() for name, call in calls if not name.startswith(situation.without)}
    return answers, list(provider.requests)


def is_as_written(sent: list[Any], written: list[Any]) -> bool:
    """Whether each request is a written one, or that one with our ceiling in it."""
    return {*map(without_ours, sent)} == {*map(without_ours, written)}


def without_ours(request: tuple[str, Theirs]) -> tuple[str, str]:
    """A request without its ceiling, and without what asks for the usage of a stream."""
    path, body = request
    kept = {name: value for name, value in body.items() if name not in OURS}
    kept = {
        name: {inner: value[inner] for inner in value if inner not in OURS}
        if isinstance(value, dict)
        else value
        for name, value in kept.items()
        if not (isinstance(value, dict) and set(value) <= OURS)
    }
    return path, json.dumps(kept, sort_keys=True)


OURS = {"max_tokens", "max_completion_tokens", "max_output_tokens", "maxTokens"}
OURS |= {"maxOutputTokens", "stream_options"}


class Bench(NamedTuple):
    """What all faults share: a provider, and clients, bare ones and sized ones."""

    provider: FakeProvider
    bare: Clients
    sized: Clients


@pytest.fixture(scope="module")
def bench(learned: Estimator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Made once: clients take a second."""
    provider = FakeProvider()
    server = provider.start()
    recorder = Recorder(tmp_path_factory.mktemp("recorded"), enabled=True)

    def wire(client: Theirs) -> Theirs:
        # no refusal is remembered: it has a limit of no model
        return sized(client, estimator=learned, recorder=recorder, category="learned")

    yield Bench(provider, Clients(provider.url, lambda client: client), Clients(provider.url, wire))
    server.shutdown()
    server.server_close()


class PlantedError(Exception):
    """A fault of ours."""


def raising(*_: object, **__: object) -> Theirs:
    """In the place of any function."""
    raise PlantedError


PLANTED = {
    "whole": {
        "stainless._Attempt.after", "genai._body", "boto._tap", "labels.current",
        "requests.with_ceiling", "call.Call.finish", "runtime.budget.size",
        "runtime.table.table.Coefficients.cell", "runtime.limits.canonical",
        "runtime.providers.Fold.add", "runtime.recorder.recorder.Recorder.record",
    },
    "cut off": {"call.Call._escalate", "call.Call._send_again", "runtime.budget.escalate"},
    "refused": {"call.Call._resend", "sizer.Sizer.learn", "runtime.providers.said_limit"},
}  # fmt: skip


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_fault_harms_no_request(bench: Bench, name: str) -> None:
    """Whatever raises of all that the calls go through, applications get what they would get."""
    situation = SITUATIONS[name]
    with pytest.MonkeyPatch.context() as patched:
        # a refusal is met each time
        patched.setattr(Sizer, "limit", lambda *_: None)
        patched.setattr(Sizer, "refuses", lambda *_: False)
        expected, written = outcome(bench.provider, bench.bare, situation)
        names = reached(lambda: outcome(bench.provider, bench.sized, situation)) - GUARDS
        assert names > PLANTED[name]
        found = [harms(bench, situation, fault, expected, written) for fault in sorted(names)]
    assert "\n".join(filter(None, found)) == ""


def harms(
    bench: Bench, situation: Situation, fault: str, expected: dict[str, Any], written: list[Any]
) -> str:
    """What goes wrong where this function raises; nothing, if all is well."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(*functions()[fault], raising)
        with Outcome() as came:
            came.answer = outcome(bench.provider, bench.sized, situation)
    if came.error is not None:
        return f"{fault}: {came.error!r}"
    answers, sent = came.answer
    if situation.is_same and answers != expected:
        return f"{fault}: other answers"
    return "" if is_as_written(sent, written) else f"{fault}: other requests"


def test_the_check_above_can_see(bench: Bench) -> None:
    """A request that is not as written, and one that is missing, are found."""
    _, written = outcome(bench.provider, bench.bare, SITUATIONS["whole"])
    path, body = written[0]
    assert is_as_written(written, written)
    assert not is_as_written([(path, body | {"n": 2}), *written], written)
    assert not is_as_written(written[:-1], written)
