"""What calls are labelled with: around them, in functions, tasks and threads."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import TYPE_CHECKING, Any

import openai
from wired import CEILING, MODEL, ask

from tokenest_py import AUTO, labels

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import pytest
    from wired import Wired


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
