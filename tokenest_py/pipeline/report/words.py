"""Figures as people read them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

__all__ = ["cell", "count", "factor", "money", "percent"]

TIMES = "\N{MULTIPLICATION SIGN}"
_LEAST = "< 0.01"
_RATES = ("_rate", "_lower", "_upper", "_share")
_COLUMN_OF_UNIT = {"share": "_share", "factor": "_factor"}
_RATIOS = ("_ratio", "_factor", "multiplier")


def percent(rate: float | None) -> str:
    """Return a rate (0 to 1) as per cent with one decimal; n/a for None."""
    return "n/a" if rate is None else f"{100 * rate:.1f} %"


def factor(ratio: float | None) -> str:
    """Return a ratio as a factor (2.10 times), without decimals from 100; n/a for None."""
    if ratio is None:
        return "n/a"
    return f"{ratio:,.0f}{TIMES}" if ratio >= 100 else f"{ratio:.2f}{TIMES}"


def money(amount: float) -> str:
    """Return an amount with two decimals, a small one not as nothing."""
    return _LEAST if 0 < amount < 0.005 else f"{amount:,.2f}"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return the number with its noun: 1 call, 2,000 calls."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def cell(column: str, value: object, unit: str | None = None) -> str:
    """Return a value as text for a table; its unit, or the column's name, says what it is."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float | Decimal):
        return _number(_COLUMN_OF_UNIT.get(unit or "", column), float(value))
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def _number(column: str, value: float) -> str:
    if column.endswith(_RATES) or column in {"target_truncation", "max_truncation"}:
        return percent(value)
    if column.endswith(_RATIOS):
        return factor(value)
    if 0 < value < 0.005:
        return _LEAST
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
