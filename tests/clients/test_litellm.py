"""LiteLLM, as a library and as a proxy that is started here."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from inspect import isfunction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import litellm
import pytest
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

from recorded import events, lines
from tokenest_py import labels
from tokenest_py.clients.litellm import TokenestLogger
from tokenest_py.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wired import Wired

    from tokenest_py.clients.patches import Theirs

CEILINGS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
SEEN = ("provider", "model", "actual_max_tokens", "actual_output_tokens", "truncated")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def logger(wired: Wired) -> Iterator[TokenestLogger]:
    """A callback that LiteLLM knows for one test, when it has logged the calls of those before."""
    asyncio.run(GLOBAL_LOGGING_WORKER.flush())
    made = TokenestLogger(category="learned", estimator=wired.estimator, recorder=wired.recorder)
    litellm.callbacks = [made]
    yield made
    litellm.callbacks = []
    for name in ("success_callback", "failure_callback", "input_callback"):
        setattr(litellm, name, [])
        setattr(litellm, f"_async_{name}", [])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"escalate": True}, "escalate=True .* no answer is tried again here"),
        ({"max_token": 500}, "max_token=500 .* what is no option is a label"),
    ],
)
def test_settings_that_cannot_be(options: dict[str, Any], said: str) -> None:
    """They are refused where the callback is made."""
    with pytest.raises(UsageError, match=said):
        TokenestLogger(category="learned", **options)


def call(wired: Wired, model: str, prompt: str, **more: Theirs) -> dict[str, Theirs]:
    """The arguments of a completion."""
    base = wired.provider.url if model.startswith("anthropic/") else f"{wired.provider.url}/v1"
    message = {"role": "user", "content": prompt}
    return {"model": model, "messages": [message], "api_base": base, "api_key": "none"} | more


def wait_for(wired: Wired, count: int) -> None:
    """LiteLLM calls back from another thread or task."""
    deadline = time.monotonic() + 20
    while len(events(wired.folder)) < count and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.mark.usefixtures("logger")
def test_awaited(wired: Wired) -> None:
    """The ceiling is sent, provider and model are right, streams included."""

    async def calls() -> None:
        await litellm.acompletion(**call(wired, "openai/gpt-5-mini", "needs 300"))
        await litellm.acompletion(**call(wired, "anthropic/claude-opus-4-7", "needs 301"))
        with labels(category="unseen"):
            await litellm.acompletion(**call(wired, "openai/gpt-4o", "needs 302"))
        await litellm.acompletion(**call(wired, "openai/gpt-4o", "needs 303", max_tokens=50))
        stream = await litellm.acompletion(
            **call(wired, "openai/gpt-4o", "needs 1500", stream=True)
            | {"stream_options": {"include_usage": True}}
        )
        async for _ in stream:
            pass
        deadline = time.monotonic() + 20
        while len(events(wired.folder)) < 5 and time.monotonic() < deadline:
            await asyncio.sleep(0.02)

    asyncio.run(calls())
    assert wired.provider.ceilings(*CEILINGS) == [1000, 1000, None, 50, 1000]
    assert sorted(wired.seen(*SEEN), key=str) == sorted(
        [
            ("openai", "gpt-5-mini", 1000, 300, False),
            ("anthropic", "claude-opus-4-7", 1000, 301, False),
            ("openai", "gpt-4o", None, 302, False),
            ("openai", "gpt-4o", 50, 50, True),
            ("openai", "gpt-4o", 1000, 1000, True),
        ],
        key=str,
    )


def test_what_is_not_awaited(wired: Wired, logger: TokenestLogger) -> None:
    """LiteLLM asks no callback: it is recorded as it was sent, and sized where that is asked."""
    litellm.completion(**call(wired, "openai/gpt-4o", "needs 300", max_tokens=900))
    litellm.completion(**call(wired, "openai/gpt-4o", "needs 301"))
    litellm.completion(**logger.size(**call(wired, "anthropic/claude-opus-4-7", "needs 302")))
    wait_for(wired, 3)
    assert wired.provider.ceilings(*CEILINGS) == [900, None, 1000]
    assert sorted(wired.seen(*SEEN), key=str) == sorted(
        [
            ("openai", "gpt-4o", 900, 300, False),
            ("openai", "gpt-4o", None, 301, False),
            ("anthropic", "claude-opus-4-7", 1000, 302, False),
        ],
        key=str,
    )


@pytest.mark.usefixtures("logger")
def test_thinking(wired: Wired) -> None:
    """The ceiling is above what is granted to it, by the caller or by LiteLLM for an effort."""
    enabled = {"type": "enabled", "budget_tokens": 5000}

    async def calls() -> None:
        for model, more in (
            ("anthropic/claude-opus-4-1", {"thinking": enabled}),
            ("anthropic/claude-sonnet-4-5", {"reasoning_effort": "high"}),
            ("anthropic/claude-opus-4-7", {"reasoning_effort": "high"}),
            ("openai/gpt-5-mini", {"reasoning_effort": "high"}),
        ):
            await litellm.acompletion(**call(wired, model, "needs 300", **more))
        await litellm.aresponses(
            model="anthropic/claude-sonnet-4-5",
            input="needs 300",
            reasoning={"effort": "low"},
            api_base=wired.provider.url,
            api_key="none",
        )

    asyncio.run(calls())
    granted = [(body.get("thinking") or {}).get("budget_tokens") for body in wired.provider.bodies]
    assert granted == [5000, 4096, None, None, 1024]
    assert wired.provider.ceilings(*CEILINGS) == [6000, 5096, 1000, 1000, 2024]


def test_an_answer_from_the_cache_is_no_call(
    wired: Wired, logger: TokenestLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Awaited or not: there is one event of each request that went out."""

    async def calls() -> None:
        for _ in range(2):
            await litellm.acompletion(**asked, caching=True)
            await asyncio.sleep(0.3)

    monkeypatch.setattr(litellm, "cache", litellm.Cache(type="local"))
    asked = call(wired, "openai/gpt-4o", "needs 300")
    asyncio.run(calls())
    for _ in range(2):
        litellm.completion(**asked, caching=True)
        time.sleep(0.3)
    wait_for(wired, 2)
    assert len(wired.provider.requests) == len(wired.events()) == 2
    assert not logger._open  # noqa: SLF001


