"""Pieces of streams: each answer is read once, whole, and none with the count of another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from dbt_project import ROOT
from tokenest_py.pipeline.importing.importing import UNFINISHED, Imported, import_file
from tokenest_py.pipeline.importing.mapped import read_sources, sources
from tokenest_py.pipeline.importing.shipped import read_shippers

if TYPE_CHECKING:
    from pathlib import Path

Record = dict[str, Any]

SECRET = "canary-8d41"
SOURCES = read_sources(ROOT, sources(ROOT))
SHIPPERS = read_shippers(ROOT)
TIME = "2026-06-01T08:00:00Z"


def chat(key: str, tokens: int | None, reason: str | None = "stop") -> list[Record]:
    """The chunks of a chat: two of text, the end, and the usage where it was asked for."""
    head = {"id": key, "object": "chat.completion.chunk", "created": 1780300800, "model": "m"}
    ends = [*[(SECRET, None)] * 2, *([(None, reason)] if reason else [])]
    chunks: list[Record] = [
        {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": end}]}
        for text, end in ends
    ]
    usage: list[Record] = (
        [] if tokens is None else [{"choices": [], "usage": {"completion_tokens": tokens}}]
    )
    return [{**head, "usage": None, **chunk} for chunk in [{"choices": []}, *chunks, *usage]]


def message(key: str, tokens: int, reason: str = "end_turn") -> list[Record]:
    """The events of a message of Anthropic; the usage of the last one is that of all."""
    begun = {"id": key, "type": "message", "model": "c", "usage": {"input_tokens": 9}}
    return [
        {"type": "message_start", "message": begun},
        {"type": "content_block_delta", "index": 0, "delta": {"text": SECRET}},
        {
            "type": "message_delta", "delta": {"stop_reason": reason},
            "usage": {"output_tokens": tokens},
        },
        {"type": "message_stop"},
    ]  # fmt: skip


def response(tokens: int) -> list[Record]:
    """The events of one of OpenAI's responses, of which the last holds the whole one."""
    told = {"id": "resp_1", "object": "response", "model": "m", "usage": None}
    done = told | {"status": "completed", "usage": {"output_tokens": tokens}}
    return [
        {"type": "response.created", "sequence_number": 0, "response": told},
        {"type": "response.output_text.delta", "sequence_number": 1, "delta": SECRET},
        {"type": "response.completed", "sequence_number": 2, "response": done},
    ]


def woven(*streams: list[Record]) -> list[Record]:
    """The pieces of streams that come at the same time."""
    longest = max(map(len, streams))
    return [one[at] for at in range(longest) for one in streams if at < len(one)]


def imported(path: Path, text: str) -> tuple[Imported, list[Record]]:
    """What became of a file, and the lines that were written of it."""
    path.write_text(text, encoding="utf-8")
    done = import_file(path, path.parent / "telemetry", SOURCES, SHIPPERS, lambda: None)
    texts = [target.read_text("utf-8") for target in done.written]
    assert SECRET not in "".join(texts)
    return done, [json.loads(line) for text in texts for line in text.splitlines()]


def ended(line: Record) -> tuple[object, ...]:
    """The id, the tokens and the end of an answer."""
    usage = line["usage"]
    tokens = usage.get("completion_tokens", usage.get("output_tokens"))
    reasons = [choice["finish_reason"] for choice in line.get("choices", [])]
    return line["id"], tokens, *(reasons or [line.get("stop_reason")])


@pytest.mark.parametrize("prefix", ["", "data: "])
def test_lines_of_pieces(tmp_path: Path, prefix: str) -> None:
    """Chats that cross are told apart by their ids; a file may be what a server sent."""
    pieces = [
        *woven(chat("chatcmpl-1", 12), chat("chatcmpl-2", 40, "length")),
        *message("msg_1", 70, "max_tokens"), *message("msg_2", 8),
        *chat("chatcmpl-3", None), *chat("chatcmpl-4", 5, None),
    ]  # fmt: skip
    text = "".join(f"{prefix}{json.dumps(piece)}\n" for piece in pieces)
    done, lines = imported(tmp_path / "log.jsonl", text)
    assert [ended(line) for line in lines] == [
        ("chatcmpl-1", 12, "stop"), ("chatcmpl-2", 40, "length"),
        ("msg_1", 70, "max_tokens"), ("msg_2", 8, "end_turn"),
    ]  # fmt: skip
    assert lines[2]["usage"] == {"input_tokens": 9, "output_tokens": 70}
    assert dict(done.left_out) == {f"log.jsonl: {UNFINISHED}": 2}


def test_messages_at_once_are_left_out(tmp_path: Path) -> None:
    """Nobody can say which usage is whose; what comes one after another counts again."""
    pieces = [*woven(message("msg_1", 70), message("msg_2", 8)), *message("msg_3", 9)]
    text = "".join(f"{json.dumps(piece)}\n" for piece in pieces)
    done, lines = imported(tmp_path / "log.jsonl", text)
    assert [ended(line) for line in lines] == [("msg_3", 9, "end_turn")]
    assert dict(done.left_out) == {f"log.jsonl: {UNFINISHED}": 2}


def test_a_response_counts_once(tmp_path: Path) -> None:
    """Its last event holds it, those before are no rows."""
    text = "".join(f"{json.dumps(piece)}\n" for piece in response(12))
    done, lines = imported(tmp_path / "log.jsonl", text)
    assert [line["response"]["usage"] for line in lines] == [{"output_tokens": 12}]
    assert not done.left_out


@pytest.mark.parametrize(
    "events",
    [
        chat("chatcmpl-1", 12),
        message("msg_1", 12),
        response(12),
        [{"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"candidatesTokenCount": 12}}],
    ],
    ids=["chat", "message", "response", "gemini"],
)
def test_a_stream_in_an_exchange_of_http(tmp_path: Path, events: list[Record]) -> None:
    """A HAR has the events of the answer as one text."""
    body = "".join(f"event: x\ndata: {json.dumps(event)}\n\n" for event in events)
    entry = {
        "startedDateTime": TIME,
        "request": {"postData": {"text": json.dumps({"model": "m", "max_tokens": 50})}},
        "response": {"content": {"text": f"{body}data: [DONE]\n\n"}},
    }
    done, [line] = imported(tmp_path / "all.har", json.dumps({"log": {"entries": [entry]}}))
    assert line["request"] == {"model": "m", "max_tokens": 50}
    assert "12" in json.dumps(line["response"])
    assert not done.left_out
