"""The coefficients file: read whole, every row checked, then handed on; never in part.

The content hash stops accidents. What stops a wrong number is the bounds in kinds.py.
"""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

from tokenest_py.errors import CoefficientsError
from tokenest_py.runtime.labels import (
    CALL_LEVELS,
    ESTIMATE_BIN,
    MAX_LABELS,
    MAX_VALUE,
    NAME,
    is_value,
)
from tokenest_py.runtime.strict_json import decode_strictly, refuse_constant
from tokenest_py.runtime.table.kinds import KINDS, MAX_TEXT, NUMBERS, TEXTS

if TYPE_CHECKING:
    from typing import Any

FORMAT_VERSION = 2  # 1 is read too: its budgets have columns in the place of labels
MAX_BYTES = 16 * 1024 * 1024
MAX_ROWS = 100_000
EXPORT_AGAIN = "export it again with `tokenest build`"

_HEADER = {"kind", "format_version", "coefficients_id", "rows"}
_MAY = {"levels", "provenance"}  # where a table comes from is for people: checked, and not used
_MOST_FACTS = 16
_LABELS_1 = ("category", "complexity")


def read(path: str) -> bytes:
    """The bytes of a coefficients file; raises CoefficientsError.

    A symbolic link is followed, since deployments mount configuration that way, but what it
    leads to has to be a regular file of at most 16 MiB.
    """
    try:
        # not blocking: opening a FIFO must not wait for its writer
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CoefficientsError(path, f"cannot be opened ({reason})") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise CoefficientsError(path, "not a regular file")
        pieces: list[bytes] = []
        left = MAX_BYTES + 1
        while left > 0 and (piece := os.read(descriptor, min(left, found.st_size + 1))):
            pieces.append(piece)
            left -= len(piece)
    except OSError as error:
        raise CoefficientsError(path, f"cannot be read ({error.strerror})") from error
    finally:
        os.close(descriptor)
    if left <= 0:
        raise CoefficientsError(path, f"more than {MAX_BYTES} bytes, which are not read")
    return b"".join(pieces)


def decode(
    data: bytes, path: str, *, check_hash: bool
) -> tuple[str, tuple[str, ...], list[dict[str, Any]]]:
    """The coefficients_id, the levels and the checked rows of a file's bytes, as of format 2.

    Raises CoefficientsError.
    """
    first, _, body = data.partition(b"\n")
    header = _decode_line(first, 1, path)
    version = header.get("format_version")
    if header.get("kind") != "header" or set(header) - _MAY != _HEADER:
        raise CoefficientsError(path, "not the header of a coefficients file", 1)
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        reason = (
            f"format_version {version!r} is not 1 to {FORMAT_VERSION}; use one tokenest for both"
        )
        raise CoefficientsError(path, reason, 1)
    if not _is_provenance(header.get("provenance", {})):
        reason = f"provenance is not an object of at most {_MOST_FACTS} texts; {EXPORT_AGAIN}"
        raise CoefficientsError(path, reason, 1)
    levels = _levels(header, path)
    coefficients_id = header["coefficients_id"]
    if check_hash and coefficients_id != content_id(body):
        reason = f"cut or edited, its content does not match coefficients_id; {EXPORT_AGAIN}"
        raise CoefficientsError(path, reason, 1)
    rows = _decode_rows(body, path)
    if type(header["rows"]) is not int or header["rows"] != len(rows):
        reason = f"{header['rows']!r} rows announced, {len(rows)} follow; {EXPORT_AGAIN}"
        raise CoefficientsError(path, reason, 1)
    if version == 1:
        rows = [_as_of_format_2(row) for row in rows]
    _check_rows(rows, path, levels)
    return coefficients_id, levels, rows


def content_id(body: bytes) -> str:
    """The coefficients_id of the lines after the header: 16 hex digits of their SHA-256."""
    from hashlib import sha256  # loads OpenSSL, so only where a file is really checked

    return sha256(body).hexdigest()[:16]


def _is_provenance(given: object) -> bool:
    return (
        type(given) is dict
        and len(given) <= _MOST_FACTS
        and all(type(value) is str and len(value) <= MAX_TEXT for value in given.values())
    )


def _levels(header: dict[str, Any], path: str) -> tuple[str, ...]:
    """What tells the cells of budgets apart, from wide to narrow: labels, model, input size."""
    levels = header.get("levels")
    if header["format_version"] == 1 and "levels" not in header:
        levels = [*_LABELS_1, *CALL_LEVELS]
    if (
        type(levels) is not list
        or not all(type(name) is str and NAME.fullmatch(name) for name in levels)
        or not 1 <= len(set(levels) - {*CALL_LEVELS, ESTIMATE_BIN}) <= MAX_LABELS
        or tuple(levels[-len(CALL_LEVELS) :]) != CALL_LEVELS
        or len(set(levels)) != len(levels)
    ):
        reason = f"levels are not 1 to {MAX_LABELS} labels, estimate_bin, then model and input_bin"
        raise CoefficientsError(path, f"{reason}; {EXPORT_AGAIN}", 1)
    return tuple(levels)


def _as_of_format_2(row: dict[str, Any]) -> dict[str, Any]:
    """A row of format 1 as format 2 has it: the category and complexity of a budget are labels."""
    if type(row) is not dict or row.get("kind") != "budget" or "labels" in row:
        return row
    kept = {key: value for key, value in row.items() if key not in _LABELS_1}
    return kept | {"labels": {name: row[name] for name in _LABELS_1 if name in row}}


