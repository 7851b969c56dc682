"""The rates of truncation that a build has ceilings for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["USUAL_RATE", "at_nearest_rate"]

Row = dict[str, Any]

USUAL_RATE = 0.02  # where nobody says how many answers may be cut off


def at_nearest_rate(rows: Iterable[Row], rate: float) -> tuple[float, list[Row]]:
    """Return the rate of the rows that is nearest to a rate, and the rows of it."""
    found = list(rows)
    nearest = min(
        (row["max_truncation"] for row in found), key=lambda r: abs(r - rate), default=rate
    )
    return nearest, [row for row in found if row["max_truncation"] == nearest]
