"""A provider on loopback that speaks the formats of all, counts tokens exactly, and misbehaves.

A prompt says what its answer needs: "needs 300" or "needs 300 reasoning 50". An answer is cut off
where that is more than the ceiling. The prompt counts as 40 tokens, of which 8 were cached; one
that says "too long" does not fit.
"""

from __future__ import annotations

import json
import re
import struct
import threading
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INPUT, CACHED = 40, 8
ANSWER = '{"name": "Ada", "age": 36}'  # no recorded file may have it
Json = dict[str, Any]


@dataclass
class FakeProvider:
    """What it was sent, and what it shall do.

    Attributes:
        requests: Path and body of each request, in order.
        overloaded: How many requests it answers with 503 first.
        largest: The largest ceiling that it takes; 0 is any.
        says_usage: Whether whole answers of chats say their tokens.
        too_large: The words in which chats refuse a larger one.
        refusal: The status with which a larger one is refused.
        refuses: Parameters that it does not know.
        breaks_off_after: After how many parts a stream ends; 0 is all.
        hangs_up_after: How many requests it answers before it closes each connection; 0 is all.
        streams_usage: Whether streams of chats say their tokens unasked.
        hides_cuts: Whether a chat that has begun a tool call says no other end, as vLLM does.
        says_object: Whether the chunks of a chat say that they are chunks.
        gate: What a stream waits for after its first part.
        delay: How many seconds each answer takes.
        default_ceiling: The ceiling of a request without one.
    """

    requests: list[tuple[str, Json]] = field(default_factory=list)
    overloaded: int = 0
    largest: int = 0
    says_usage: bool = True
    too_large: str = (
        "max_tokens is too large: {given}. This model supports at most {most} completion tokens."
    )
    refusal: int = 400
    refuses: tuple[str, ...] = ()
    breaks_off_after: int = 0
    hangs_up_after: int = 0
    streams_usage: bool = False
    hides_cuts: bool = False
    says_object: bool = True
    gate: threading.Event | None = None
    delay: float = 0.0
    default_ceiling: int = 10**9
    url: str = ""

    def start(self) -> ThreadingHTTPServer:
        """Listen on a free port of loopback."""
        provider = self

        class Bound(_Handler):
            fake = provider

        server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        return server

    @property
    def bodies(self) -> list[Json]:
        """The bodies of the requests."""
        return [body for _, body in self.requests]

    def ceilings(self, *names: str) -> list[int | None]:
        """What each request had at one of these paths, such as `inferenceConfig.maxTokens`."""
        return [_first(body, names) for body in self.bodies]


def _first(body: Json, names: tuple[str, ...]) -> int | None:
    for name in names:
        found: Any = body
        for part in name.split("."):
            found = (found or {}).get(part)
        if found is not None:
            return int(found)
    return None


@dataclass(frozen=True)
class Use:
    """The tokens of one answer."""

    output: int
    reasoning: int
    is_cut: bool


def use(body: Json, ceiling: int) -> Use:
    """What the prompt needs, within the ceiling and the room that it says the window has."""
    text = json.dumps(body)
    said = re.search(r"needs (\d+)(?: reasoning (\d+))?", text)
    if room := re.search(r"room (\d+)", text):
        ceiling = min(ceiling, int(room[1]))
    visible, reasoning = (int(said[1]), int(said[2] or 0)) if said else (100, 0)
    wanted = visible + reasoning
    return Use(min(wanted, ceiling), min(reasoning, ceiling), wanted > ceiling)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the client's acknowledgement
    fake: FakeProvider

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer one request."""
        fake = self.fake
        body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
        path = self.path.partition("?")[0]
        fake.requests.append((path, body))
        time.sleep(fake.delay)
        if 0 < fake.hangs_up_after < len(fake.requests):
            self.close_connection = True
            return None
        if fake.overloaded:
            fake.overloaded -= 1
            return self._error(503, "overloaded")
        for name in fake.refuses:
            if name in body:
                return self._error(400, f"Unsupported parameter: '{name}'")
        if "too long" in json.dumps(body):
            return self._error(400, "This model's maximum context length is 128000 tokens.")
        for end, answer in _ANSWERS.items():
            if path.endswith(end):
                return answer(self, path, body)
        return self._error(404, f"no path {path}")

    def refused(self, ceiling: int, message: str) -> bool:
        """Refuse a ceiling above the largest in the provider's words."""
        if self.fake.largest and self.fake.default_ceiling > ceiling > self.fake.largest:
            message = message.format(given=ceiling, most=self.fake.largest)
            self._error(self.fake.refusal, message)
            return True
        return False

    def _error(self, status: int, message: str) -> None:
        error = {"message": message, "type": "error", "code": status}
        self.send_json({"error": error, "message": message}, status)

    def send_json(self, answer: Json, status: int = 200) -> None:
        """Send one document."""
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        if status == 503:
            self.send_header("retry-after-ms", "1")
        with suppress(ConnectionError):  # whoever asked has left
            self.end_headers()
            self.wfile.write(data)

    def send_parts(self, parts: list[bytes], kind: str = "text/event-stream") -> None:
        """Send a stream, whole or broken off."""
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        with suppress(ConnectionError):  # whoever asked has left
            for number, part in enumerate(parts[: self.fake.breaks_off_after or None]):
                if number and self.fake.gate is not None and not self.fake.gate.wait(10):
                    break
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                self.wfile.flush()
            if not self.fake.breaks_off_after:
                self.wfile.write(b"0\r\n\r\n")
                return
        self.close_connection = True


