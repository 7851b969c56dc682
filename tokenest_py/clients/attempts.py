"""Sends a request, and once more where that helps: what is not suppressed is the library's own."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tokenest_py.clients.patches import Theirs


class Attempt(Protocol):
    """What a client's adapter makes of one call."""

    request: Theirs
    """What to send, in the adapter's own form; the very one that was written, if it is that."""

    def after(self, answer: Theirs, error: Exception | None) -> bool:
        """Take note of what came; True where `request` is now worth another attempt."""

    @property
    def replaces(self) -> bool:
        """Whether the second outcome counts whatever it is; else only if it is an answer."""


class Outcome:
    """What came of sending a request: an answer, or an error. Interrupts pass."""

    def __init__(self) -> None:
        """Begin with neither."""
        self.answer: Theirs = None
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Keep an error."""
        if isinstance(error, Exception):
            self.error = error
        return self.error is not None

    def deliver(self) -> Theirs:
        """Hand over to the application."""
        if self.error is not None:
            raise self.error
        return self.answer


def run(begin: Callable[[], Attempt], send: Callable[[Theirs], Theirs], written: Theirs) -> Theirs:
    """Send what `begin` makes of the request, or where that fails the request as it was written."""
    attempt, request = _begin(begin, written)
    first, second = Outcome(), Outcome()
    try:
        with first:
            first.answer = send(request)
        following = _following(attempt, first, request, written)
        if following is None:
            return first.deliver()
        if following is written:
            return send(written)
        with second:
            second.answer = send(following)
        return _choose(attempt, first, second).deliver()
    finally:
        first.error = second.error = None  # its traceback has this frame, which would hold it


async def run_async(
    begin: Callable[[], Attempt], send: Callable[[Theirs], Awaitable[Theirs]], written: Theirs
) -> Theirs:
    """The same for a client that is awaited."""
    attempt, request = _begin(begin, written)
    first, second = Outcome(), Outcome()
    try:
        with first:
            first.answer = await send(request)
        following = _following(attempt, first, request, written)
        if following is None:
            return first.deliver()
        if following is written:
            return await send(written)
        with second:
            second.answer = await send(following)
        return _choose(attempt, first, second).deliver()
    finally:
        first.error = second.error = None  # its traceback has this frame, which would hold it


def _begin(begin: Callable[[], Attempt], written: Theirs) -> tuple[Theirs, Theirs]:
    with suppress(Exception):
        attempt = begin()
        return attempt, attempt.request
    return None, written


def _following(attempt: Attempt, outcome: Outcome, sent: Theirs, written: Theirs) -> Theirs:
    """What to send next, or None: what the attempt says.

    Where it fails over an error, that may be about our ceiling: then the request as it was written.
    """
    following = written if outcome.error is not None and sent is not written else None
    with suppress(Exception):
        following = attempt.request if attempt.after(outcome.answer, outcome.error) else None
    return following


def _choose(attempt: Attempt, first: Outcome, second: Outcome) -> Outcome:
    """The second outcome; where it is an error that we brought about, the first."""
    with suppress(Exception):
        if second.error is not None and is_of_signal(second.error):
            return second
        attempt.after(second.answer, second.error)
        return second if second.error is None or attempt.replaces else first
    return first if second.error is not None else second


def is_of_signal(error: BaseException | None) -> bool:
    """Whether the handler of a signal raised it, as a soft time limit of Celery or RQ does.

    The libraries wrap what is raised while they wait.
    """
    handlers = {getattr(signal.getsignal(n), "__code__", None) for n in signal.valid_signals()}
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code in handlers:
                return True
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
    return False
