"""Which database this is, and what a process works on: a drain and a service compare it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from tokenest_py.pipeline.settings import Settings

__all__ = ["Identity", "one", "table_names", "tables"]

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
        {"name": f"{schema}.{table}", "n": one(connection, f"select count(*) from {quoted}")}
        for schema, table, quoted in table_names(connection)
        if schema in SCHEMAS
    ]


def table_names(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    """Schema, name and quoted name of every table."""
    found = connection.execute(
        "select table_schema, table_name from information_schema.tables"
        " where table_type = 'BASE TABLE' order by all"
    ).fetchall()
    return [
        (schema, table, ".".join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in names))
        for names in found
        for schema, table in [names]
    ]


def one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The one number that a query returns."""
    return int((connection.execute(query).fetchone() or (0,))[0])