def _decode_rows(body: bytes, path: str) -> list[dict[str, Any]]:
    lines = body.split(b"\n")
    if lines.pop() != b"":
        raise CoefficientsError(path, "the last line has no newline", len(lines) + 2)
    if len(lines) > MAX_ROWS:
        raise CoefficientsError(path, f"{len(lines)} rows, at most {MAX_ROWS} are read")
    return _decode_at_once(lines) or [
        _decode_line(line, number, path) for number, line in enumerate(lines, 2)
    ]


def _decode_at_once(lines: list[bytes]) -> list[dict[str, Any]]:
    """All rows by one call, in a third of the time; none when that could hide a fault.

    A key that stands twice is lost in its dict. Where no white space stands before a colon, each
    key that stands anywhere ends in a quote and a colon, so their number shows what was lost.
    """
    try:
        text = f"[{b','.join(lines).decode()}]"
        rows: list[dict[str, Any]] = json.loads(text, parse_constant=refuse_constant)
        keys = sum(map(len, rows)) + sum([len(row["labels"]) for row in rows if "labels" in row])
    except (ValueError, TypeError, RecursionError):
        return []
    # a search for one character takes a tenth of the time of one for two
    spaced = "\t" in text or "\r" in text or any(p[:1] == ":" for p in text.split(" "))
    whole = len(rows) == len(lines) and keys == text.count('":')
    return rows if whole and not spaced else []


def _decode_line(line: bytes, number: int, path: str) -> dict[str, Any]:
    try:
        row = decode_strictly(line.decode())
    except (ValueError, RecursionError) as error:
        raise CoefficientsError(path, f"not a JSON object ({error})", number) from error
    if not isinstance(row, dict):
        raise CoefficientsError(path, "not a JSON object", number)
    return row


def _check_rows(rows: list[dict[str, Any]], path: str, levels: tuple[str, ...]) -> None:
    """Check rows by groups of one shape, and one by one only to name the line of a fault."""
    shapes: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for line, row in enumerate(rows, 2):
        if type(row) is not dict:
            raise CoefficientsError(path, "not a JSON object", line)
        kind = row.get("kind")
        if type(kind) is not str:
            raise CoefficientsError(path, f"unknown kind {kind!r}", line)
        shape = (kind, *row)
        if shape in shapes:
            shapes[shape].append(row)
        else:
            shapes[shape] = [row]
    labels = frozenset(levels) - set(CALL_LEVELS)
    if any(_fault(group, labels) for group in shapes.values()):
        for line, row in enumerate(rows, 2):
            fault = _fault([row], labels)
            if fault:
                raise CoefficientsError(path, fault, line)


def _fault(group: list[dict[str, Any]], labels: frozenset[str]) -> str:
    """What is wrong with rows of one kind that have the same keys, or an empty text."""
    kind, keys = group[0]["kind"], group[0].keys()
    if kind not in KINDS:
        return f"unknown kind {kind!r}"
    said = KINDS[kind]
    if not said.must <= keys or not keys - said.must <= said.may:
        return f"a {kind} row has missing or unknown keys"
    columns = dict(zip(keys, zip(*[row.values() for row in group], strict=True), strict=True))
    for key, values in columns.items():
        fault = _labels_fault(values, labels) if key == "labels" else _column_fault(key, values)
        if fault:
            return fault
    if said.chosen and not set(columns[said.chosen]).issubset(said.choices):
        first = columns[said.chosen][0]
        return f"{said.chosen} {first!r} is not one of {', '.join(said.choices)}"
    if kind == "deliverable_class" and "label" not in keys and set(columns["method"]) != {"any"}:
        return "a deliverable_class without a label needs the method any"
    values = columns.get("value", ())
    if values and not said.low <= min(values) <= max(values) <= said.high:
        return f"the value of a {kind} is not between {said.low:g} and {said.high:g}"
    if said.is_tokens and any(value % 1 for value in values):
        return f"the value of a {kind} is not a whole number of tokens"
    return ""


def _column_fault(key: str, values: tuple[Any, ...]) -> str:
    return _text_fault(key, values) if key in TEXTS else _number_fault(key, values)


def _text_fault(key: str, values: tuple[Any, ...]) -> str:
    if set(map(type, values)) == {str}:
        lengths = set(map(len, values))
        if 0 < min(lengths) <= max(lengths) <= MAX_TEXT:
            return ""
    return f"{key} is not a text of 1 to {MAX_TEXT} characters"


def _labels_fault(values: tuple[Any, ...], labels: frozenset[str]) -> str:
    if set(map(type, values)) != {dict}:
        return "labels is not an object"
    texts: dict[str, list[Any]] = {}
    for value in values:
        if not value.keys() <= labels:
            return f"labels has other names than the levels of the header: {', '.join(value)}"
        for name, text in value.items():
            texts.setdefault(name, []).append(text)
    for name, given in texts.items():
        fault = _text_fault(f"the label {name}", tuple(given))
        if not fault and name not in _LABELS_1 and not all(map(is_value, set(given))):
            fault = f"the label {name} is not a text of 1 to {MAX_VALUE} characters"
        if fault:
            return fault
    return ""


def _number_fault(key: str, values: tuple[Any, ...]) -> str:
    types, low, high = NUMBERS[key]
    # true is of another type, NaN is no JSON, and the infinities are out of bounds
    if set(map(type, values)) <= types and low <= min(values) <= max(values) <= high:
        return ""
    return f"{key} is not a number from {low:g} to {high:g}"