def _events(events: list[Json | str]) -> list[bytes]:
    """Server-sent events, named by their type where they have one."""
    parts = []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        name = f"event: {event['type']}\n" if isinstance(event, dict) and "type" in event else ""
        parts.append(f"{name}data: {data}\n\n".encode())
    return parts


def _chat(handler: _Handler, path: str, body: Json) -> None:
    deployment = re.search(r"/deployments/([^/]+)/", path)
    model = "gpt-5-mini-2025-08-07" if deployment else f"{body['model']}-2025-08-07"
    default = handler.fake.default_ceiling
    ceiling = body.get("max_completion_tokens") or body.get("max_tokens") or default
    ceiling = default if ceiling < 0 else ceiling
    if handler.refused(ceiling, handler.fake.too_large):
        return None
    used, answers = use(body, ceiling), body.get("n") or 1
    reason = "length" if used.is_cut else "stop"
    content = ANSWER[:8] if used.is_cut else ANSWER
    reply: Json = {"role": "assistant", "content": content}
    tools = body.get("tools")
    if tools and all(said["role"] != "tool" for said in body["messages"]):
        function = {"name": tools[0]["function"]["name"], "arguments": content}
        call = {"id": "call_1", "type": "function", "function": function}
        reply = {"role": "assistant", "content": None, "tool_calls": [call]}
        is_told = used.is_cut and not handler.fake.hides_cuts
        if not is_told and body.get("tool_choice") in (None, "auto"):
            reason = "tool_calls"
    usage = {
        "prompt_tokens": INPUT,
        "completion_tokens": used.output * answers,
        "total_tokens": INPUT + used.output * answers,
        "prompt_tokens_details": {"cached_tokens": CACHED},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning * answers},
    }
    whole = {"id": "chat-1", "created": 1, "model": model}
    if not body.get("stream"):
        choices = [
            {"index": index, "message": reply, "finish_reason": reason} for index in range(answers)
        ]
        answer = {"object": "chat.completion", "choices": choices}
        answer |= {"usage": usage} if handler.fake.says_usage else {}
        return handler.send_json(whole | answer)
    if handler.fake.says_object:
        whole |= {"object": "chat.completion.chunk"}
    if "tool_calls" in reply:
        reply["tool_calls"] = [reply["tool_calls"][0] | {"index": 0}]
    deltas: list[tuple[Json, str | None]] = [(reply, None), ({}, reason)]
    chunks: list[Json | str] = [
        whole | {"choices": [{"index": 0, "delta": delta, "finish_reason": ended}]}
        for delta, ended in deltas
    ]
    asks = "include_usage" in body.get("stream_options", ()) or "include" in body.get("usage", ())
    if asks or handler.fake.streams_usage:
        chunks.append(whole | {"choices": [], "usage": usage})
    return handler.send_parts(_events([*chunks, "[DONE]"]))


