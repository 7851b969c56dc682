"""Fixtures of the tests against the real client libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest
from fake_provider import FakeProvider
from wired import Wired

import vintages
from tokenest_py import Estimator, Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEARNED = 1000  # the ceiling of the category "learned" at the usual rate


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A provider on loopback."""
    fake = FakeProvider()
    server = fake.start()
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Estimator:
    """A table in which three categories have a ceiling, and no other has."""
    rows: list[dict[str, Any]] = [
        vintages.budget(0.02, tokens, n=60, method="budget_blend", category=category)
        for category, tokens in (("learned", LEARNED), ("large", 15_000), ("huge", 40_000))
    ]
    folder = tmp_path_factory.mktemp("table")
    return Estimator.load(
        vintages.write(folder, lambda packaged: vintages.still(packaged) + rows), strict=True
    )


@pytest.fixture
def wired(provider: FakeProvider, learned: Estimator, tmp_path: Path) -> Wired:
    """What a sized client needs, and what came of its calls."""
    folder = tmp_path / "recorded"
    return Wired(provider, learned, Recorder(folder, enabled=True), folder)


@pytest.fixture
def client(wired: Wired) -> openai.OpenAI:
    """A sized client of OpenAI's, which tests of other libraries replace by their own."""
    return wired.sized(openai.OpenAI(base_url=f"{wired.provider.url}/v1"))
