"""Sizes the calls of one client and records their answers. Nothing in here can stop a request.

call = sizer.begin(body, provider="cohere", model=model)
response = send(**(body | call.kwargs("cohere")))
call.finish(response)
"""

from __future__ import annotations

import functools
import inspect
import itertools
import os
from typing import TYPE_CHECKING, Any

from tokenest_py.clients import refusals, requests
from tokenest_py.clients.labels import AUTO, Auto, current
from tokenest_py.clients.quietly import Quietly, quiet
from tokenest_py.errors import DroppedEventError, UsageError
from tokenest_py.runtime.budget import CLAMP, Escalation, check_asked
from tokenest_py.runtime.estimator import Estimator
from tokenest_py.runtime.labels import CALL_LEVELS, ESTIMATE_BIN, MAX_LABELS, NAME, is_value
from tokenest_py.runtime.providers import (
    BY_PROVIDER,
    PARAMETERS,
    SEVERAL_ANSWERS,
    Fold,
    response_fields,
    said_limit,
    sized_fields,
)
from tokenest_py.runtime.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from tokenest_py.runtime.budget import Budget
    from tokenest_py.runtime.providers import Path

MODES = ("size", "observe")
MOST_MODELS = 1000  # of which a refusal is remembered
_OF_THE_CALL = (*CALL_LEVELS, ESTIMATE_BIN)  # no labels: the call says them itself
_NO_KWARGS: dict[str, int] = {}
_NO_ANSWER = Escalation(None, "there is no answer that could be read")
_UNKNOWN = Escalation(None, "nobody knows whether the ceiling was refused")


@functools.cache
def _default_estimator() -> Estimator:
    """One for all clients of the process; nobody holds it who could ask for its status."""
    estimator = Estimator.load(reload_after=60)
    fault = estimator.status().fault
    if fault:
        import logging

        logging.getLogger("tokenest").warning("%s; the packaged table is in use", fault)
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
        for name, given, kind, expected in (
            ("estimator", estimator, Estimator, "Estimator.load(path)"),
            ("recorder", recorder, Recorder, "Recorder(directory)"),
        ):
            if not isinstance(given, (kind, type(None))):
                raise UsageError(name, given, expected)
        for name, function in (("count", count), ("on_truncation", on_truncation)):
            if function is not None and (
                not callable(function) or inspect.iscoroutinefunction(function)
            ):
                raise UsageError(name, function, "a function that is not awaited")
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


