"""boto3's client of Bedrock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from tokenest_py import AUTO, unsized
from tokenest_py.errors import UsageError

if TYPE_CHECKING:
    from wired import Wired

    from tokenest_py.clients.patches import Theirs

MODEL = "eu.anthropic.claude-opus-4-7-v1:0"
CEILING = "inferenceConfig.maxTokens"


def bare(wired: Wired) -> Theirs:
    """A client of the provider on loopback."""
    return boto3.client(
        "bedrock-runtime",
        region_name="eu-central-1",
        endpoint_url=wired.provider.url,
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def client(wired: Wired) -> Theirs:
    """A sized client."""
    return wired.sized(bare(wired))


def ask(prompt: str) -> dict[str, Any]:
    """One message."""
    return {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": prompt}]}]}


def test_a_client_that_is_awaited(wired: Wired) -> None:
    """A client of aiobotocore has the events of boto3; no second attempt can be made in them."""
    client = bare(wired)
    client.__class__ = type("Aio", (type(client),), {"__module__": "aiobotocore.client"})
    with pytest.raises(UsageError, match=r"client='aiobotocore\.client\.Aio'.*boto3"):
        wired.sized(client)


def test_converse(wired: Wired, client: Theirs) -> None:
    """Cached input counts as input; the answer names no model, so it is the one asked for."""
    client.converse(**ask("needs 300"))
    assert wired.provider.ceilings(CEILING) == [1000]
    [event] = wired.events()
    said = {
        "provider": "bedrock",
        "model": MODEL,
        "input_tokens": 40,
        "actual_max_tokens": 1000,
        "actual_output_tokens": 300,
        "stop_reason": "end_turn",
        "truncated": False,
    }
    assert {name: event.get(name) for name in said} == said


def test_the_rest_of_the_configuration_stays(wired: Wired, client: Theirs) -> None:
    """And the caller's own dictionary, too."""
    given = {"temperature": 0.5, "maxTokens": AUTO}
    client.converse(**ask("needs 300"), inferenceConfig=given)
    assert wired.provider.bodies[0]["inferenceConfig"] == {"temperature": 0.5, "maxTokens": 1000}
    assert given == {"temperature": 0.5, "maxTokens": AUTO}


def test_the_callers_own_ceiling_wins(wired: Wired, client: Theirs) -> None:
    """And is not raised."""
    client.converse(**ask("needs 300"), inferenceConfig={"maxTokens": 70})
    assert wired.seen("actual_max_tokens", "selected_budget", "truncated") == [(70, 1000, True)]


@pytest.mark.parametrize("name", ["thinking", "reasoning_config"])
def test_thinking(wired: Wired, client: Theirs, name: str) -> None:
    """The ceiling has to be above what is granted to it, in both of its spellings."""
    granted = {name: {"type": "enabled", "budget_tokens": 5000}}
    client.converse(**ask("needs 30"), additionalModelRequestFields=granted)
    assert wired.provider.ceilings(CEILING) == [6000]


def test_a_stored_prompt(wired: Wired, client: Theirs) -> None:
    """Bedrock takes no ceiling beside one, so it is only recorded."""
    client.converse(
        modelId="arn:aws:bedrock:eu-central-1:123456789012:prompt/ABCDEFGHIJ:1",
        promptVariables={"text": {"text": "needs 300"}},
    )
    assert "inferenceConfig" not in wired.provider.bodies[0]
    assert wired.seen("actual_max_tokens", "actual_output_tokens") == [(None, 300)]


def test_a_cut_off_answer_is_tried_once_more(wired: Wired, client: Theirs) -> None:
    """The second answer takes the place of the first."""
    answer = client.converse(**ask("needs 1500"))
    assert (answer["stopReason"], answer["usage"]["outputTokens"]) == ("end_turn", 1500)
    assert wired.provider.ceilings(CEILING) == [1000, 2000]
    assert wired.seen("attempt", "truncated") == [(1, True), (2, False)]


def test_the_second_attempt_fails(wired: Wired, client: Theirs) -> None:
    """The application gets the first answer, and the next attempt asks for what is taken."""
    wired.provider.largest = 1400
    for _ in range(2):
        assert client.converse(**ask("needs 1500"))["stopReason"] == "max_tokens"
    assert wired.provider.ceilings(CEILING) == [1000, 2000, 1000, 1400]


def test_what_nothing_is_known_of(wired: Wired) -> None:
    """No ceiling is sent."""
    wired.sized(bare(wired), category="unseen").converse(**ask("needs 300"))
    assert wired.provider.ceilings(CEILING) == [None]


def test_stream(wired: Wired, client: Theirs) -> None:
    """Stop reason and usage come apart and are one call."""
    answer = client.converse_stream(**ask("needs 300"))
    assert len(list(answer["stream"])) == 5
    assert wired.provider.ceilings(CEILING) == [1000]
    assert wired.seen("actual_output_tokens", "stop_reason", "input_tokens") == [
        (300, "end_turn", 40)
    ]


def test_a_stream_that_the_caller_leaves(wired: Wired, client: Theirs) -> None:
    """No usage has come, so nothing is claimed."""
    stream = client.converse_stream(**ask("needs 300"))["stream"]
    for _ in stream:
        break
    stream.close()
    assert wired.events() == []


@pytest.mark.parametrize("method", ["converse", "converse_stream"])
def test_a_refusal_teaches_the_limit(wired: Wired, client: Theirs, method: str) -> None:
    """The largest that is taken is sent, and from then on at once."""
    wired.provider.largest = 600
    for _ in range(2):
        list(getattr(client, method)(**ask("needs 300")).get("stream", ()))
    assert wired.provider.ceilings(CEILING) == [1000, 600, 600]
    assert wired.seen("actual_max_tokens") == [(600,), (600,)]


@pytest.mark.parametrize("method", ["converse", "converse_stream"])
def test_a_refusal_and_then_a_lost_connection(wired: Wired, client: Theirs, method: str) -> None:
    """The application has the error of the connection: the refusal was about our ceiling."""
    wired.provider.largest = 600
    wired.provider.hangs_up_after = 1
    with pytest.raises(ConnectionClosedError):
        getattr(client, method)(**ask("needs 300"))
    assert wired.provider.ceilings(CEILING) == [1000, 600]
    assert wired.events() == []


def test_an_error_is_no_event(wired: Wired, client: Theirs) -> None:
    """It reaches the application as it is."""
    wired.provider.overloaded = 9
    with pytest.raises(ClientError):
        client.converse(**ask("needs 300"))
    assert wired.events() == []


def test_sized_twice_and_unsized(wired: Wired, client: Theirs) -> None:
    """The last settings count; then it is the client that it was."""
    wired.sized(client, category="unseen").converse(**ask("needs 1"))
    unsized(client).converse(**ask("needs 1"))
    assert wired.provider.ceilings(CEILING) == [None, None]
    assert wired.seen("category") == [("unseen",)]
