"""docs/marts.md: it names every mart with its key, and its queries run as they stand."""

from __future__ import annotations

import re

import pytest

from dbt_project import ROOT, Project

DOCUMENT = (ROOT / "docs" / "marts.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", DOCUMENT, flags=re.DOTALL)
OLD = re.findall(r"`(select [^`]+)`", DOCUMENT)
ROWS = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", DOCUMENT, flags=re.MULTILINE)


def test_there_are_twelve_queries() -> None:
    """As many as the document promises."""
    assert len(QUERIES) == 12


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_runs_and_finds_something(samples: Project, query: str) -> None:
    """On the published samples each query gives rows."""
    assert samples.rows(query)


@pytest.mark.parametrize("query", OLD)
def test_what_was_there_before_is_answered(samples: Project, query: str) -> None:
    """Each query that takes the place of an old mart runs on the published samples."""
    samples.rows(query)


def test_nothing_of_demand_disappears(samples: Project) -> None:
    """The calls of a cell are those of its quantile, those left out by reason, and the rest."""
    reasons = "n_synthetic + n_repeated + n_missing + n_partial_usage + n_reasoning_above_output"
    assert (
        samples.rows(
            f"select labels from marts.max_tokens_evidence where n_calls <> n + {reasons}"
            " + n_starved + n_failed + n_filtered + n_outside or n_outside < 0"
        )
        == []
    )
    assert samples.rows(
        "select distinct n_calls from marts.max_tokens_evidence where cell_level = 0"
    ) == samples.rows("select count(*) from intermediate.int_demand")


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
