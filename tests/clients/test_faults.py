"""A fault in any function of ours: the request goes out as it was written, the answer comes back.

Each function of the wings that a call goes through is made to raise, one after the other, and the
same calls are made through every kind of client. What is sent and what comes back is then what a
bare client sends and gets.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
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
from tokenest_py import AUTO, Recorder, sized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wired import Wired

    from tokenest_py import Estimator
    from tokenest_py.clients.patches import Theirs

# What wires a client is done once, at the start, and may raise. The guards are what every call of
# ours stands within, and hold nothing else.
WIRING = {"wire", "unwire", "is_client", "replace", "restore", "packages", "sized", "unsized"}
GUARDS = {"attempts", "genai._show", "genai._finish"}


# What no call of a client goes through: other ways in, and what a table is loaded by.
ELSEWHERE = {"litellm", "langchain", "explain", "documents", "phrases", "workspace", "kinds"}
ELSEWHERE |= {"deliverables", "text", "file", "table"}


def modules() -> Iterator[Any]:
    """The modules of the runtime and the clients that a call goes through."""
    for package in (tokenest_py.runtime, tokenest_py.clients):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.rpartition(".")[2] not in ELSEWHERE or "recorder" in found.name:
                yield importlib.import_module(found.name)


def functions() -> dict[str, tuple[Any, str]]:
    """Each function and method by its name, and where to put another in its place."""
    found: dict[str, tuple[Any, str]] = {}
    for module in modules():
        short = module.__name__.removeprefix("tokenest_py.").removeprefix("clients.")
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(value):
                found[f"{short}.{name}"] = (module, name)
            elif inspect.isclass(value):
                for method, defined in vars(value).items():
                    if inspect.isfunction(defined):
                        found[f"{short}.{name}.{method}"] = (value, method)
    return found


FUNCTIONS = {
    name: place
    for name, place in functions().items()
    if name.rpartition(".")[2] not in WIRING
    and name not in GUARDS
    and name.partition(".")[0] not in GUARDS
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

    def calls(self) -> list[Callable[[], Any]]:
        """Whole answers and streams of each."""
        chat = {"model": "gpt-5-mini", "messages": ask("needs 300")}
        claude = {"model": "claude-opus-4-7", "max_tokens": AUTO, "messages": ask("needs 300")}
        gemini = {"model": "gemini-3-pro-preview", "contents": "needs 300"}
        converse = {
            "modelId": "amazon.nova-pro-v1:0",
            "messages": [{"role": "user", "content": [{"text": "needs 300"}]}],
        }

        async def awaited() -> Theirs:
            whole = await self.awaited.responses.create(model="gpt-5-mini", input="needs 300")
            stream = await self.awaited.chat.completions.create(**chat, stream=True)
            return whole.usage, [chunk async for chunk in stream]

        def copied() -> Theirs:
            client = self.openai.with_options(timeout=9)
            return client.chat.completions.create(**chat).usage

        return [
            lambda: self.openai.chat.completions.create(**chat).usage,
            lambda: list(self.openai.chat.completions.create(**chat, stream=True)),
            copied,
            lambda: self.anthropic.messages.create(**claude).usage,
            lambda: len(list(self.anthropic.messages.create(**claude, stream=True))),
            lambda: self.google.models.generate_content(**gemini).usage_metadata,
            lambda: len(list(self.google.models.generate_content_stream(**gemini))),
            lambda: self.boto.converse(**converse)["usage"],
            lambda: list(self.boto.converse_stream(**converse)["stream"]),
            lambda: asyncio.run(awaited()),
        ]


def outcome(provider: FakeProvider, clients: Clients) -> tuple[list[Any], list[Any]]:
    """What the calls bring back, and what each of their requests was."""
    provider.requests.clear()
    return [call() for call in clients.calls()], list(provider.requests)


def is_as_written(sent: list[Any], written: list[Any]) -> bool:
    """Whether each request is the written one, or that one with our ceiling in it."""
    return list(map(without_ours, sent)) == list(map(without_ours, written))


def without_ours(request: tuple[str, Theirs]) -> Theirs:
    """A request without its ceiling, and without what asks for the usage of a stream."""
    path, body = request
    kept = {name: value for name, value in body.items() if name not in OURS}
    return path, {
        name: {inner: value[inner] for inner in value if inner not in OURS}
        if isinstance(value, dict)
        else value
        for name, value in kept.items()
        if not (isinstance(value, dict) and set(value) <= OURS)
    }


OURS = {"max_tokens", "max_completion_tokens", "max_output_tokens", "maxTokens"}
OURS |= {"maxOutputTokens", "stream_options"}


class Bench(NamedTuple):
    """What all faults share: a provider, sized clients, and what bare ones send and get."""

    provider: FakeProvider
    clients: Clients
    answers: list[Any]
    written: list[Any]


@pytest.fixture(scope="module")
def bench(learned: Estimator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Made once: clients take a second."""
    provider = FakeProvider()
    server = provider.start()
    answers, written = outcome(provider, Clients(provider.url, lambda client: client))
    recorder = Recorder(tmp_path_factory.mktemp("recorded"), enabled=True)

    def wire(client: Theirs) -> Theirs:
        return sized(client, estimator=learned, recorder=recorder, category="learned")

    yield Bench(provider, Clients(provider.url, wire), answers, written)
    server.shutdown()
    server.server_close()


class Planted(Exception):  # noqa: N818
    """A fault of ours."""


def raising(*_: object, **__: object) -> Theirs:
    """In the place of any function."""
    raise Planted


def test_the_calls_reach_every_part(wired: Wired) -> None:
    """Without a fault all is sized and recorded, so that the faults are planted where calls go."""
    clients = Clients(wired.provider.url, wired.sized)
    answers, sent = outcome(wired.provider, clients)
    assert len(answers) == 10
    assert len(sent) == 11
    assert wired.provider.ceilings(
        "max_tokens", "max_completion_tokens", "max_output_tokens",
        "inferenceConfig.maxTokens", "generationConfig.maxOutputTokens",
    ) == [1000] * 11  # fmt: skip
    assert len(wired.events()) == 11


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_fault_harms_no_request(name: str, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever raises, the application gets what it would get without us."""
    monkeypatch.setattr(*FUNCTIONS[name], raising)
    answers, sent = outcome(bench.provider, bench.clients)
    assert answers == bench.answers
    assert is_as_written(sent, bench.written)


def test_the_check_above_can_see(bench: Bench) -> None:
    """A request that is not as written, and one too many, are found."""
    path, body = bench.written[0]
    assert is_as_written(bench.written, bench.written)
    assert not is_as_written([(path, body | {"n": 2}), *bench.written[1:]], bench.written)
    assert not is_as_written([*bench.written, bench.written[0]], bench.written)
