"""Which database this is, and what a process works on: a drain and a service compare it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.database import count, table_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from tokenest_py.pipeline.settings import Settings

__all__ = ["Identity", "tables"]

SCHEMAS = {"staging", "marts", "exports"}


@dataclass(frozen=True, slots=True)
class Identity:
    """What a process works on, as two processes compare it: absolute paths, and the version."""

    version: str
    database: str
    telemetry_folder: str

    @classmethod
    def of(cls, settings: Settings) -> Identity:
        """Return that of a process with these settings."""
        folder = settings.telemetry_folder.absolute()
        return cls(version("tokenest"), str(settings.database.resolve()), str(folder.resolve()))

    def as_dict(self) -> dict[str, str]:
        """Return it as a JSON object."""
        return asdict(self)

    def mismatch(self, other: Mapping[str, object]) -> tuple[str, str, object] | None:
        """Return the first thing in which another one, as a JSON object, differs: its name, both.

        None where they are the same.
        """
        for item in fields(self):
            mine, theirs = getattr(self, item.name), other.get(item.name)
            if mine != theirs:
                return item.name.replace("_", " "), mine, theirs
        return None


def tables(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Name and rows of each table of the schemas that people read."""
    return [
        {"name": f"{schema}.{table}", "n": count(connection, f"select count(*) from {quoted}")}
        for schema, table, quoted in table_names(connection)
        if schema in SCHEMAS
    ]
