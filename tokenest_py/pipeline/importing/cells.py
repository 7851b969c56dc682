"""The values of cells and texts, as JSON has them and as a field map means them."""

from __future__ import annotations

import ast
import json
import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenest_py.pipeline.importing.kept import Node

__all__ = ["of_json", "of_portal", "of_python", "parsed", "typed"]

WHOLE = re.compile(r"-?([0-9]{1,300}|[0-9]{1,3}(,[0-9]{3}){1,99})(\.0+)?")  # a float holds no more
NUMBER = re.compile(r"-?([0-9]{1,200}\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,2})?")
OFFSET = re.compile(r"^(20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d)$")
TRUE, FALSE = {"true", "t", "1"}, {"false", "f", "0"}


def parsed(text: str) -> object:
    """What a text of JSON, or of an object of Python, holds; None for another."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return of_python(text)


def of_python(text: str) -> object:
    """What Python's `repr` of an object says, which a data frame writes into a table."""
    try:
        return ast.literal_eval(text) if text.startswith(("{'", "[{'")) else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def of_json(value: object) -> object:
    """Return a cell as JSON has it: what is no number there is nothing, the rest is text."""
    if isinstance(value, Decimal):
        is_whole = value.is_finite() and value == value.to_integral_value()
        value = int(value) if is_whole else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [of_json(item) for item in value]
    if isinstance(value, dict):
        return {str(name): of_json(item) for name, item in value.items()}
    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return f"{value.isoformat()}Z"
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value if isinstance(value, str | int | None) else str(value)


def typed(value: object, node: Node | None) -> object:
    """Return a cell of a table as its field map means it."""
    value = of_json(value)
    if value == "" or node is None:
        return None if value == "" else value
    is_json = isinstance(value, str) and value[:1] in {"{", "["}
    if is_json and not node.in_text and (node.members or node.kinds & {"text_list", "labels"}):
        return parsed(str(value))
    if node.kinds == {"whole"} and isinstance(value, (str, float)):
        text = str(value)
        return int(float(text.replace(",", ""))) if WHOLE.fullmatch(text) else value
    if node.kinds == {"number"} and isinstance(value, str):
        return float(value) if NUMBER.fullmatch(value) else value
    if node.kinds == {"flag"} and not isinstance(value, bool):
        word = str(value).lower()
        return word in TRUE if word in TRUE | FALSE else value
    if node.kinds & {"text", "label", "word"} and isinstance(value, (int, float)):
        return str(value)
    if "time" in node.kinds and isinstance(value, str):
        return OFFSET.sub(r"\1\2:00", str(of_portal(value)))
    return value


def of_portal(text: object) -> object:
    """A time such as `6/1/2026, 8:00:00.123 AM`, of Azure's portal, as all write it."""
    moment, _, half = str(text).rpartition(" ")
    whole, dot, fraction = moment.partition(".")
    try:
        time = datetime.strptime(f"{whole} {half} +0000", "%m/%d/%Y, %I:%M:%S %p %z")
    except ValueError:
        return text
    return f"{time:%Y-%m-%dT%H:%M:%S}{dot}{fraction}Z"
