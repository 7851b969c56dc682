"""Sizes the calls of one client and records their answers. Nothing in here can stop a request.

call = sizer.begin(body, provider="cohere", model=model)
response = send(**call.body)
call.finish(response)
"""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import TYPE_CHECKING

from tokenest_py.clients import requests
from tokenest_py.clients.call import Call
from tokenest_py.errors import UsageError
from tokenest_py.runtime.arguments import check_flag
from tokenest_py.runtime.budget import check_asked
from tokenest_py.runtime.estimator import Estimator
from tokenest_py.runtime.labels import NAME, NAMES, OF_THE_CALL, VALUES, is_value
from tokenest_py.runtime.log import warn
from tokenest_py.runtime.recorder import Recorder
from tokenest_py.runtime.recorder.record import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tokenest_py.runtime.budget import Escalation

MODES = ("size", "observe")
MOST_MODELS = 1000  # of which a refusal is remembered


@functools.cache
def _default_estimator() -> Estimator:
    """One for all clients of the process; nobody holds it who could ask for its status."""
    estimator = Estimator.load(reload_after=60)
    fault = estimator.status().fault
    if fault:
        warn(f"{fault}; the packaged table is in use")
    return estimator


@functools.cache
def _default_recorder() -> Recorder:
    return Recorder.from_env()


class Sizer:
    """What the calls of one client are sized by. `sized()` makes one; transports may, too.

    Attributes:
        recorder: Where answers go.
        estimator: Where ceilings come from.
    """

    def __init__(
        self,
        *,
        estimator: Estimator | None = None,
        recorder: Recorder | None = None,
        mode: str = "size",
        max_truncation: float = 0.02,
        escalate: bool = True,
        max_tokens: int | None = None,
        count: Callable[[Mapping[str, object]], int] | None = None,
        on_truncation: Callable[[Escalation], object] | None = None,
        **labels: object,
    ) -> None:
        """Prepare a sizer; every argument is that of `sized()`.

        Raises:
            UsageError: An argument is out of its bounds.
        """
        if mode not in MODES:
            raise UsageError("mode", mode, MODES)
        check_asked(max_truncation, max_tokens)
        check_flag("escalate", escalate)
        for name, given, kind, expected in (
            ("estimator", estimator, Estimator, "Estimator.load(path)"),
            ("recorder", recorder, Recorder, "Recorder(directory)"),
        ):
            if not isinstance(given, (kind, type(None))):
                raise UsageError(name, given, expected)
        for name, function in (("count", count), ("on_truncation", on_truncation)):
            if function is not None and (not callable(function) or _is_awaited(function)):
                raise UsageError(name, function, "a function that is not awaited")
        for name, value in labels.items():
            check_label(name, value)
        self.estimator = estimator or _default_estimator()
        self.recorder = recorder or _default_recorder()
        self.sets_ceilings = mode == "size"
        self.max_truncation = max_truncation
        self.escalates = escalate
        self.max_tokens = max_tokens
        self.count = count or requests.rough_tokens
        self.on_truncation = on_truncation
        self.labels = labels
        self._limits: dict[str, int] = {}  # as models said when they refused
        self._refusals: set[tuple[str, str, str]] = set()  # provider, model, parameter

    def begin(
        self,
        body: Mapping[str, object],
        *,
        provider: str,
        stream: bool = False,
        model: str | None = None,
        most: int | None = None,
        is_sent: bool = False,
    ) -> Call:
        """Size one call. Never raises for a provider that is known.

        Args:
            body: The request, as the provider's API takes it.
            provider: One of `runtime.providers.PARAMETERS`.
            stream: Whether the answer will come in parts, which rules out a second attempt.
            model: Its name, where the body has none.
            most: The largest ceiling that the client allows.
            is_sent: Whether the request is out already, so that it is only recorded.
        """
        return Call(self, body, provider, stream=stream, model=model, most=most, is_sent=is_sent)

    def limit(self, model: str, most: int | None) -> int | None:
        """The most that may be asked for, as far as caller, client and the model itself said."""
        said = [n for n in (self.max_tokens, most, self._limits.get(model)) if n is not None]
        return min(said, default=None)

    def refuses(self, provider: str, model: str, parameter: str) -> bool:
        """Whether this model has refused the parameter itself, not its size."""
        return (provider, model, parameter) in self._refusals

    def learn(self, model: str, most: int) -> None:
        """Remember the limit that a refusal said."""
        if len(self._limits) < MOST_MODELS:
            self._limits[model] = most

    def learn_refusal(self, provider: str, model: str, parameter: str) -> None:
        """Remember a parameter that was refused, where the request without it was taken."""
        if len(self._refusals) < MOST_MODELS:
            self._refusals.add((provider, model, parameter))


def check_label(name: str, value: object) -> None:
    """Refuse what each event would be without: no label, or an option that is misspelt."""
    if name in OF_THE_CALL:
        raise UsageError(name, value, "the request: each call says its own")
    if not NAME.fullmatch(name):
        raise UsageError("labels", name, NAMES)
    text = None
    with suppress(TypeError, ValueError):
        text = text_of("" if value is None else value)
    if text is None or isinstance(value, int):
        expected = "a text: what is no option is a label, as in sized(client, tenant='acme')"
        raise UsageError(name, value, expected)
    if not is_value(text):
        raise UsageError(name, value, VALUES)


def _is_awaited(function: object) -> bool:
    import inspect  # here: it takes 7 ms, and few give a function

    return inspect.iscoroutinefunction(function)
