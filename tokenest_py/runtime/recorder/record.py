"""The event record on its way out: field names, their types, and what is cut or made private.

An event is checked by the rules by which landing reads it, so that what was recorded lands:
a value of the wrong type is refused here, with the name of its field, instead of quarantined
there. Only the fields below can reach a file.
"""

from __future__ import annotations

import functools
import json
import operator
import os
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tokenest_py.errors import DroppedEventError
from tokenest_py.runtime.deliverables import normalize
from tokenest_py.runtime.labels import MAX_LABELS, NAME, is_value
from tokenest_py.runtime.rules import ESTIMATOR_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import SupportsIndex, TypeAlias, TypedDict

    class EventFields(TypedDict, total=False):
        """The fields of the event record; docs/event_record.md describes each."""

        event_id: str | None
        occurred_at: datetime | str | None
        run_id: str | int | None
        phase_id: str | int | None
        attempt: int | None
        category: str | None
        complexity: str | None
        labels: Mapping[str, str | int | None] | None
        deliverables: object
        deliverable_count: int | None
        breakdown: Sequence[str] | None
        provider: str | None
        model: str | None
        model_served: str | None
        response_id: str | None
        input_tokens: int | None
        coefficients_id: str | None
        estimator_version: str | None
        predicted_output_tokens: int | None
        selected_budget: int | None
        budget_source: str | None
        max_truncation: float | None
        actual_max_tokens: int | None
        actual_output_tokens: int | None
        reasoning_tokens: int | None
        stop_reason: str | None
        truncated: bool | None
        success: bool | None
        is_control: bool | None
        quality_flags: Sequence[str] | None

    PathPrivacy: TypeAlias = Callable[[list[str]], list[str]] | None

MAX_DELIVERABLES = 20
MAX_TEXT = 200
MAX_BREAKDOWN = 400  # parts; there are fewer classes, states and factors of size
MAX_FLAGS = 20  # of a record
MAX_WHOLE_NUMBER = 2**53 - 1  # larger ones do not survive every JSON reader
PATH_MODES = ("full", "basename", "hash", "none")

_ELLIPSIS = "..."
_UNPRINTABLE = re.compile("[\x00-\x1f\x80-\x9f\u2028\u2029\ud800-\udfff]")
_SUFFIX = re.compile(r"[^/](\.[A-Za-z0-9]{1,10})$")
_PART = re.compile(r"[^\x00-\x1f]+:\d{1,9}(:(assumed|\d[\d.e+-]{0,30}))?", re.ASCII)
_TIME = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?")
_to_json = json.JSONEncoder(check_circular=False, allow_nan=False, separators=(",", ":")).encode


def encode_event(
    fields: Mapping[str, object], event_id: str, path_privacy: PathPrivacy
) -> tuple[bytes, int]:
    """Return the event as one line of ASCII with its newline, and how many fields are unknown.

    Fields that are None are absent, and unknown fields are left out. A label that cannot be one
    is left out too and counts as an unknown field: no event is lost for a label. `event_id`, the
    time now and the version of this estimator stand where the caller gives none, and so do the
    run and the phase that landing would take.

    Raises:
        DroppedEventError: The output is missing or a field has a wrong value.
    """
    event: dict[str, object] = {
        "event_id": event_id,
        "occurred_at": _utc_now(),
        "coefficients_id": None,
        "estimator_version": ESTIMATOR_VERSION,
    }
    unknown = _read_fields(fields, event, path_privacy)
    if "actual_output_tokens" not in event:
        raise DroppedEventError("missing_actual_output_tokens")
    event["run_id"] = event.get("run_id") or "unknown"
    event["phase_id"] = event.get("phase_id") or event["event_id"]
    line = _to_json(event)
    if "\\" in line:  # a text has something to escape, perhaps to replace
        line = _to_json({name: printable(value) for name, value in event.items()})
    return f"{line}\n".encode("ascii"), unknown


def path_privacy(mode: str, key: str | bytes | None) -> PathPrivacy:
    """Return what `mode` (one of PATH_MODES) does to deliverables; None leaves them out.

    Without a key it is random.
    """
    if mode == "full":
        return list
    if mode == "basename":
        return _basenames
    if mode == "hash":
        import hmac  # only this mode pays for it

        if isinstance(key, str):  # the environment's bytes need not be UTF-8
            key = key.encode(errors="surrogatepass")
        return functools.partial(_keyed_hashes, hmac.digest, key or os.urandom(32))
    return None


