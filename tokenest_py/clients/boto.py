"""boto3's client of Bedrock, by botocore's own events: Converse and ConverseStream."""

from __future__ import annotations

import functools
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

from tokenest_py.clients.attempts import Outcome, is_of_signal
from tokenest_py.clients.passing import Passing
from tokenest_py.clients.patches import packages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenest_py.clients.call import Call
    from tokenest_py.clients.patches import Theirs
    from tokenest_py.clients.sizer import Sizer

_METHODS = {"Converse": "converse", "ConverseStream": "converse_stream"}
_CALL = "tokenest_call"  # its name in the context that botocore hands from event to event
_PROMPT = ":prompt/"  # in the ARN of a stored prompt, beside which Bedrock takes no ceiling
_is_ours: ContextVar[bool] = ContextVar("tokenest_second_attempt", default=False)


def is_client(client: Theirs) -> bool:
    """Whether this is `boto3.client("bedrock-runtime")`; aiobotocore's has to be awaited."""
    model = getattr(getattr(client, "meta", None), "service_model", None)
    is_of_bedrock = getattr(model, "service_name", None) == "bedrock-runtime"
    return is_of_bedrock and "aiobotocore" not in packages(client)


def wire(client: Theirs, sizer: Sizer) -> None:
    """Size what the client sends."""
    unwire(client)
    for operation, method in _METHODS.items():
        before, after = _events(operation)
        handler = _Operation(sizer, getattr(client, method), is_stream=operation != "Converse")
        client.meta.events.register(before, handler.before, unique_id=f"tokenest.{before}")
        client.meta.events.register(after, handler.after, unique_id=f"tokenest.{after}")


def unwire(client: Theirs) -> None:
    """Leave the client as it was."""
    for operation in _METHODS:
        for event in _events(operation):
            client.meta.events.unregister(event, unique_id=f"tokenest.{event}")


def _events(operation: str) -> tuple[str, str]:
    return (
        f"before-parameter-build.bedrock-runtime.{operation}",
        f"after-call.bedrock-runtime.{operation}",
    )


class _Operation:
    """What happens before and after the calls of one operation."""

    def __init__(self, sizer: Sizer, method: Theirs, *, is_stream: bool) -> None:
        self._sizer = sizer
        self._method = method
        self._is_stream = is_stream

    def before(self, params: dict[str, Theirs], context: dict[str, Theirs], **_: object) -> None:
        """Set the ceiling; the second attempt has its own already."""
        with suppress(Exception):
            if _is_ours.get():
                return
            call = self._sizer.begin(
                dict(params),
                provider="bedrock",
                stream=self._is_stream,
                model=params.get("modelId"),
                is_sent=_PROMPT in str(params.get("modelId")),
            )
            _put(params, call.body)
            context[_CALL] = call

    def after(
        self,
        http_response: Theirs,
        parsed: dict[str, Theirs],
        context: dict[str, Theirs],
        **_: object,
    ) -> None:
        """Record the answer; where a second attempt is worth it, put its answer in the place."""
        call: Call | None = context.get(_CALL)
        if call is None:
            return
        is_changed, is_error = call.is_changed, http_response.status_code >= 300
        body, counts, is_fault = call.written, True, True
        with suppress(Exception):
            if not self._is_worth_another(call, http_response, parsed):
                return
            body, counts, is_fault = call.body, call.replaces, False
        if is_fault and not (is_changed and is_error):  # what is wrong may be our ceiling
            return
        if self._send(call, body, http_response, parsed, counts=counts) and not is_fault:
            with suppress(Exception):
                self._is_worth_another(call, http_response, parsed)

    def _is_worth_another(self, call: Call, http_response: Theirs, parsed: Theirs) -> bool:
        if http_response.status_code >= 300:
            error = _RefusalError(http_response.status_code, parsed)
            return call.finish(error=error).budget is not None
        if self._is_stream:
            _tap(parsed["stream"], call)
            return False
        return call.finish(parsed).budget is not None

    def _send(
        self,
        call: Call,
        body: Theirs,
        http_response: Theirs,
        parsed: dict[str, Theirs],
        *,
        counts: bool,
    ) -> bool:
        """Send again; the answer takes the place of the first one, an error where that counts.

        One that is no answer, such as a lost connection, is raised there.
        """
        second = Outcome()
        token = _is_ours.set(True)
        try:
            with second:
                second.answer = self._method(**body)
        finally:
            _is_ours.reset(token)
        error, second.error = second.error, None  # its traceback has this frame
        if error is None:
            _put(parsed, second.answer)
            http_response.status_code = 200
            return True
        said: Theirs = getattr(error, "response", None)
        with suppress(Exception):
            call.finish(error=_RefusalError(said["ResponseMetadata"]["HTTPStatusCode"], said))
        try:
            if is_of_signal(error):
                raise error
            if counts and isinstance(said, dict):
                _put(parsed, said)  # what botocore raises next is then about the request as written
            elif counts:
                raise error
        finally:
            error = None
        return False


def _put(target: dict[str, Theirs], source: Theirs) -> None:
    """Make the dictionary that botocore goes on with equal to another one."""
    source = dict(source)
    target.clear()
    target.update(source)


class _RefusalError(Exception):
    """What botocore is about to raise."""

    def __init__(self, status: int, parsed: dict[str, Theirs]) -> None:
        super().__init__(parsed.get("Error", {}).get("Message", ""))
        self.status_code = status


def _tap(stream: Theirs, call: Call) -> None:
    """Let the call see the events that pass."""
    stream.tokenest_passing = Passing(call, comes_usage=True)
    stream.__class__ = _tapped(stream.__class__)


@functools.lru_cache
def _tapped(base: Theirs) -> Theirs:
    class Tapped(base):  # type: ignore[misc]
        tokenest_passing: Passing

        def __iter__(self) -> Iterator[Theirs]:
            return self.tokenest_passing.through(super().__iter__())

    return Tapped
