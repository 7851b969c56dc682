"""Runs the application by uvicorn, within limits, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import queue
import select
import signal
import socket
import sys
import time
from logging.handlers import QueueHandler, QueueListener
from typing import TYPE_CHECKING, TextIO

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tokenest_py.errors import TokenestError, UsageError
from tokenest_py.pipeline.report.words import count
from tokenest_py.service.app import make_app
from tokenest_py.service.bounds import HEAD_SECONDS, MAX_CONNECTIONS, MIN_TOKEN, STOP_SECONDS
from tokenest_py.service.gate import is_loopback
from tokenest_py.service.requests import error_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tokenest_py.pipeline.settings import Settings

__all__ = ["listen", "serve"]

MAX_LOG_LINES = 10_000  # that wait for standard error; more are left out
LOG_SECONDS = 2.0  # that they may take when the service has stopped


def serve(settings: Settings, host: str, port: int, runs: Path, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; what was taken by then is answered first.

    Raises:
        UsageError: The host is beyond loopback and no token is set, or the token is short.
        TokenestError: The address cannot be had, or a run is damaged.
    """
    _check_token(settings.values["TOKENEST_API_TOKEN"], host)
    app = make_app(settings, runs)
    listening = listen(host, port)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(STOP_SECONDS),
        backlog=MAX_CONNECTIONS,
    )
    name = f"[{host}]" if ":" in host else host
    say(f"listening on http://{name}:{listening.getsockname()[1]}")
    say(f"telemetry folder: {app.state.recording.folder}; database: {settings.database}")
    for fault in (app.state.recording.fault(), app.state.sizing.fault()):
        if fault:
            say(f"warning: {fault}")
    with _logging():
        asyncio.run(Server(config).serve(sockets=[listening]))
    if _takes_a_line(sys.stderr, 0):
        say(f"stopped; {count(app.state.recording.written, 'record')} written")


class Server(uvicorn.Server):
    """Ends by a signal as by its own will: to stop it so is how it is stopped."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen to the signals, and do not raise them again at the end."""
        numbers = [signal.SIGINT, signal.SIGTERM]
        hangup = getattr(signal, "SIGHUP", None)  # Windows has none, and nohup ignores it
        if hangup and signal.getsignal(hangup) is not signal.SIG_IGN:
            numbers.append(hangup)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Protocol(H11Protocol):
    """Closes a connection that sends no request in time, and refuses in JSON what is too much."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of a request."""
        super().connection_made(transport)
        self._served: object = None  # the request that was under way or done at the last look
        self._look_again = self.loop.call_later(HEAD_SECONDS, self._look)
        if len(self.connections) > MAX_CONNECTIONS:  # whoever was there before is served
            refused = error_answer(503, f"there are {MAX_CONNECTIONS} connections already")
            refused.headers["connection"] = "close"
            self.app = refused

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._look_again.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP, and close."""
        body = json.dumps({"message": msg}).encode()
        with contextlib.suppress(h11.LocalProtocolError):  # an answer is under way already
            head = h11.Response(
                status_code=400,
                headers=[
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(body)).encode()),
                    (b"connection", b"close"),
                ],
                reason=b"Bad Request",
            )
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _look(self) -> None:
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self.cycle is self._served:
            self.transport.close()
            return
        self._served = self.cycle
        self._look_again = self.loop.call_later(HEAD_SECONDS, self._look)


def _check_token(token: str, host: str) -> None:
    if token and (len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable()):
        expected = f"a text of at least {MIN_TOKEN} printable ASCII characters"
        raise UsageError("TOKENEST_API_TOKEN", "...", expected)
    if not token and not is_loopback(host):
        raise UsageError("host", host, "127.0.0.1, or set TOKENEST_API_TOKEN: others can reach it")


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises TokenestError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Said to be TCP, or asyncio leaves Nagle's algorithm on: 40 ms for each answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(MAX_CONNECTIONS)
    except OSError as error:
        listening.close()
        reason = error.strerror or str(error)
        raise TokenestError(f"{host}:{port} cannot be had: {reason}; choose --port") from error
    return listening


@contextlib.contextmanager
def _logging() -> Iterator[None]:
    """Write logs to standard error from a thread of their own: a slow reader costs lines only."""
    lines: queue.Queue[logging.LogRecord] = queue.Queue(MAX_LOG_LINES)
    target = StandardError(sys.stderr)
    form = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
    target.setFormatter(form)
    loggers = [logging.getLogger(name) for name in ("tokenest", "uvicorn")]
    handler = Quietly(lines)
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    loggers[0].setLevel(logging.INFO)
    loggers[1].setLevel(logging.ERROR)
    listener = Listener(lines, target)
    listener.start()
    try:
        yield
    finally:
        target.ends_at = time.monotonic() + LOG_SECONDS
        listener.stop()
        for logger in loggers:
            logger.removeHandler(handler)


class StandardError(logging.StreamHandler[TextIO]):
    """Waits for who reads standard error; at the end only so long, and leaves the rest out."""

    ends_at = math.inf

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line once it is taken: a write that waits could be ended by nobody."""
        while not _takes_a_line(self.stream, min(0.2, max(0, self.ends_at - time.monotonic()))):
            if time.monotonic() >= self.ends_at:
                return
        super().emit(record)


class Listener(QueueListener):
    """Ends when there is room to say so."""

    def enqueue_sentinel(self) -> None:
        """Wait where the queue is full: lines go on leaving it."""
        while True:
            with contextlib.suppress(queue.Full):
                super().enqueue_sentinel()
                return
            time.sleep(0.01)


def _takes_a_line(stream: TextIO, seconds: float) -> bool:
    try:
        return bool(select.select([], [stream], [], seconds)[1])
    except (OSError, ValueError):  # it has no descriptor, or the system cannot say
        return True


class Quietly(QueueHandler):
    """Leaves a line out where the queue is full."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Say nothing."""