def _utc_now() -> str:
    """Return the time as RFC 3339 in UTC to the microsecond, ending in Z."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_utc_seconds(seconds)}.{nanoseconds // 1000:06d}Z"


@functools.lru_cache(maxsize=8)
def _utc_seconds(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _read_fields(
    fields: Mapping[str, object], event: dict[str, object], path_privacy: PathPrivacy
) -> int:
    """Add each known field to the event, and return how many are unknown."""
    unknown = 0
    name = ""
    try:
        for name, value in fields.items():
            if value is None:
                continue
            if name == "deliverables":
                kept, count = _first_deliverables(value)
                event.setdefault("deliverable_count", count)  # unless the caller gave one
                if path_privacy is not None:
                    event[name] = _cut(path_privacy(kept))
            elif name == "labels":
                kept_labels, left_out = _labels(value)
                unknown += left_out
                if kept_labels:
                    event[name] = kept_labels
            elif name in _READERS:
                event[name] = _READERS[name](value)
            else:
                unknown += 1
    except Exception as error:  # the value may be any object of the caller's
        raise DroppedEventError(f"invalid_{name}") from error
    return unknown


def _labels(value: object) -> tuple[dict[str, str], int]:
    """Return the labels that landing reads, and how many are left out."""
    if not isinstance(value, Mapping):
        return {}, 1
    kept: dict[str, str] = {}
    left_out = 0
    for name, given in value.items():
        if given is None or given == "":
            continue
        try:
            text = given if type(given) is str else text_of(given)
        except (TypeError, ValueError):
            text = ""
        is_label = isinstance(name, str) and NAME.fullmatch(name) and is_value(text)
        if text and is_label and len(kept) < MAX_LABELS:
            kept[str(name)] = text
        else:
            left_out += 1
    return kept, left_out


def _first_deliverables(value: object) -> tuple[list[str], int]:
    texts = [f"{action} {text}" if action else text for text, action in normalize(value)]
    return texts[:MAX_DELIVERABLES], len(texts)


def _basenames(paths: list[str]) -> list[str]:
    return [path.replace("\\", "/").rstrip("/").rpartition("/")[2] for path in paths]


def _keyed_hashes(
    digest: Callable[[bytes, bytes, str], bytes], key: bytes, paths: list[str]
) -> list[str]:
    """Return 16 hexadecimal digits and the suffix each, which keeps the kind of file readable."""
    codes = []
    for path in paths:
        path = path.replace("\\", "/")
        code = digest(key, path.encode("utf-8", "replace"), "sha256")[:8].hex()
        suffix = _SUFFIX.search(path)
        codes.append(code + suffix[1] if suffix else code)
    return codes


def _cut(texts: list[str]) -> list[str]:
    if max(map(len, texts), default=0) <= MAX_TEXT:
        return texts
    end = MAX_TEXT - len(_ELLIPSIS)
    return [text if len(text) <= MAX_TEXT else text[:end] + _ELLIPSIS for text in texts]


def printable(value: object) -> object:
    """Return texts with control characters and lone surrogates replaced."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {name: _UNPRINTABLE.sub("\ufffd", text) for name, text in value.items()}
    if isinstance(value, list):
        return [_UNPRINTABLE.sub("\ufffd", text) for text in value]
    return value


def _text(value: object) -> str:
    """Return a name or an id. A longer text is none: refused, so that no prompt gets in."""
    text = value if type(value) is str else text_of(value)
    if len(text) > MAX_TEXT:
        raise ValueError
    return text


def text_of(value: object) -> str:
    """Return the text of a name or an id: of an Enum its value.

    Raises:
        TypeError: It is none.
        ValueError: A number is out of bounds.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(whole(value))
    from enum import Enum
    from uuid import UUID

    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum) and isinstance(value.value, str):
        return str.__str__(value.value)
    raise TypeError


def whole(value: SupportsIndex | float) -> int:
    """Return a count from 0 to MAX_WHOLE_NUMBER. 12.7, "12" and True are none."""
    if type(value) is int:
        number = value
    elif isinstance(value, bool):
        raise TypeError
    elif isinstance(value, float):
        if not value.is_integer():
            raise ValueError
        number = int(value)
    else:
        number = int(operator.index(value))  # the whole numbers of numpy and others
    if not 0 <= number <= MAX_WHOLE_NUMBER:
        raise ValueError
    return number


def _rate(value: object) -> float:
    """Return a rate between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    if not 0 < value < 1:
        raise ValueError
    return float(value)


def _breakdown(value: object) -> list[str]:
    """Return the parts of an estimate as `TokenEstimate.recorded_breakdown` has them."""
    if not isinstance(value, (list, tuple)) or len(value) > MAX_BREAKDOWN:
        raise TypeError
    parts = list(map(_text, value))
    if not all(map(_PART.fullmatch, parts)):
        raise ValueError
    return parts


def _flags(value: object) -> list[str]:
    """Return what the producer says of the record: a few short names."""
    if not isinstance(value, (list, tuple)) or len(value) > MAX_FLAGS:
        raise TypeError
    return list(map(_text, value))


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError


def _time(value: object) -> str:
    """Return a time as RFC 3339 in UTC. One without an offset is taken as UTC, as landing does.

    Landing refuses what is more than a day ahead of the clock, so it is no time here either.
    """
    from datetime import UTC, datetime, timedelta

    if isinstance(value, str) and _TIME.fullmatch(value):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise TypeError
    value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if value > datetime.now(UTC) + timedelta(days=1):
        raise ValueError
    text = value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    if not _TIME.fullmatch(text):
        raise ValueError
    return text


_READERS: dict[str, Callable[..., object]] = {
    "event_id": _text,
    "occurred_at": _time,
    "run_id": _text,
    "phase_id": _text,
    "attempt": whole,
    "category": _text,
    "complexity": _text,
    "deliverable_count": whole,
    "breakdown": _breakdown,
    "provider": _text,
    "model": _text,
    "model_served": _text,
    "response_id": _text,
    "input_tokens": whole,
    "coefficients_id": _text,
    "estimator_version": _text,
    "predicted_output_tokens": whole,
    "selected_budget": whole,
    "budget_source": _text,
    "max_truncation": _rate,
    "actual_max_tokens": whole,
    "actual_output_tokens": whole,
    "reasoning_tokens": whole,
    "stop_reason": _text,
    "truncated": _flag,
    "success": _flag,
    "is_control": _flag,
    "quality_flags": _flags,
}
EVENT_FIELDS = frozenset(_READERS) | {"deliverables", "labels"}
