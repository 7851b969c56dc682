"""An engine without a folder in macros/engine/ compiles a guest, and asks no server for it.

Adapters of other warehouses are not installed here: dbt-postgres stands for them, without a server
and without any engine's own macros, so that every macro of the contract has its `default__` body.
tests/support/dialects.py compiles for Snowflake, BigQuery and Databricks by hand.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest

from dialects import compiled, guest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def is_read(sql: str) -> bool:
    """DuckDB's parser can read it, but for SQL's own `is json`, which DuckDB does not know."""
    text = sql.replace(" is json with unique keys", "").replace(" is json", "")
    try:
        return len(duckdb.extract_statements(text)) == 1
    except duckdb.ParserException:
        return False


def test_default_bodies_compile(tmp_path: Path) -> None:
    """Nothing behind int_events has the hole that the empty body of a landing's macro leaves."""
    host = guest(tmp_path, "postgres")
    for folder in (tmp_path / "tokenest/macros/engine").iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
    hole = tmp_path / "tokenest/models/intermediate/hole.sql"
    hole.write_text("""select {{ utc_timestamp("'2026'") }} as occurred_at""", encoding="utf-8")
    texts = compiled(host)
    assert {path for path, sql in texts.items() if not is_read(sql)} == {
        "models/intermediate/hole.sql"
    }
    models = {path.rsplit("/", 1)[-1] for path in texts if path.startswith("models/")}
    assert {"base_relation__calls.sql", "int_events.sql", "calls.sql", "max_tokens.sql"} <= models
    assert "exists (select 1 from unnest(" in texts["tests/dbt/singular/engine_macros_agree.sql"]
