"""Where a table comes from, for its header, and what its publication changed, for the history."""

from __future__ import annotations

from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.database import read_view

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from tokenest_py.pipeline.calibration.scoring import Replay
    from tokenest_py.pipeline.calibration.tables import Table

__all__ = ["account", "database_id", "provenance"]


def provenance(path: Path, connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """What the header of a published table says; `path` is the database's."""
    landed = read_view(connection, "cmd_promote_landed")[0]
    newest = landed["newest_event"]
    facts = {
        "database": database_id(path),
        "landed": landed["digest"],
        "newest_event": newest and newest.isoformat(timespec="seconds") + "Z",
        "code": version("tokenest"),
    }
    return {name: value for name, value in facts.items() if value}


def database_id(path: Path) -> str:
    """16 hexadecimal digits that stand for the place of a database, and do not tell it."""
    return sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def account(table: Table, replayed: Replay, rate: float) -> dict[str, Any]:
    """What is kept of a table in the history: its evidence, and its error on recent calls."""
    row = table.of_all_calls(rate) or {}
    score = replayed.overall(rate)
    return {
        "budget_tokens": row.get("value"),
        "n": row.get("n", 0),
        "confidence": row.get("confidence"),
        "calls": score.n,
        "truncation": score.truncation,
        "reserve_ratio": score.reserve_ratio,
        "pinball_loss": score.pinball_loss,
        "median_smape": replayed.median_smape,
    }
