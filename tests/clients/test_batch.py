"""The requests of a file, of which only those that can have a ceiling get one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tokenest_py import Sizer
from tokenest_py.clients.batch import Batch

if TYPE_CHECKING:
    from wired import Wired


def sized(wired: Wired, row: dict[str, Any]) -> dict[str, Any]:
    """The row as it comes out."""
    batch = Batch(Sizer(estimator=wired.estimator, recorder=wired.recorder))
    [line] = batch.lines([json.dumps(row)])
    found: dict[str, Any] = json.loads(line)
    return found


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ({"url": "/v1/chat/completions"}, "max_completion_tokens"),
        ({}, "max_completion_tokens"),
        ({"url": "/v1/responses"}, "max_output_tokens"),
    ],
)
def test_what_can_have_a_ceiling(wired: Wired, url: dict[str, str], name: str) -> None:
    """Under the name that its endpoint knows."""
    row = {"custom_id": "learned-1", **url, "body": {"model": "gpt-5"}}
    assert sized(wired, row)["body"] == {"model": "gpt-5", name: 1000}


@pytest.mark.parametrize("model", [{"model": "mistral-large-latest"}, {}])
def test_a_batch_whose_job_names_the_endpoint(wired: Wired, model: dict[str, str]) -> None:
    """Mistral knows the older name only, and answers the other one with an error."""
    row = {"custom_id": "learned-1", "body": {**model, "messages": []}}
    assert sized(wired, row)["body"] == {**model, "messages": [], "max_tokens": 1000}
    embedded = {"custom_id": "learned-1", "body": {**model, "input": "x"}}
    assert sized(wired, embedded) == embedded


@pytest.mark.parametrize("url", ["/v1/embeddings", "/v1/completions", "/v1/moderations"])
def test_what_cannot(wired: Wired, url: str) -> None:
    """OpenAI would refuse the line, so it stays as it is."""
    row = {"custom_id": "learned-1", "url": url, "body": {"model": "m", "input": "x"}}
    assert sized(wired, row) == row


def test_a_stored_prompt(wired: Wired) -> None:
    """It may have a ceiling of its own, as with a sized client."""
    body = {"model": "gpt-5", "prompt": {"id": "pmpt_1"}}
    row = {"custom_id": "learned-1", "url": "/v1/responses", "body": body}
    assert sized(wired, row) == row


def test_a_request_that_only_fills_the_cache(wired: Wired) -> None:
    """It asks for no answer, and a sized client leaves it alone."""
    row = {"custom_id": "learned-1", "params": {"model": "claude-opus-4-7", "max_tokens": 0}}
    assert sized(wired, row) == row
