"""The published figures, built from the sample events in telemetry/ as a fresh clone has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dbt_project import line

if TYPE_CHECKING:
    from dbt_project import Project

# figure_id: what the rows give, to the digits shown
CORRECTED = {
    "s0-samples": 6,
    "s0-mean-smape": 49.55,
    "s0-median-ratio": 1.488,
    "s1-smape-reduction": 67.94,
    "s1-median-smape": 21.97,
    "s1-p90-smape": 93.98,
    "s1-p90-ratio": 2.782,
    "s1-implementation": 9,
    "s1-implementation-share": 64.29,
    "s1-files-2": 10,
    "s1-files-2-share": 71.43,
    "s1-files-3": 2,
}
REPRODUCED = {
    "s0-success-rate": 66.67,
    "s0-underestimation-rate": 33.33,
    "s0-max-smape": 103.63,
    "s0-smape-20-50": 50,
    "s0-ratio-1-2": 66.67,
    "s0-success-low": 66.67,
    "s1-mean-smape-old": 143.42,
    "s1-mean-smape-new": 45.97,
    "s1-median-ratio": 1.247,
    "s1-underestimation-rate": 0,
    "s1-low": 5,
    "s2-mean-smape": 117.48,
    "s2-underestimation-rate": 0,
    "s2-truncation-rate": 0,
    "s2-success-rate": 0,
}


def digits(value: float) -> int:
    """Decimal places of a golden value."""
    return len(str(value).partition(".")[2])


@pytest.mark.parametrize(
    ("verdict", "golden"), [("corrected", CORRECTED), ("reproduced", REPRODUCED)]
)
def test_figures_are_what_their_rows_give(
    samples: Project, verdict: str, golden: dict[str, float]
) -> None:
    """Golden values, worked from the documents' own rows."""
    found = samples.rows(
        f"""
        select figure_id, recomputed_value
        from origin.published_figures
        where verdict = '{verdict}'
        """,
    )
    recomputed = {
        name: round(value, digits(golden[name])) for name, value in found if name in golden
    }
    assert recomputed == golden


def test_only_known_figures_are_corrected(samples: Project) -> None:
    """Every other figure follows from its rows, or cannot be derived from them."""
    found = samples.rows(
        "select figure_id, verdict from origin.published_figures where verdict <> 'reproduced'",
    )
    assert dict(found) == dict.fromkeys(CORRECTED, "corrected") | {
        "s0-collection-rate": "not derivable",
        "s2-samples": "not derivable",
    }


def test_the_totals_of_the_scorecards_follow(samples: Project) -> None:
    """S0 claims 6 of 8 and S1 5 of 7: so do the rows, where the rows can tell."""
    assert samples.rows(
        "select document, criteria, published_met, recomputed_met from origin.scorecard_totals"
        " order by document"
    ) == [("S0", 8, 6, 6), ("S1", 7, 5, 5), ("S2", 7, 2, 2), ("S3", 23, 23, 23), ("S4", 13, 0, 0)]


def test_what_no_telemetry_shows_is_not_claimed(samples: Project) -> None:
    """Of the tasks T1 to T5 none is a figure; each says where to look instead."""
    found = samples.rows(
        "select part, status, count(*), count(target) from origin.acceptance_scorecards"
        " where document = 'S3' group by part, status order by part"
    )
    counts = {"T1": 3, "T2": 3, "T3": 4, "T4": 5, "T5": 8}
    assert found == [(part, "not in telemetry", n, n) for part, n in counts.items()]


def test_selected_budgets_are_held_against_their_floors(samples: Project) -> None:
    """S4's floors: of 26 recorded budgets one is below, and low documentation is above its own."""
    found = samples.rows(
        "select category, complexity, floor_tokens, least_selected_budget, verdict"
        " from origin.budget_floors where verdict = 'below' or category = 'documentation'"
        " order by category"
    )
    assert found == [
        ("documentation", "low", 4096, 8192, "above"),
        ("implementation", "high", 16384, 12288, "below"),
    ]
    assert samples.rows("select sum(n), sum(n_below) from origin.budget_floors") == [(26, 1)]


def test_production_samples_are_scored_row_by_row(samples: Project) -> None:
    """S0's table: smape in percent, none for the truncated call, and the test row flagged."""
    found = samples.rows(
        """
        select event_id, round(smape, 1), round(estimate_ratio, 2), underestimated, is_synthetic
        from marts.calls
        where event_id like 's0-%'
        order by event_id
        """,
    )
    assert found == [
        ("s0-1", 59.8, 1.85, False, False),
        ("s0-2", 46.2, 1.6, False, False),
        ("s0-3", 9.2, 0.91, True, False),
        ("s0-4", 41.3, 1.52, False, False),
        ("s0-5", 37.2, 1.46, False, False),
        ("s0-6", None, 0.32, True, False),
        ("s0-7", 18.2, 0.83, True, True),
    ]


def test_calls_that_share_the_ids_of_samples_are_none(project: Project) -> None:
    """Another telemetry may count its calls from s0-1; it is judged by no document."""
    path = project.telemetry()
    path.write_bytes(b"".join(line(event_id=f"s0-{number}") for number in range(1, 8)))
    project.build("published_figures")
    assert project.rows(
        "select distinct verdict from origin.published_figures where metric is not null"
    ) == [("rows not loaded",)]


def test_every_published_sample_is_shipped(samples: Project) -> None:
    """telemetry/ holds the samples of the three documents and nothing else."""
    found = samples.rows(
        """
        select
            samples.document,
            count(*),
            count(estimates.event_id),
            count(case when samples.included then 1 end)
        from marts.calls as estimates
        full join seeds.published_samples as samples on estimates.event_id = samples.event_id
        group by samples.document
        order by samples.document
        """,
    )
    assert found == [("S0", 7, 7, 6), ("S1", 14, 14, 14), ("S2", 5, 5, 5)]