def _responses(handler: _Handler, _: str, body: Json) -> None:
    ceiling = body.get("max_output_tokens") or handler.fake.default_ceiling
    if handler.refused(ceiling, "max_output_tokens {given} is too large, at most {most}"):
        return None
    used = use(body, ceiling)
    status = "incomplete" if used.is_cut else "completed"
    content = ANSWER[:8] if used.is_cut else ANSWER
    text = {"type": "output_text", "text": content, "annotations": []}
    output = [
        {"type": "message", "id": "m", "role": "assistant", "status": status, "content": [text]}
    ]
    answer = {
        "id": "resp-1",
        "object": "response",
        "created_at": 1,
        "model": f"{body['model']}-2025-08-07",
        "status": status,
        "incomplete_details": {"reason": "max_output_tokens"} if used.is_cut else None,
        "error": None,
        "metadata": {},
        "instructions": None,
        "parallel_tool_calls": True,
        "temperature": 1,
        "top_p": 1,
        "tool_choice": "auto",
        "tools": [],
        "max_output_tokens": body.get("max_output_tokens"),
        "output": output,
        "usage": {
            "input_tokens": INPUT,
            "input_tokens_details": {"cached_tokens": CACHED, "cache_write_tokens": 0},
            "output_tokens": used.output,
            "output_tokens_details": {"reasoning_tokens": used.reasoning},
            "total_tokens": INPUT + used.output,
        },
    }
    if not body.get("stream"):
        return handler.send_json(answer)
    begun = answer | {"status": "in_progress", "output": [], "usage": None}
    events: list[Json | str] = [
        {"type": "response.created", "sequence_number": 0, "response": begun},
        {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0}
        | {"item": output[0] | {"content": []}},
        {"type": "response.output_item.done", "sequence_number": 2, "output_index": 0}
        | {"item": output[0]},
        {"type": f"response.{status}", "sequence_number": 3, "response": answer},
    ]
    return handler.send_parts(_events(events))


def _messages(handler: _Handler, path: str, body: Json) -> None:
    ceiling = body["max_tokens"]
    message = "max_tokens: {given} > {most}, which is the maximum allowed number of output tokens"
    if handler.refused(ceiling, message):
        return None
    used = use(body, ceiling)
    stop = "max_tokens" if used.is_cut else "end_turn"
    content = ANSWER[:8] if used.is_cut else ANSWER
    blocks: list[Json] = [{"type": "text", "text": content}]
    if body.get("tools") and "tool_result" not in json.dumps(body) and not used.is_cut:
        made = {"id": "t1", "name": body["tools"][0]["name"], "input": json.loads(ANSWER)}
        blocks, stop = [{"type": "tool_use", **made}], "tool_use"
    usage = {
        "input_tokens": INPUT - CACHED,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": CACHED,
        "output_tokens": used.output,
    }
    answer = {
        "id": "msg-1",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "claude-on-another-platform"),
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }
    if not body.get("stream") and not path.endswith(("-stream", ":streamRawPredict")):
        return handler.send_json(answer)
    begun = answer | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    events: list[Json] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(blocks):
        empty = {"text": ""} if block["type"] == "text" else {"input": {}}
        delta = (
            {"type": "text_delta", "text": content}
            if block["type"] == "text"
            else {"type": "input_json_delta", "partial_json": ANSWER}
        )
        events += [
            {"type": "content_block_start", "index": index, "content_block": block | empty},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    ended = {"stop_reason": stop, "stop_sequence": None}
    last = {"type": "message_delta", "delta": ended, "usage": {"output_tokens": used.output}}
    events += [last, {"type": "message_stop"}]
    if path.endswith("-stream"):
        return handler.send_parts([_frame("chunk", _inner(event)) for event in events], _FRAMES)
    return handler.send_parts(_events(list(events)))


def _inner(event: Json) -> Json:
    import base64

    return {"bytes": base64.b64encode(json.dumps(event).encode()).decode()}


def _gemini(handler: _Handler, path: str, body: Json) -> None:
    ceiling = body.get("generationConfig", {}).get("maxOutputTokens")
    ceiling = ceiling or handler.fake.default_ceiling
    message = "it has a maxOutputTokens value of {given} but the supported range is from 1 "
    if handler.refused(ceiling, f"{message}(inclusive) to {handler.fake.largest + 1} (exclusive)"):
        return None
    used = use(body, ceiling)
    parts = [{"content": {"role": "model", "parts": [{"text": ANSWER}]}, "index": 0}]
    usage = {
        "promptTokenCount": INPUT,
        "candidatesTokenCount": used.output - used.reasoning,
        "thoughtsTokenCount": used.reasoning,
        "totalTokenCount": INPUT + used.output,
    }
    answer = {
        "candidates": [parts[0] | {"finishReason": "MAX_TOKENS" if used.is_cut else "STOP"}],
        "usageMetadata": usage,
        "modelVersion": "gemini-served",
        "responseId": "gem-1",
    }
    if not path.endswith(":streamGenerateContent"):
        return handler.send_json(answer)
    first = {"promptTokenCount": INPUT, "candidatesTokenCount": 3, "totalTokenCount": INPUT + 3}
    begun = {"candidates": parts, "usageMetadata": first, "modelVersion": "gemini-served"}
    return handler.send_parts(_events([begun, answer]))


def _converse(handler: _Handler, path: str, body: Json) -> None:
    ceiling = body.get("inferenceConfig", {}).get("maxTokens") or handler.fake.default_ceiling
    message = "The maximum tokens you requested exceeds the model limit of {most}."
    if handler.refused(ceiling, message):
        return None
    used = use(body, ceiling)
    stop = "max_tokens" if used.is_cut else "end_turn"
    usage = {
        "inputTokens": INPUT - CACHED,
        "outputTokens": used.output,
        "totalTokens": INPUT + used.output,
        "cacheReadInputTokens": CACHED,
        "cacheWriteInputTokens": 0,
    }
    content = {"message": {"role": "assistant", "content": [{"text": ANSWER}]}}
    if path.endswith("/converse"):
        answer = {"output": content, "stopReason": stop, "usage": usage}
        return handler.send_json(answer | {"metrics": {"latencyMs": 1}})
    delta = {"delta": {"text": ANSWER}, "contentBlockIndex": 0}
    frames = [
        _frame("messageStart", {"role": "assistant"}),
        _frame("contentBlockDelta", delta),
        _frame("contentBlockStop", {"contentBlockIndex": 0}),
        _frame("messageStop", {"stopReason": stop}),
        _frame("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}),
    ]
    return handler.send_parts(frames, _FRAMES)


def _cohere(handler: _Handler, _: str, body: Json) -> None:
    used = use(body, body.get("max_tokens") or handler.fake.default_ceiling)
    answer = {
        "id": "cohere-1",
        "finish_reason": "MAX_TOKENS" if used.is_cut else "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": ANSWER}]},
        "usage": {
            "billed_units": {"input_tokens": 3, "output_tokens": used.output},
            "tokens": {"input_tokens": INPUT, "output_tokens": used.output},
        },
    }
    return handler.send_json(answer)


