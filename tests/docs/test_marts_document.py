"""docs/marts.md: it names every mart with its key, and its queries run as they stand."""

from __future__ import annotations

import re

import pytest

from dbt_project import ROOT, Project

DOCUMENT = (ROOT / "docs" / "marts.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", DOCUMENT, flags=re.DOTALL)
ROWS = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", DOCUMENT, flags=re.MULTILINE)


def test_there_are_twelve_queries() -> None:
    """As many as the document promises."""
    assert len(QUERIES) == 12


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_runs_and_finds_something(samples: Project, query: str) -> None:
    """On the published samples each query gives rows."""
    assert samples.rows(query)


def test_every_mart_is_in_the_document(samples: Project) -> None:
    """No mart without a promise, and no promise without a mart."""
    marts = samples.rows(
        "select table_name from information_schema.tables where table_schema = 'marts'"
    )
    assert {name for name, _ in ROWS} == {name for (name,) in marts}


def test_keys_are_keys(samples: Project) -> None:
    """The columns that the document calls a key tell rows apart."""
    for mart, columns in ROWS:
        key = columns.replace("`", "")
        ((rows, distinct),) = samples.rows(
            f"select count(*), (select count(*) from (select distinct {key} from marts.{mart}))"
            f" from marts.{mart}"
        )
        assert rows == distinct, mart


def test_nothing_is_lost_by_the_last_query(samples: Project) -> None:
    """Lines in equal lines accounted for: the query of the document shows it."""
    ((lines, accounted_for, quarantined),) = samples.rows(QUERIES[-1])
    assert (lines, accounted_for, quarantined) == (26, 26, 0)
