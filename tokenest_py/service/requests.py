"""A request's body, within its bounds, and the answers that every endpoint gives.

An error is one JSON object with one member, `message`: what the OTLP protocol calls a Status.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.responses import Response

from tokenest_py.pipeline.printable import plain
from tokenest_py.runtime.strict_json import RepeatedKeyError, decode_strictly
from tokenest_py.service.bounds import (
    BODY_SECONDS,
    MAX_BODY,
    MAX_IN_FLIGHT,
    MAX_SMALL_BODY,
    MAX_UNPACKED,
    RETRY_SECONDS,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable

    from starlette.requests import Request

__all__ = [
    "JSON",
    "NDJSON",
    "PROTOBUF",
    "RefusedError",
    "Threads",
    "answer",
    "check_names",
    "error_answer",
    "parsed",
    "parsed_object",
    "reading",
    "unpacked",
]

_T = TypeVar("_T")

JSON = "application/json"
NDJSON = "application/x-ndjson"
PROTOBUF = "application/x-protobuf"


class RefusedError(Exception):
    """A request that is refused: the status, and one line that says why."""

    def __init__(self, status: int, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.status = status
        self.message = message


def answer(content: object, status: int = 200) -> Response:
    """Return a JSON response."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=plain)
    # a lone surrogate of a hostile text must not break the answer that names it
    return Response(text.encode("utf-8", "replace"), status, media_type=JSON)


def error_answer(status: int, message: str) -> Response:
    """Return the answer to what is refused."""
    response = answer({"message": message}, status)
    if status in {429, 503}:
        response.headers["retry-after"] = str(RETRY_SECONDS)
    if status in {408, 413}:  # the rest of the body is not read
        response.headers["connection"] = "close"
    if status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response


def check_names(given: Iterable[str], known: Collection[str]) -> None:
    """Refuse a name that is misspelt, of which a default would take the place.

    Raises:
        RefusedError: With the name, and those that there are.
    """
    for name in given:
        if name not in known:
            raise RefusedError(400, f"{name[:100]} is no member; there are {', '.join(known)}")


class Threads:
    """A few threads apart from the others: what waits in them keeps nobody else waiting."""

    def __init__(self, count: int) -> None:
        """Let so many calls run at once."""
        self._limiter = CapacityLimiter(count)

    async def run(self, call: Callable[..., _T], *arguments: object) -> _T:
        """Return what the call returns."""
        return await to_thread.run_sync(call, *arguments, limiter=self._limiter)


class InFlight:
    """The bytes of all bodies that are held now; used on the event loop alone."""

    def __init__(self) -> None:
        """Begin with none."""
        self.bytes = 0


_held = InFlight()


@contextlib.asynccontextmanager
async def reading(
    request: Request, *types: str, most: int = MAX_BODY
) -> AsyncIterator[tuple[str, bytes]]:
    """Yield the media type and the body, as it was sent; its bytes count as held until the end.

    Raises:
        RefusedError: The type is another one, the body is too large or too slow, or too much is
            held.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in types:
        # Forms and plain text are what a web page may send to any host without asking.
        raise RefusedError(415, f"content-type has to be {' or '.join(types)}")
    body = bytearray()
    sent = 0
    try:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    sent += len(chunk)
                    # What is too large is read on and dropped: who still sends hears no answer.
                    if sent <= most:
                        if _held.bytes + len(chunk) > MAX_IN_FLIGHT:
                            raise RefusedError(503, "too many bodies are under way")
                        _held.bytes += len(chunk)
                        body += chunk
                    elif sent > MAX_UNPACKED:
                        break
        except TimeoutError:
            raise RefusedError(408, f"the body took more than {BODY_SECONDS:g} s") from None
        if sent > most:
            raise RefusedError(413, f"the body is larger than {most} bytes")
        yield media_type, bytes(body)
    finally:
        _held.bytes -= len(body)


def unpacked(body: bytes, encoding: str) -> bytes:
    """Return the body behind its content-encoding.

    Raises:
        RefusedError: The encoding is not gzip, the body is not, or it grows too large.
    """
    encoding = encoding.lower()  # upper case is the same in HTTP
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise RefusedError(415, "content-encoding has to be gzip or none")
    stream = zlib.decompressobj(wbits=31)
    try:
        content = stream.decompress(body, MAX_UNPACKED + 1)
    except zlib.error:
        raise RefusedError(400, "the body is not gzip") from None
    if len(content) > MAX_UNPACKED:
        raise RefusedError(413, f"the body is larger than {MAX_UNPACKED} bytes when unpacked")
    if not stream.eof or stream.unused_data:
        raise RefusedError(400, "the body is not one whole gzip stream")
    return content


def parsed(text: bytes) -> object:
    """Return the JSON value as landing would read it: UTF-8, no key twice, no NaN.

    Raises:
        ValueError: With the reason, in the words of landing.
    """
    try:
        value: object = decode_strictly(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("not_utf8") from None
    except RepeatedKeyError:
        raise ValueError("duplicate_key") from None
    except (ValueError, RecursionError):
        raise ValueError("not_json") from None
    return value


async def parsed_object(request: Request) -> dict[str, Any]:
    """Return the JSON object of a small body.

    Raises:
        RefusedError: It is none, or as `reading()`.
    """
    async with reading(request, JSON, most=MAX_SMALL_BODY) as (_, body):
        try:
            value = parsed(body or b"{}")
        except ValueError as error:
            raise RefusedError(400, f"the body is no JSON object: {error}") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "the body is no JSON object: not_an_object")
    return value