def _ollama(handler: _Handler, _: str, body: Json) -> None:
    ceiling = (body.get("options") or {}).get("num_predict")
    used = use(body, ceiling or handler.fake.default_ceiling)
    answer = {
        "model": body["model"],
        "message": {"role": "assistant", "content": ANSWER},
        "done": True,
        "done_reason": "length" if used.is_cut else "stop",
        "prompt_eval_count": INPUT,
        "eval_count": used.output,
    }
    return handler.send_json(answer)


_FRAMES = "application/vnd.amazon.eventstream"


def _frame(name: str, payload: Json) -> bytes:
    """One event of Amazon's binary streams: lengths, headers, payload, checksums."""
    headers = b""
    said = {":message-type": "event", ":event-type": name, ":content-type": "application/json"}
    for key, value in said.items():
        headers += struct.pack("!B", len(key)) + key.encode()
        headers += struct.pack("!BH", 7, len(value)) + value.encode()
    data = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(data), len(headers))
    prelude += struct.pack("!I", zlib.crc32(prelude))
    message = prelude + headers + data
    return message + struct.pack("!I", zlib.crc32(message))


def _embeddings(handler: _Handler, _: str, body: Json) -> None:
    data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
    usage = {"prompt_tokens": INPUT, "total_tokens": INPUT}
    answer = {"object": "list", "data": data, "model": body["model"], "usage": usage}
    return handler.send_json(answer)


_ANSWERS = {
    "/embeddings": _embeddings,
    "/chat/completions": _chat,
    "/responses": _responses,
    "/v1/messages": _messages,
    "/invoke": _messages,
    "/invoke-with-response-stream": _messages,
    ":rawPredict": _messages,
    ":streamRawPredict": _messages,
    ":generateContent": _gemini,
    ":streamGenerateContent": _gemini,
    "/v2/chat": _cohere,
    "/api/chat": _ollama,
    "/converse": _converse,
    "/converse-stream": _converse,
}
