"""Golden values of scoring and of the origin's calibration, through a real build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dbt_project import Project, line

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

# origin.md 4.7: actual output tokens against one prediction each.
IMPLEMENTATION = (5200, [1218, 1117, 1588, 1768, 1459, 1670, 2302, 2280])
TESTING = (4420, [1448, 1646, 1621, 2069])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The golden rows, five calls of a third cell, and calls that the origin's filter drops."""
    project = Project(tmp_path_factory.mktemp("multipliers"))
    lines = [
        line(event_id=f"{category}-{n}", category=category, predicted_output_tokens=predicted,
             actual_output_tokens=actual, actual_max_tokens=16384, estimator_version="5")
        for category, (predicted, actuals) in
        {"implementation": IMPLEMENTATION, "tests": TESTING, "docs": (1000, [900] * 5)}.items()
        for n, actual in enumerate(actuals)
    ]  # fmt: skip
    lines += [
        line(event_id="failed", success=False, predicted_output_tokens=5200, estimator_version="5"),
        line(event_id="cut", category="backend", stop_reason="max_tokens"),
        line(event_id="unpredicted", predicted_output_tokens=None, estimator_version="5"),
        line(event_id="s-1", category="backend", success=False),
        line(event_id="s-2", category="backend", success=False, predicted_output_tokens=1000,
             actual_output_tokens=1400),
    ]  # fmt: skip
    project.telemetry().write_bytes(b"".join(lines))
    project.build("coefficients")
    return project


def origin(project: Project, category: str) -> dict[str, Any]:
    """The row of the origin's rule for a category."""
    columns = ["n", "multiplier", "confidence", "action", "gates_contradict", "gate_note"]
    [row] = project.rows(
        f"select {', '.join(columns)} from marts.multipliers"
        " where method = 't5_exact' and category = ?",
        category,
    )
    return dict(zip(columns, row, strict=True))


def test_the_origins_rule_to_the_digit(built: Project) -> None:
    """Upper median, population deviation, confidence; n after the filter."""
    found = origin(built, "implementation")
    assert found["n"] == 8
    assert round(found["multiplier"], 3) == 0.321
    assert round(found["confidence"], 3) == 0.771
    assert found["action"] == "lower"
    assert found["gate_note"] == "passes"
    found = origin(built, "testing")
    assert (found["n"], round(found["multiplier"], 3)) == (4, 0.372)
    assert found["action"] == "collect"


def test_the_true_median_stands_beside_it(built: Project) -> None:
    """On the same logged predictions: 0.313 where the upper median is 0.321."""
    query = (
        "select category, round(multiplier, 3) from marts.multipliers"
        " where method = 'median' and estimator_version = '5'"
        " and category in ('implementation', 'testing') order by category"
    )
    assert built.rows(query) == [("implementation", 0.313), ("testing", 0.37)]


def test_gates_that_contradict_each_other_say_so(built: Project) -> None:
    """Five calls pass min_samples, and can never reach 0.7."""
    found = origin(built, "documentation")
    assert found["gates_contradict"]
    assert "contradict" in found["gate_note"]
    assert round(found["confidence"], 3) == 0.65


@pytest.mark.parametrize(
    ("most", "expected"), [(7000, ["documentation", "implementation"]), (1, ["implementation"])]
)
def test_the_cells_with_the_most_calls_are_exported(
    built: Project, tmp_path: Path, most: int, expected: list[str]
) -> None:
    """A multiplier and its range; so the table never grows beyond what the runtime reads."""
    project = Project(tmp_path)
    project.database.write_bytes(built.database.read_bytes())
    project.build("coefficients", max_exported_cells=most, confidence_threshold=0.1)
    for kind in ("multiplier", "multiplier_low", "multiplier_high"):
        assert project.rows(
            "select category from exports.coefficients where kind = ? order by category", kind
        ) == [(category,) for category in expected]


def test_published_pairs_are_scored_as_published(built: Project) -> None:
    """(1200, 800) gives 40.0, 1.5, false; (1000, 1400) gives 33.33, 0.714, true."""
    query = (
        "select round(smape, 2), round(estimate_ratio, 3), underestimated"
        " from marts.calls where event_id in ('s-1', 's-2') order by event_id"
    )
    assert built.rows(query) == [(40.0, 1.5, False), (33.33, 0.714, True)]