@pytest.mark.usefixtures("logger")
def test_what_is_no_call_of_a_model(wired: Wired) -> None:
    """Embeddings have no output: neither an event nor a dropped one."""

    async def calls() -> None:
        await litellm.aembedding(
            model="openai/text-embedding-3-small",
            input=["needs 5"],
            api_base=f"{wired.provider.url}/v1",
            api_key="none",
        )
        await asyncio.sleep(0.3)

    asyncio.run(calls())
    assert len(wired.provider.requests) == 1
    assert wired.events() == []


@pytest.mark.usefixtures("logger")
@pytest.mark.parametrize("is_stream", [False, True])
def test_responses(wired: Wired, is_stream: bool) -> None:  # noqa: FBT001
    """LiteLLM hands over their usage under the names of a chat."""

    async def calls() -> None:
        answer: Theirs = await litellm.aresponses(
            model="openai/gpt-5-mini",
            input="needs 1500",
            api_base=f"{wired.provider.url}/v1",
            api_key="none",
            stream=is_stream,
        )
        if is_stream:
            assert [event async for event in answer]
        await asyncio.to_thread(wait_for, wired, 1)

    asyncio.run(calls())
    assert wired.provider.ceilings("max_output_tokens") == [1000]
    assert wired.seen(*SEEN, "input_tokens") == [("openai", "gpt-5-mini", 1000, 1000, True, 40)]


def test_a_route_is_no_part_of_a_models_name(wired: Wired, logger: TokenestLogger) -> None:
    """LiteLLM itself logs this one without; one model under two names would be two of a table."""
    given = call(wired, "openai/responses/gpt-5-mini", "needs 300")

    async def calls() -> None:
        await litellm.acompletion(**given)
        await asyncio.to_thread(wait_for, wired, 1)

    asyncio.run(calls())
    litellm.completion(**logger.size(**given))
    wait_for(wired, 2)
    assert wired.seen("model", "actual_max_tokens") == [("gpt-5-mini", 1000)] * 2


