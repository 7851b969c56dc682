"""Which database this is: the rows of each table that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

__all__ = ["one", "table_names", "tables"]

SCHEMAS = {"staging", "marts", "exports"}


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
