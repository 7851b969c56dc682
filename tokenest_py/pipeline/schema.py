"""The version of a database's schema, and the steps that bring an older one up to it.

What landed is all that a database keeps that nothing else has: the steps move it, without the raw
files, and every other table is built anew. A version is what landing asks of its own tables; a
column that one field needs is added by the landing itself, and is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenest_py.errors import DatabaseError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

__all__ = ["SCHEMA_VERSION", "is_of_version_1", "migrate", "refuse_newer"]

_LINES_1 = "staging.base_telemetry__lines"
_LINES_2 = "staging.base_tokenest__lines"
# What version 1 built, and nothing builds any more: it would stand there as it was then.
_GONE_1 = {
    "marts": "accuracy accuracy_bands accuracy_by_coefficients accuracy_drift accuracy_tiers"
    " accuracy_trend adaptive_rates collection_progress collection_yield coverage_gaps"
    " drain_attempts drift_signals estimates group_verdicts guardrail_alerts line_accounting"
    " replay_accuracy replayed_estimates run_triage truncation_triage zero_yield",
    "staging": "base_telemetry__lines base_telemetry__repeated_lines stg_telemetry__attempts"
    " stg_telemetry__events",
}


def refuse_newer(path: Path | str, connection: duckdb.DuckDBPyConnection) -> None:
    """Raise DatabaseError where a newer tokenest has built the database."""
    found = _version(connection)
    if found > SCHEMA_VERSION:
        message = (
            f"{path} was built by a newer tokenest (schema {found}, this one knows"
            f" {SCHEMA_VERSION}); upgrade tokenest, or set TOKENEST_DB"
        )
        raise DatabaseError(message)


def is_of_version_1(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether version 1 has built the database, and no build since."""
    return _LINES_1 in _tables(connection)


def migrate(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring what landed to the schema of today, within the transaction of a build."""
    found = _version(connection)
    for step in _STEPS[found - 1 :] if found < SCHEMA_VERSION else ():
        step(connection)


def _tables_of_sources(connection: duckdb.DuckDBPyConnection) -> None:
    """1 to 2: the one table of lines becomes that of the source whose record it holds."""
    present = _tables(connection)
    if _LINES_1 not in present:
        return
    for column in ("landing_no bigint", "has_event_id boolean", "event_id varchar"):
        connection.execute(f"alter table {_LINES_1} add column if not exists {column}")
    as_of_2 = f"""
        select * exclude (event_id) replace (
            coalesce(landing_no, 1) as landing_no,
            case when event_key is not null then coalesce(has_event_id, event_id is not null) end
                as has_event_id,
            case
                when regexp_matches(line_text, '"(actual_output_tokens|record_type)" *:')
                    then line_text
            end as line_text
        ),
        false as is_other,
        cast(strlen(line_text) as bigint) as line_bytes,
        md5(line_text) as line_md5
        from {_LINES_1}
    """
    if _LINES_2 in present:  # a build between the two has read again what is still there
        connection.execute(
            f"insert into {_LINES_2} by name {as_of_2}"
            f" where source_file not in (select source_file from {_LINES_2})"
        )
    else:
        connection.execute(f"create table {_LINES_2} as {as_of_2}")
    for schema, names in _GONE_1.items():
        for name in names.split():
            connection.execute(f"drop table if exists {schema}.{name}")


def _records_of_lines(connection: duckdb.DuckDBPyConnection) -> None:
    """2 to 3: a line may hold several records, and says why it is no call."""
    for name in _tables(connection):
        if name.startswith("staging.base_") and name.endswith("__lines"):
            present = _columns(connection, name)
            if "file_bytes" in present and "record_no" not in present:
                connection.execute(f"alter table {name} add column record_no bigint default 1")
                connection.execute(f"alter table {name} alter column record_no drop default")
                connection.execute(f"alter table {name} add column left_out varchar")


_STEPS = (_tables_of_sources, _records_of_lines)
SCHEMA_VERSION = 1 + len(_STEPS)


def _version(connection: duckdb.DuckDBPyConnection) -> int:
    """What the database says; 1 where it says nothing, since each step asks what there is to do."""
    if "staging.base_telemetry__schema_version" not in _tables(connection):
        return 1
    found = connection.execute(
        "select max(schema_version) from staging.base_telemetry__schema_version"
    ).fetchone()
    return int((found or (1,))[0] or 1)


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [
        name
        for (name,) in connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where database_name = current_database()"
        ).fetchall()
    ]


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [name for name, *_ in connection.execute(f"describe {table}").fetchall()]