@pytest.mark.parametrize("more", [{"background": True}, {"prompt": {"id": "pmpt_1"}}], ids=str)
def test_responses_that_keep_their_ceiling(
    wired: Wired, logger: TokenestLogger, more: dict[str, Any]
) -> None:
    """Those that are answered later, and those of a stored prompt, as with a sized client."""

    async def calls() -> None:
        await litellm.aresponses(**asked)
        await litellm.aresponses(**logger.size(**asked))

    asked = {"model": "openai/gpt-5-mini", "input": "needs 1500", **more}
    asked |= {"api_base": f"{wired.provider.url}/v1", "api_key": "none"}
    asyncio.run(calls())
    assert wired.provider.ceilings(*CEILINGS) == [None, None]


@pytest.mark.parametrize("is_sized", [False, True])
def test_streams_that_are_not_awaited(
    wired: Wired,
    logger: TokenestLogger,
    is_sized: bool,  # noqa: FBT001
) -> None:
    """Another thread logs them, those of responses twice: each is one event, with its labels."""
    url = f"{wired.provider.url}/v1"
    responses = {"model": "openai/gpt-5-mini", "input": "needs 301", "stream": True}
    responses |= {"api_base": url, "api_key": "none"}
    asked = {"stream_options": {"include_usage": True}}
    chat = call(wired, "openai/gpt-4o", "needs 300", stream=True) | asked
    with labels(category="unseen", tenant="acme"):
        for send, request in ((litellm.completion, chat), (litellm.responses, responses)):
            given: Any = logger.size(**request) if is_sized else request
            assert list(send(**given))
            assert list(send(**given))  # as the same call
    wait_for(wired, 4)
    time.sleep(0.3)
    assert sorted(wired.seen("actual_output_tokens", "category", "labels")) == [
        (tokens, "unseen", {"tenant": "acme"}) for tokens in (300, 300, 301, 301)
    ]


def test_an_error_is_no_event(wired: Wired, logger: TokenestLogger) -> None:
    """It reaches the application, and the call is forgotten."""
    wired.provider.overloaded = 99

    async def calls() -> None:
        with pytest.raises(litellm.ServiceUnavailableError):
            await litellm.acompletion(
                **call(wired, "openai/gpt-4o", "needs 300", num_retries=0, max_retries=0)
            )
        await asyncio.sleep(0.3)

    asyncio.run(calls())
    assert wired.events() == []
    assert not logger._open  # noqa: SLF001


def test_a_call_that_is_cancelled(wired: Wired, logger: TokenestLogger) -> None:
    """LiteLLM never says what became of it: its prompt does not stay in memory."""
    wired.provider.delay = 0.3

    async def calls() -> None:
        task = asyncio.create_task(litellm.acompletion(**call(wired, "openai/gpt-4o", "needs 300")))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(calls())
    kept = [value for open_ in logger._open.values() for value in vars(open_).values()]  # noqa: SLF001
    assert kept
    assert "needs 300" not in str(kept)


@pytest.mark.parametrize(
    ("words", "then"),
    [
        ("max_tokens: {given} > {most}, which is the maximum allowed number of tokens", 600),
        ("{given} max_tokens will not do here", None),
    ],
)
@pytest.mark.usefixtures("logger")
def test_a_refusal_is_met_once(wired: Wired, words: str, then: int | None) -> None:
    """The next calls have the largest ceiling that it names, be it a gateway's, or none."""
    wired.provider.largest, wired.provider.too_large = 600, words
    asked = call(wired, "openai/gpt-4o", "needs 300", num_retries=0, max_retries=0)

    async def calls() -> None:
        with pytest.raises(litellm.BadRequestError):
            await litellm.acompletion(**asked)
        await asyncio.sleep(0.3)
        await litellm.acompletion(**asked)

    asyncio.run(calls())
    assert wired.provider.ceilings(*CEILINGS) == [1000, then]


