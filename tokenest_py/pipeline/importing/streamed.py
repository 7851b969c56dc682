"""Answers of a stream whose pieces were logged one by one, each as the answer that they add up to.

Pieces of OpenAI's chats say whose they are. Those of Anthropic's messages follow one another, so
that of two streams at once nobody can say which usage is whose.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Streams", "answer_of"]

Record = dict[str, Any]

CHUNK, WHOLE = "chat.completion.chunk", "chat.completion"
OF_A_MESSAGE = {
    "message_start", "content_block_start", "content_block_delta", "content_block_stop",
    "message_delta", "message_stop",
}  # fmt: skip


class Streams:
    """Joins the pieces of streams among the records of one table. No text is kept."""

    def __init__(self) -> None:
        """Begin without a piece."""
        self._chats: dict[object, Record] = {}
        self._messages: list[Record] = []  # begun, and not ended
        self._n_given_up = 0

    @property
    def unfinished(self) -> int:
        """How many streams were left out: no piece says the usage, the end, or whose it is."""
        return self._n_given_up + len(self._chats) + len(self._messages)

    def joined(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records, with each answer in the place of the piece that ends it."""
        for record in records:
            if record.get("object") == CHUNK:
                whole = self._with_chunk(record)
            elif record.get("type") in OF_A_MESSAGE:
                whole = self._with_event(record)
            else:
                whole = None if _is_within_a_response(record) else record
            if whole is not None:
                yield whole

    def _with_chunk(self, piece: Record) -> Record | None:
        key, choices = piece.get("id"), _objects(piece.get("choices"))
        if not key or (key not in self._chats and not choices):
            return None  # what was filtered comes first, and some repeat the usage at the end
        chat = self._chats.setdefault(key, {**piece, "object": WHOLE, "choices": []})
        chat["choices"] += [
            {"index": choice.get("index"), "finish_reason": choice["finish_reason"]}
            for choice in choices
            if choice.get("finish_reason")
        ]
        chat["usage"] = piece.get("usage") or chat.get("usage")
        return self._chats.pop(key) if chat["choices"] and chat["usage"] else None

    def _with_event(self, event: Record) -> Record | None:
        if event["type"] == "message_start" and isinstance(event.get("message"), dict):
            beside = {name: one for name, one in event.items() if name not in {"type", "message"}}
            self._messages.append({**beside, **event["message"]})
        delta = event.get("delta")
        if event["type"] != "message_delta" or not isinstance(delta, dict) or not self._messages:
            return None
        if len(self._messages) > 1:
            self._n_given_up += len(self._messages)
            self._messages.clear()
            return None
        message = self._messages.pop()
        usage = {**(message.get("usage") or {}), **(event.get("usage") or {})}
        return {**message, **delta, "usage": usage}


def answer_of(text: str) -> Record:
    """The answer that the events of a body of HTTP add up to; {} where it has none."""
    events = []
    for line in text.splitlines():
        if line.startswith("data:"):
            with suppress(ValueError, RecursionError):
                events.append(json.loads(line[5:]))
    events = _objects(events)
    last = next(iter(events[-1:]), {})
    response = last.get("response")
    if isinstance(response, dict):  # of OpenAI's responses, whose last event holds the whole one
        return response
    if "usageMetadata" in last:  # of Gemini
        return last
    return next(Streams().joined(e for e in events if "object" in e or "type" in e), {})


def _is_within_a_response(record: Record) -> bool:
    """Whether this is an event of OpenAI's responses before the last one, which has the whole."""
    is_event = str(record.get("type")).startswith("response.") and "sequence_number" in record
    response = record.get("response")
    return is_event and not (isinstance(response, dict) and response.get("usage"))


def _objects(value: object) -> list[Record]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
