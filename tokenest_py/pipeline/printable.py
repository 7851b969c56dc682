"""Text and values of telemetry, made fit to be shown."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

__all__ = ["plain", "printable"]


def plain(value: object) -> str | int | float | bool | None:
    """Return the value as JSON knows it: times in UTC as RFC 3339 has them, the rest as text."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds") + ("Z" if value.tzinfo is None else "")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, int | float | None) else str(value)


def printable(text: str) -> str:
    """Return the text without control characters: they drive terminals, and no drawing has them."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