class Call:
    """One request and its answer: at most two attempts, of which each is an event.

    Attributes:
        max_tokens: The ceiling of the next attempt; None where none is sent.
        is_changed: Whether the request differs from the one that the caller wrote.
        written: The request as the caller wrote it.
        body: The request to send.
        budget: What the estimator chose; None where it failed.
        replaces: Whether the second attempt replaces a request that was refused because of us,
            so that its outcome counts, whatever it is.
    """

    def __init__(
        self,
        sizer: Sizer,
        body: Mapping[str, object],
        provider: str,
        *,
        stream: bool,
        model: str | None,
        most: int | None,
        is_sent: bool,
    ) -> None:
        """Size the call; where that fails, it goes out as it was written."""
        if provider not in BY_PROVIDER:
            raise UsageError("provider", provider, tuple(PARAMETERS))
        self._sizer = sizer
        self._provider = provider
        self._api: ModuleType = BY_PROVIDER[provider]
        self._stream = stream
        self.written = body
        self._fields: dict[str, object] = {}
        self._attempt = 0  # recorded so far
        self._tries = 0  # sent and come back so far
        self._fold: Fold | None = None
        self._is_own = True  # until it is known that the caller left the ceiling to us
        self.model = model
        self.body = body
        self.is_changed = False
        self.max_tokens: int | None = None
        self.budget: Budget | None = None
        self.replaces = False
        self._refused: tuple[str, ...] = ()  # parameters, as far as the refusal is about them
        self._size(most, is_sent=is_sent)

    @quiet(None)
    def _size(self, most: int | None, *, is_sent: bool) -> None:
        sizer, api, body = self._sizer, self._api, self.written
        path, written = requests.written_ceiling(body, api)
        self.max_tokens = _tokens(written)
        model = self.model or body.get("model")
        self.model = model if isinstance(model, str) else None
        name = self.model or ""
        known = self._label(body)
        category, complexity = known.pop("category", None), known.pop("complexity", None)
        estimate = sizer.estimator.estimate(
            category=category,
            complexity=complexity,
            labels=dict(itertools.islice(known.items(), MAX_LABELS)),
        )
        budget = self.budget = sizer.estimator.budget(
            estimate,
            model=self.model,
            input_tokens=int(sizer.count(body)),
            max_truncation=sizer.max_truncation,
            max_tokens=sizer.limit(name, most),
            run_id=str(self._fields["run_id"]),
        )
        self._fields |= sized_fields(estimate, budget) | {
            "category": category and estimate.category,
            "complexity": complexity and estimate.complexity,
        }
        path = self._path(path)
        if (
            (written is not None and not isinstance(written, Auto))
            or is_sent
            or not sizer.sets_ceilings
            or path is None
        ):
            return
        self._is_own = False
        tokens: int | None = self._within(budget)
        if tokens is not None:
            tokens = self._beyond_reasoning(tokens, budget.limit)
        self.body = requests.with_ceiling(body, api, path, tokens)
        self.max_tokens, self.is_changed = tokens, tokens != written

    def _within(self, budget: Budget) -> int | None:
        """The ceiling, or None where nothing is known of such calls and none has to be sent."""
        if budget.quantile_rate is not None:
            return budget.max_tokens
        return min(int(AUTO), budget.limit) if self._api.IS_REQUIRED else None

    def _beyond_reasoning(self, tokens: int, limit: int) -> int:
        """A ceiling has to be above the tokens that the request grants to reasoning."""
        granted = requests.granted_reasoning(self.written, self._api)
        if granted < tokens:
            return tokens
        return min(tokens + granted, max(limit, granted + 1))

    def _path(self, written: Path | None) -> Path | None:
        """Where the ceiling goes: where it was written, else under the provider's usual name.

        None where the model refuses every name.
        """
        usual = PARAMETERS[self._provider]
        known = sorted(self._api.CEILINGS, key=lambda path: path[-1] != usual)
        paths = known if written is None else [written, *known]
        name = self.model or ""
        return next(
            (p for p in paths if not self._sizer.refuses(self._provider, name, p[-1])), None
        )

    def _label(self, body: Mapping[str, object]) -> dict[str, str]:
        """The labels that the call can have; run and phase become fields of its events."""
        given = {**self._sizer.labels, **current()}
        given.setdefault("effort", requests.effort(body, self._api))
        known = {
            name: text
            for name, value in given.items()
            if value is not None
            and NAME.fullmatch(name)
            and name not in _OF_THE_CALL
            and is_value(text := str(value))
        }
        environment = os.environ
        self._fields["run_id"] = (
            known.pop("run", None) or environment.get("TOKENEST_RUN_ID") or "app"
        )
        self._fields["phase_id"] = (
            known.pop("phase", None) or environment.get("TOKENEST_PHASE_ID") or os.urandom(16).hex()
        )
        return known

    @quiet(_NO_KWARGS)
    def kwargs(self, provider: str) -> dict[str, int]:
        """The ceiling under the provider's name for it; empty where none is sent."""
        return {} if self.max_tokens is None else {PARAMETERS[provider]: self.max_tokens}

    @quiet(None)
    def add(self, event: object) -> None:
        """Take note of a part of the answer: of its usage and its stop reason, not of its text."""
        if self._fold is None:
            self._fold = Fold()
        self._fold.add(event)

    @quiet(_NO_ANSWER)
    def finish(
        self, response: object = None, error: BaseException | None = None, **said: object
    ) -> Escalation:
        """Record the answer, and say whether another attempt may help. Never raises.

        Where it may, the call has become its second attempt: `body` and `kwargs()` have the other
        ceiling. A stream ends without a response, its parts handed to `add()`; it is not tried
        again, since its parts are out.

        Args:
            response: What the provider returned.
            error: What was raised instead. An answer within it counts; a refusal of our ceiling
                makes the second attempt the request as the model, or the caller, would have it.
            said: Fields of the event record that the transport knows better.
        """
        self._tries += 1
        if error is not None and self._tries == 1 and self.is_changed:
            refusal: Escalation | None = _UNKNOWN
            with Quietly("Call._resend"):
                refusal = self._resend(error)
            if refusal is not None:
                return self._as_written() if refusal is _UNKNOWN else refusal
        if error is None:
            for parameter in self._refused:
                self._sizer.learn_refusal(self._provider, self.model or "", parameter)
        try:
            fields = self._read(response if error is None else error)
        except DroppedEventError:  # the recorder counts it, with the reason
            self._sizer.recorder.record_response(None, response if error is None else error)
            return _NO_ANSWER
        if fields is None:
            return _NO_ANSWER
        self._record({**fields, **said})
        escalation = self._escalate(fields)
        if fields.get("truncated") and self._sizer.on_truncation is not None:
            with Quietly("on_truncation"):
                self._sizer.on_truncation(escalation)
        return escalation

    def _read(self, answer: object) -> dict[str, object] | None:
        """The fields of an answer, or of the parts of one; None where there is none."""
        if answer is not None:
            return response_fields(answer) if _holds_answer(answer) else None
        fold, self._fold = self._fold, None
        if fold is None:
            return None
        fields = fold.fields()
        if fields.get("truncated") and fields.get("actual_output_tokens") is None:
            fields["actual_output_tokens"] = self.max_tokens  # cut off: all of it was used
        return fields if fields.get("actual_output_tokens") is not None else None

    def _record(self, fields: Mapping[str, object]) -> None:
        """Write the event of one attempt. What a running process remembers is learned here."""
        self._attempt += 1
        event: dict[str, Any] = {
            **self._fields,
            **{name: value for name, value in fields.items() if value is not None},
            "attempt": self._attempt,
            "actual_max_tokens": self.max_tokens,
        }
        if self.max_tokens is None:  # nothing was sent that the table could be judged by
            event["selected_budget"] = None
        event["model"] = self.model or event.get("model")
        flags = fields.get("quality_flags")
        several = isinstance(flags, list) and SEVERAL_ANSWERS in flags
        if several and fields.get("truncated") and self.max_tokens is not None:
            event["actual_output_tokens"] = self.max_tokens  # the longest one was cut off there
        self._sizer.recorder.record(**event)
        self._remember(event)

    def _remember(self, event: Mapping[str, object]) -> None:
        """Tell the estimator what became of the call; a ceiling not its own judges no rate."""
        budget, sent, tokens = self.budget, self.max_tokens, event.get("actual_output_tokens")
        if budget is None or not isinstance(tokens, int):
            return
        is_own = self._is_own or sent != budget.max_tokens
        reason, run = event.get("stop_reason"), event.get("run_id")
        self._sizer.estimator.observe(
            budget._replace(
                max_tokens=budget.limit if sent is None else sent,
                source=CLAMP if is_own else budget.source,
                is_retry=self._tries > 1,
            ),
            output_tokens=tokens,
            stop_reason=None if reason is None else str(reason),
            run_id=None if run is None else str(run),
        )

    def _escalate(self, fields: Mapping[str, object]) -> Escalation:
        """Make the call its second attempt where its answer was cut off and that may help."""
        budget, sent = self.budget, self.max_tokens
        if not fields.get("truncated"):
            return Escalation(None, "the answer was not cut off")
        if self._is_own or budget is None:
            return Escalation(None, "the ceiling is the caller's own")
        if sent is None:
            return Escalation(None, "no ceiling was sent that could be raised")
        if self._stream:
            return Escalation(None, "a stream is not tried again: its parts are out")
        if not self._sizer.escalates:
            return Escalation(None, "escalate=False")
        escalation = self._sizer.estimator.after_truncation(
            budget._replace(max_tokens=sent, is_retry=self._tries > 1),
            str(fields.get("stop_reason")),
            output_tokens=sent,
        )
        if escalation.budget is not None:
            self._send_again(escalation.budget.max_tokens)
        return escalation

    def _resend(self, error: BaseException) -> Escalation | None:
        """Where our ceiling was refused: try the largest that is taken, else what was written."""
        budget, message = self.budget, refusals.message_of(error)
        if budget is None or message is None:
            return None
        self.replaces = True
        said = said_limit(self._api, message)
        if said is not None and self.max_tokens is not None and 0 < said[0] < self.max_tokens:
            most, is_of_model = said
            if is_of_model:
                self._sizer.learn(self.model or "", most)
            self._send_again(most)
            return Escalation(budget._replace(max_tokens=most), f"the model takes {most} at most")
        self._refused = refusals.parameters(message, self.body, self._api)
        return self._as_written()

    def _as_written(self) -> Escalation:
        """Make the request of the caller the next attempt, whose outcome counts."""
        _, written = requests.written_ceiling(self.written, self._api)
        self.body, self.is_changed, self._is_own = self.written, False, True
        self.max_tokens = _tokens(written)
        self.replaces = True
        return Escalation(self.budget, "the model refused the ceiling; sent as it was written")

    def _send_again(self, tokens: int) -> None:
        path = requests.written_ceiling(self.body, self._api)[0] or self._api.CEILINGS[0]
        self.body = requests.with_ceiling(self.body, self._api, path, tokens)
        self.max_tokens = tokens


def _tokens(written: object) -> int | None:
    """The ceiling that a request has; -1 and 0, and what is no count, ask for all there is."""
    return int(written) if isinstance(written, int) and 0 < written < 2**53 else None


def _holds_answer(answer: object) -> bool:
    """Whether there is something to read: most errors are only errors."""
    return not isinstance(answer, BaseException) or any(
        getattr(answer, name, None) is not None for name in ("completion", "last_completion")
    )
