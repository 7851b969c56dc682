"""What stands around every endpoint: the token, the host, one line a request, and its errors."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import time
import traceback
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from tokenest_py.errors import DatabaseError, TokenestError
from tokenest_py.pipeline.printable import printable
from tokenest_py.service.requests import RefusedError, error_answer

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Gate", "is_loopback"]

LOG = logging.getLogger("tokenest.access")
CLIENT_WENT = 499  # as nginx writes it: the client has gone, nothing was sent


class Gate:
    """Lets in who may come, writes a line of the access log, and answers what goes wrong."""

    def __init__(self, app: ASGIApp, *, token: str = "") -> None:
        """Ask for the token, where there is one, with every request."""
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), CLIENT_WENT

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            refused = self._refused(dict(scope["headers"]))
            if refused is None:
                await self._app(scope, receive, sending)
            else:
                await refused(scope, receive, sending)
        except ClientDisconnect:
            pass  # it costs itself
        except Exception as error:  # noqa: BLE001 - the outermost frame of a request
            if status == CLIENT_WENT:
                await _answer_to(error)(scope, receive, sending)
        finally:
            client = scope["client"][0] if scope["client"] else "-"
            path = printable(scope["path"])[:200]
            seconds = time.perf_counter() - started
            LOG.info("%s %s %s %d %.1f ms", client, scope["method"], path, status, seconds * 1000)

    def _refused(self, headers: dict[bytes, bytes]) -> Response | None:
        """Return the answer to who may not come in; None for who may."""
        if self._token:
            scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
            is_right = hmac.compare_digest(given.lstrip(b" "), self._token)
            if not (is_right and scheme.lower() == b"bearer"):  # upper case is the same in HTTP
                return error_answer(401, "send the token of the service: authorization: Bearer ...")
        elif not is_loopback(_host(headers.get(b"host", b""))):
            # A page of a foreign name that leads to this machine asks under that name.
            return error_answer(403, "without a token the host has to be a name of loopback")
        return None


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is this machine for itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(header: bytes) -> str:
    text = header.decode("latin-1").lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


def _answer_to(error: Exception) -> Response:
    if isinstance(error, RefusedError):
        return _said(error.status, error.message)
    if isinstance(error, TokenestError):
        return _said(503 if isinstance(error, DatabaseError) else 500, str(error))
    # without the error's own words: they may be a client's
    where = "".join(traceback.format_tb(error.__traceback__))
    logging.getLogger("tokenest").error("unexpected %s\n%s", type(error).__name__, where)
    return error_answer(500, f"unexpected {type(error).__name__}; the log has more")


def _said(status: int, message: str) -> Response:
    """What is our fault stands in the log, too: who is woken by that has no answer to read."""
    if status >= 500:
        logging.getLogger("tokenest").warning("%s", printable(message))
    return error_answer(status, message)
