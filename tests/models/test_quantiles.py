"""Quantiles of counted values beside DuckDB's own, stratum by stratum, through a real build."""

from __future__ import annotations

import math
import random
import statistics
from typing import Any

import pytest

from dbt_project import Project, line

pytestmark = pytest.mark.slow

CATEGORIES = ["implementation", "testing", "documentation", "refactoring"]
COMPLEXITIES = ["low", "medium", "high"]
QUANTILES = {
    "median_smape": ("smape", 0.5),
    "p90_smape": ("smape", 0.9),
    "p50_estimate_ratio": ("estimate_ratio", 0.5),
    "p75_estimate_ratio": ("estimate_ratio", 0.75),
    "p90_estimate_ratio": ("estimate_ratio", 0.9),
    "p50_ceiling_ratio": ("ceiling_ratio", 0.5),
    "p75_ceiling_ratio": ("ceiling_ratio", 0.75),
    "p90_ceiling_ratio": ("ceiling_ratio", 0.9),
    "median_abs_log_error": ("abs_log_error", 0.5),
    "replayed_median_smape": ("replayed_smape", 0.5),
    "replayed_p50_estimate_ratio": ("replayed_estimate_ratio", 0.5),
}
ANALYSED = "not is_synthetic and not is_repeated"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Calls with values that repeat, that do not, far apart, and cells of one call and of none."""
    random_ = random.Random(7)  # the same calls at every run
    project = Project(tmp_path_factory.mktemp("quantiles"))
    lines = []
    for number in range(1500):
        category = random_.choices(CATEGORIES, [60, 30, 9, 1])[0]
        actual = {
            "implementation": random_.choice([100, 200, 300]),
            "testing": random_.randint(1, 60_000),
            "documentation": 7,
            "refactoring": random_.choice([1, 10**9]),
        }[category]
        ceiling = random_.choice([None, 300, 4096, 65_536])
        lines.append(
            line(
                event_id=f"e-{number}", run_id=f"r-{number // 40}", phase_id=f"p-{number}",
                occurred_at=f"2026-0{1 + number % 6}-{1 + number % 28:02}T00:00:00Z",
                category=category, complexity=random_.choice(COMPLEXITIES),
                deliverables=["src/a.py"] * random_.choice([1, 3, 9]),
                predicted_output_tokens=random_.choice([1, 250, 900, random_.randint(1, 9000)]),
                actual_output_tokens=actual, actual_max_tokens=ceiling,
                stop_reason="max_tokens" if ceiling and actual >= ceiling else "end_turn",
                truncated=bool(ceiling and actual >= ceiling),
                success=random_.random() < 0.9, estimator_version=random_.choice(["4", "5"]),
                coefficients_id=random_.choice(["a", "b"]),
            )
        )  # fmt: skip
    project.telemetry().write_bytes(b"".join(lines))
    project.build("scores", "coefficient_versions", "multipliers")
    return project


def disagreements(project: Project, mart: str, events: str, strata: str) -> list[Any]:
    """(key, the mart's, DuckDB's, column) for each quantile of the mart that is not DuckDB's own.

    `events` are the columns of a stratum and its events, `strata` says which rows belong together.
    """
    found: list[Any] = []
    [(values,)] = project.rows(f"select count(distinct median_smape) from marts.{mart}")
    assert values >= 10, "a mart without values agrees with everything"
    columns = [name for name, *_ in project.rows(f"describe marts.{mart}")]
    for column in QUANTILES.keys() & columns:
        measure, probability = QUANTILES[column]
        found += project.rows(
            f"""
            with events as (select *, abs(log_error) as abs_log_error from ({events})),
            expected as (
                select mart.{columns[0]}, mart.{column} as found,
                    quantile_cont(events.{measure}, {probability}) as engine
                from marts.{mart} as mart
                left join events on {strata}
                group by all
            )
            select *, '{column}' from expected
            where found is distinct from engine
                and not coalesce(abs(found - engine) <= 1e-9 * greatest(1, engine), false)
            """
        )
    return found


def test_every_row_of_the_scores(built: Project) -> None:
    """What a row does not split by is `all` there; each period and scope has its own calls."""
    events = f"""
        select *, occurred_at > max(occurred_at) over () - interval 28 day as is_recent,
            case when is_success then 'success' else 'failure' end as outcome,
            replayed_output_tokens is not null as is_comparable, run_block
        from marts.calls inner join (select run_id, run_block from intermediate.int_runs)
        using (run_id) where {ANALYSED}
    """
    strata = " and ".join(
        f"mart.{column} in ('all', events.{column})"
        for column in ("category", "complexity", "model", "deliverable_bucket", "outcome")
    )
    samples = """
        and case mart.scope when 'success' then events.is_success
            when 'comparable' then events.is_comparable else true end
        and case mart.period when 'recent' then events.is_recent
            when 'week' then mart.period_start = events.week_start
            when 'runs' then mart.period_no = events.run_block + 1 else true end
    """
    assert disagreements(built, "scores", events, strata + samples) == []
    [kinds] = built.rows("select count(distinct period), count(distinct slice) from marts.scores")
    assert kinds == (4, 12)


def test_every_version_of_the_coefficients(built: Project) -> None:
    """Each version by itself, by label and by model; this mart shows medians only."""
    strata = """
        mart.coefficients_id = events.coefficients_id
        and mart.estimator_version = events.estimator_version
        and case mart.slice when 'all' then true when 'category' then mart.stratum = events.category
            when 'model' then mart.stratum = events.model else mart.stratum = events.complexity end
    """
    events = f"select * from marts.calls where {ANALYSED}"
    assert disagreements(built, "coefficient_versions", events, strata) == []


def test_the_medians_of_the_multipliers(built: Project) -> None:
    """Upper medians and the ends of their intervals, by sorting every ratio."""
    groups = built.rows(
        """
        select category, complexity, estimator_version,
            list(actual_output_tokens / predicted_output_tokens)
        from marts.calls
        where is_success and not is_truncated
        group by all
        """
    )
    assert len(groups) > 15
    for *group, unsorted in groups:
        ratios, n = sorted(unsorted), len(unsorted)
        low = math.floor(n / 2 - 0.98 * math.sqrt(n) + 0.5)
        high = math.floor(n / 2 + 1 + 0.98 * math.sqrt(n) + 0.5)
        [row] = built.rows(
            "select n, multiplier, interval_low, interval_high, min_ratio, max_ratio,"
            " ratio_deviation from marts.multipliers where method = 't5_exact'"
            " and category = ? and complexity = ? and estimator_version = ?",
            *group,
        )
        expected = (
            n, ratios[n // 2], ratios[low - 1] if low >= 1 else None,
            ratios[high - 1] if high <= n else None, ratios[0], ratios[-1],
            statistics.pstdev(ratios),
        )  # fmt: skip
        for found, right in zip(row, expected, strict=True):
            assert found == (None if right is None else pytest.approx(right, rel=1e-9)), group