@pytest.mark.usefixtures("logger")
def test_a_stream_whose_tokens_litellm_counts(wired: Wired) -> None:
    """It counts the text alone: the event says so. Who asks for the usage, or Claude, has it."""

    async def calls() -> None:
        cases: tuple[tuple[str, dict[str, Any]], ...] = (
            ("openai/gpt-4o", {}),
            ("openai/gpt-4o", {"stream_options": {"include_usage": True}}),
            ("anthropic/claude-opus-4-7", {}),
        )
        for count, (model, more) in enumerate(cases, 1):
            asked = call(wired, model, "needs 300 reasoning 200", stream=True, **more)
            assert [part async for part in await litellm.acompletion(**asked)]
            await asyncio.to_thread(wait_for, wired, count)

    asyncio.run(calls())
    (_, *flagged), *others = sorted(
        wired.seen("actual_output_tokens", "quality_flags", "stop_reason", "truncated")
    )
    assert flagged == [["partial_usage"], None, None]
    assert others == [(500, None, "stop", False)] * 2


# What is wired, and the guards that all else of a call stands within.
GUARDS = {"__init__", "size", "async_pre_call_deployment_hook"}
FUNCTIONS = {name for name, value in vars(TokenestLogger).items() if isfunction(value)}


@pytest.mark.parametrize("name", sorted(FUNCTIONS - GUARDS))
def test_a_fault_harms_no_request(
    wired: Wired, logger: TokenestLogger, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever raises of the callback, the answer comes, awaited or not, also one asked for."""

    def raising(*_: object, **__: object) -> Theirs:
        raise RuntimeError("a fault of ours")

    async def calls() -> Theirs:
        return await litellm.acompletion(**asked)

    asked = call(wired, "openai/gpt-4o", "needs 300")
    monkeypatch.setattr(TokenestLogger, name, raising)
    found = [
        asyncio.run(calls()),
        litellm.completion(**asked),
        litellm.completion(**logger.size(**asked)),
    ]
    assert [answer.usage.completion_tokens for answer in found] == [300] * 3


def test_what_cannot_be_sized_is_as_it_was_written(logger: TokenestLogger) -> None:
    """The arguments come back."""
    assert {**logger.size(messages=3)}.items() >= {"messages": 3}.items()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def post(url: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send JSON, read JSON."""
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {key}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


CONFIG = """
model_list:
  - model_name: small
    litellm_params: {{model: openai/gpt-5-mini, api_base: {url}/v1, api_key: none}}
litellm_settings:
  callbacks: tokenest_py.clients.litellm.logger
"""


def test_the_proxy(wired: Wired, tmp_path: Path) -> None:
    """Its configuration names the callback; the request's metadata name the category."""
    import vintages

    rows = [vintages.budget(0.02, 1000, n=60, method="budget_blend", category="learned")]
    table = vintages.write(tmp_path, lambda packaged: vintages.still(packaged) + rows)
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(url=wired.provider.url))
    key = f"sk-{secrets.token_hex(24)}"  # the proxy does not start without one
    port, log = free_port(), (tmp_path / "proxy.log").open("w+")
    program = str(Path(sys.executable).with_name("litellm"))
    proxy = subprocess.Popen(
        [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)],
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "TELEMETRY_DB_ENABLED": "1",
            "TOKENEST_TELEMETRY_DIR": str(wired.folder / "proxied"),
            "TOKENEST_COEFFICIENTS": str(table),
            "LITELLM_MASTER_KEY": key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and proxy.poll() is None:
            try:
                urllib.request.urlopen(f"{url}/health/liveliness", timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        answer = post(
            f"{url}/chat/completions",
            key,
            {
                "model": "small",
                "messages": [{"role": "user", "content": "needs 300"}],
                "metadata": {"category": "learned"},
            },
        )
        assert answer["choices"][0]["finish_reason"] == "stop"
        wait_for(wired, 1)
    finally:
        proxy.terminate()
        proxy.wait(20)
        log.seek(0)
        print(log.read()[-4000:], *lines(wired.folder), sep="\n")
        log.close()
    assert wired.provider.ceilings(*CEILINGS) == [1000]
    assert wired.seen(*SEEN, "category") == [("openai", "gpt-5-mini", 1000, 300, False, "learned")]
