"""One call of a client: its ceiling, its events and its second attempt."""

from __future__ import annotations

import itertools
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tokenest_py.clients import refusals, requests
from tokenest_py.clients.labels import AUTO, Auto, current, text_of_label
from tokenest_py.clients.quietly import Quietly, quiet
from tokenest_py.errors import DroppedEventError, UsageError
from tokenest_py.runtime.budget import CLAMP, Escalation
from tokenest_py.runtime.labels import MAX_LABELS, NAME, OF_THE_CALL
from tokenest_py.runtime.providers import (
    BY_PROVIDER,
    PARAMETERS,
    SEVERAL_ANSWERS,
    Fold,
    response_fields,
    said_limit,
    sized_fields,
    stop_fields,
)
from tokenest_py.runtime.providers.members import is_partial
from tokenest_py.runtime.stop_reasons import may_hide_a_cut

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from tokenest_py.clients.sizer import Sizer
    from tokenest_py.runtime.budget import Budget
    from tokenest_py.runtime.providers import Path

_NO_KWARGS: dict[str, int] = {}
_NO_ANSWER = Escalation(None, "there is no answer that could be read")
_UNKNOWN = Escalation(None, "nobody knows whether the ceiling was refused")


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
        self.max_tokens = requests.tokens_of(written)
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
            input_tokens=self._input_tokens(body),
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
        self.max_tokens, self.is_changed = tokens, self.body != body

    def _input_tokens(self, body: Mapping[str, object]) -> int | None:
        """The size of the prompt; None where the caller's function does not say one."""
        with Quietly("count", "the calls are sized without their input"):
            return max(int(self._sizer.count(body)), 0)
        return None

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

        That stands where the request has its like already. None where the model refuses every name.
        """
        body, usual = self.written, PARAMETERS[self._provider]
        known = sorted(
            self._api.CEILINGS,
            key=lambda path: (requests.at(body, path[:-1]) is None, path[-1] != usual),
        )
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
            if NAME.fullmatch(name)
            and name not in OF_THE_CALL
            and (text := text_of_label(value)) is not None
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

    @property
    def lacks_usage(self) -> bool | None:
        """Whether an answer that has ended says no usage yet; None where it has not ended."""
        return None if self._fold is None else self._fold.lacks_usage

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
        if error is not None and self._tries == 1:
            refusal = _UNKNOWN if self.is_changed else None
            with Quietly("Call._resend"):
                refusal = self._resend(error)
            if refusal is not None:
                return self._as_written() if refusal is _UNKNOWN else refusal
        elif error is not None:
            with Quietly("Call._said_limit"):
                self._said_limit(refusals.message_of(error) or "")
        if error is None:
            self.learn_refusal()
        fields = None
        with suppress(DroppedEventError):
            fields = self._note(response if error is None else error, said)
        if fields is None:
            return _NO_ANSWER
        is_cut, escalation = self._is_cut(fields), self._escalate(fields)
        if is_cut and self._sizer.on_truncation is not None:
            with Quietly("on_truncation", "the calls go on"):
                self._sizer.on_truncation(escalation)
        return escalation

    def learn_refusal(self) -> None:
        """Remember what was refused, as far as the refusal is about a parameter."""
        for parameter in self._refused:
            self._sizer.learn_refusal(self._provider, self.model or "", parameter)

    def _note(self, answer: object, said: Mapping[str, object]) -> dict[str, object] | None:
        """Record an answer, or let the recorder count why it is no event; how it ended counts.

        Raises:
            DroppedEventError: It does not say that either.
        """
        try:
            fields = self._read(answer)
        except DroppedEventError:
            self._sizer.recorder.record_response(None, answer)
            return stop_fields(self._api, answer)
        if fields is None:
            return None
        if answer is None and fields.get("actual_output_tokens") is None:
            self._sizer.recorder.record_response(None, {})
        else:
            self._record({**fields, **said})
        return fields

    def _read(self, answer: object) -> dict[str, object] | None:
        """The fields of an answer, or of the parts of one; None where there is none.

        Those of a stream that has ended may lack the tokens.
        """
        if answer is not None:
            return response_fields(answer) if refusals.holds_answer(answer) else None
        fold, self._fold = self._fold, None
        if fold is None:
            return None
        fields = fold.fields()
        is_answer = fold.lacks_usage is not None or fields.get("actual_output_tokens") is not None
        return fields if is_answer else None

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
        if _are_several(fields) and fields.get("truncated") and self.max_tokens is not None:
            event["actual_output_tokens"] = self.max_tokens  # the longest one was cut off there
        self._sizer.recorder.record(**event)
        self._remember(event)

    def _remember(self, event: Mapping[str, object]) -> None:
        """Tell the estimator what became of the call; a ceiling not its own judges no rate."""
        budget, sent, tokens = self.budget, self.max_tokens, event.get("actual_output_tokens")
        if budget is None or not isinstance(tokens, int) or is_partial(event):
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

    def _is_cut(self, fields: Mapping[str, object]) -> bool:
        """Whether the answer was cut off: it says so, or used all of its ceiling and hides why."""
        reason, used = fields.get("stop_reason"), fields.get("actual_output_tokens")
        return bool(fields.get("truncated")) or (
            used is not None
            and used == self.max_tokens
            and may_hide_a_cut(None if reason is None else str(reason))
        )

    def _escalate(self, fields: Mapping[str, object]) -> Escalation:
        """Make the call its second attempt where its answer was cut off and that may help."""
        budget, sent = self.budget, self.max_tokens
        if not self._is_cut(fields):
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
            output_tokens=_used(fields) or sent,
        )
        if escalation.budget is not None:
            self._send_again(escalation.budget.max_tokens)
        return escalation

    def _resend(self, error: BaseException) -> Escalation | None:
        """Where our ceiling was refused: try the largest that is taken, else what was written."""
        budget, message = self.budget, refusals.message_of(error)
        if budget is None or message is None:
            return None
        is_spent = refusals.is_spent(message)
        if is_spent and self.max_tokens is not None:
            spent = {"actual_output_tokens": self.max_tokens, "stop_reason": "length"}
            self._record({"provider": "openai", "truncated": True} | spent)
        if not self.is_changed or (self._is_own and refusals.USAGE not in message):
            return None  # it is about what the caller wrote
        self.replaces = True
        most = self._said_limit(message)
        if most is not None:
            self._send_again(most)
            return Escalation(budget._replace(max_tokens=most), f"the model takes {most} at most")
        if not is_spent:
            self._refused = refusals.parameters(message, self.body, self._api)
        return self._as_written()

    def _said_limit(self, message: str) -> int | None:
        """The largest ceiling that a refusal names, if it is below ours; the model's is learned."""
        said = said_limit(message)
        if said is None or self.max_tokens is None or not 0 < said[0] < self.max_tokens:
            return None
        most, is_of_model = said
        if is_of_model:
            self._sizer.learn(self.model or "", most)
        return most

    def _as_written(self) -> Escalation:
        """Make the request of the caller the next attempt, whose outcome counts.

        Where AUTO stands it is one without a ceiling, since what was refused may be the name.
        """
        path, written = requests.written_ceiling(self.written, self._api)
        self.body, self.is_changed, self._is_own = self.written, False, True
        if isinstance(written, Auto) and path is not None and not self._api.IS_REQUIRED:
            self.body = requests.with_ceiling(self.written, self._api, path, None)
            self.is_changed, written = True, None
        self.max_tokens = requests.tokens_of(written)
        self.replaces = True
        return Escalation(self.budget, "the model refused the ceiling; sent as it was written")

    def _send_again(self, tokens: int) -> None:
        path = requests.written_ceiling(self.body, self._api)[0] or self._api.CEILINGS[0]
        self.body = requests.with_ceiling(self.body, self._api, path, tokens)
        self.max_tokens = tokens


def _are_several(fields: Mapping[str, object]) -> bool:
    """Whether the count is the mean of several answers: the longest may have been cut off."""
    flags = fields.get("quality_flags")
    return isinstance(flags, list) and SEVERAL_ANSWERS in flags


def _used(fields: Mapping[str, object]) -> int:
    """The tokens of an answer; 0 where they were not counted, or are those of several."""
    used = fields.get("actual_output_tokens")
    return used if isinstance(used, int) and not _are_several(fields) else 0
