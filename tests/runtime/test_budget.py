"""The ceilings: floors and buffers, quantiles, limits, and the one larger ceiling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vintages
from tokenest_py import Estimator
from tokenest_py.errors import UsageError
from tokenest_py.runtime.budget import estimate_bin, input_bin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PHASE_2 = [8424, 12288, 8424, 12324, 23088, 8192]
HEAD = [8192, 12288, 8192, 12324, 30784, 28199]


def quantile(rate: float, tokens: int, label: str = "identified", **cell: object) -> dict[str, Any]:
    """A budget row."""
    return vintages.budget(rate, tokens, label=label, n=60, method="budget_blend", **cell)


@pytest.fixture
def cold() -> Estimator:
    """The packaged table, which has no quantiles."""
    return Estimator.load(strict=True)


@pytest.fixture
def warm(tmp_path: Path) -> Estimator:
    """A table with quantiles on every level."""
    cell = {"category": "implementation", "complexity": "low"}
    sonnet = cell | {"model": "claude-sonnet-4-5"}
    rows = [
        quantile(0.05, 900),
        quantile(0.02, 1000),
        quantile(0.02, 2000, category="implementation"),
        quantile(0.05, 2500, **cell),
        quantile(0.02, 3000, **cell),
        quantile(0.01, 3500, "at_least", **cell),
        quantile(0.02, 4000, **sonnet),
        quantile(0.02, 5000, input_bin=49, **sonnet),
    ]
    return Estimator.load(vintages.write(tmp_path, lambda packaged: packaged + rows), strict=True)


@pytest.mark.parametrize(
    ("vintage", "budgets"), [(vintages.phase_2, PHASE_2), (vintages.head, HEAD)]
)
def test_vintages(
    tmp_path: Path, vintage: Callable[[vintages.Rows], vintages.Rows], budgets: list[int]
) -> None:
    """Both vintages of the origin reproduce the budgets of their six calls."""
    estimator = Estimator.load(vintages.write(tmp_path, vintage), strict=True)
    found = [estimator.budget(estimator.estimate(*call)) for call in vintages.SIX_CALLS]
    assert [budget.max_tokens for budget in found] == budgets
    assert {(budget.source, budget.n, budget.identified) for budget in found} == {
        ("cold-start floor", 0, False)
    }


@pytest.mark.parametrize(
    ("category", "floors"),
    [
        ("docs", (4096, 8192, 12288, 8192, 8192)),
        ("doc_write", (4096, 8192, 12288, 8192, 8192)),
        ("tests", (6144, 8192, 12288, 8192, 8192)),
        ("implementation", (8192, 12288, 16384, 8192, 8192)),
        ("odd", (8192, 12288, 16384, 8192, 8192)),
    ],
)
def test_floors(cold: Estimator, category: str, floors: tuple[int, ...]) -> None:
    """An estimate of next to nothing gets the floor of its category and complexity."""
    for complexity, tokens in zip(("low", "medium", "high", "maint", "?"), floors, strict=True):
        small = cold.estimate(["src/a.sql"], category, complexity)
        small = small._replace(estimated_tokens=1, base_tokens=1)
        assert cold.budget(small).max_tokens == tokens


@pytest.mark.parametrize(
    ("deliverables", "category", "complexity", "factor"),
    [
        (["src/a.py"] * 5, "implementation", "low", 1.2),
        (["Makefile"] * 5, "implementation", "low", 1.4),
        (["src/a.py"] * 8, "implementation", "low", 1.6),
        (["src/a.py"] * 7, "implementation", "low", 1.2),
        (["Makefile"] * 8, "implementation", "low", 1.6),
        (["src/a.py"] * 6, "integration", "high", 1.6),
        (["src/a.py"] * 6, "integration", "medium", 1.2),
        ([f"docs/api_reference_{i}.md" for i in range(9)], "docs", "low", 2.2),
        (["CHANGELOG.md"] * 9, "docs", "low", 2.2),
    ],
)
def test_buffers(
    cold: Estimator, deliverables: list[str], category: str, complexity: str, factor: float
) -> None:
    """The largest factor among the conditions that hold is taken."""
    found = cold.estimate(deliverables, category, complexity)
    assert cold.budget(found).max_tokens == int(found.estimated_tokens * factor)


def added(row: dict[str, Any]) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    """A change that adds a row."""
    return lambda rows: [*rows, row]


def test_a_multiplier_never_lowers_a_cold_start(tmp_path: Path) -> None:
    """It centres the estimate; a ceiling made from the centre would cut off half of the calls."""
    large = ["src/a.py"] * 7
    for multiplier, tokens in ((0.4, 24960), (1.5, 37440)):
        row = {"kind": "multiplier", "value": multiplier}
        path = vintages.write(tmp_path, added(row))
        estimator = Estimator.load(path, strict=True)
        estimate = estimator.estimate(large, "implementation", "low")
        assert estimate.base_tokens == 20800
        assert estimate.estimated_tokens == int(20800 * multiplier)
        assert estimator.budget(estimate).max_tokens == tokens


def test_cap(cold: Estimator) -> None:
    """Without a known model a budget stays at 64,000."""
    found = cold.budget(cold.estimate(["src/a.py"] * 40, "integration", "high"))
    assert (found.max_tokens, found.clamped_by) == (64000, "max_budget")


@pytest.mark.parametrize(
    ("category", "arguments", "tokens", "source"),
    [
        ("implementation", {}, 3000, "quantile cell"),
        ("implement_feature", {"max_truncation": 0.03}, 3000, "quantile cell"),
        ("implementation", {"max_truncation": 0.05}, 2500, "quantile cell"),
        ("implementation", {"max_truncation": 0.5}, 2500, "quantile cell"),
        ("implementation", {"model": "claude-sonnet-4-5"}, 4000, "quantile cell"),
        (
            "implementation",
            {"model": "claude-sonnet-4-5", "input_tokens": 5000},
            5000,
            "quantile cell",
        ),
        ("implementation", {"model": "claude-sonnet-4-5", "input_tokens": 90}, 4000, "parent"),
        ("implementation", {"model": "other"}, 3000, "parent"),
    ],
)
def test_quantiles(
    warm: Estimator, category: str, arguments: dict[str, Any], tokens: int, source: str
) -> None:
    """The narrowest cell with data decides, by the largest rate that is not above the asked one."""
    found = warm.budget(warm.estimate(["src/a.py"], category, "low"), **arguments)
    assert (found.max_tokens, found.source, found.n, found.identified) == (tokens, source, 60, True)


@pytest.mark.parametrize(
    ("category", "complexity", "tokens"),
    [
        ("backend", "low", 1000),  # only all calls have a quantile
        ("implementation", "high", 2000),  # only the category has one
        ("implementation", "maintenance", 2000),
    ],
)
def test_a_wider_cell_lowers_a_floor(
    warm: Estimator, category: str, complexity: str, tokens: int
) -> None:
    """A floor is for a table that has learned nothing: a wider cell knows more than a constant."""
    found = warm.budget(warm.estimate(["src/a.py"], category, complexity))
    assert (found.max_tokens, found.source, found.n, found.identified) == (
        tokens, "parent", 60, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "tokens", "answers", "says"),
    [
        (0.02, 1000, 0.02, ""),
        (0.03, 1000, 0.02, "the table holds no rate of 3 %: its 2 % answers"),
        (0.018, 1000, 0.02, "the table holds no rate of 1.8 %: its 2 % answers"),
        (0.001, 8192, None, "too few calls are known for a rate of 0.1 %"),
    ],
)
def test_a_rate_that_the_table_does_not_hold_is_said(
    warm: Estimator, asked: float, tokens: int, answers: float, says: str
) -> None:
    """With the one that answers: a stricter one, else the strictest, else the floor."""
    estimate = warm.estimate(["src/a.py"], "backend", "low")
    found = warm.budget(estimate, max_truncation=asked)
    assert (found.max_tokens, found.quantile_rate) == (tokens, answers)
    assert found.identified == (asked >= 0.02)
    assert found.max_truncation == asked
    said = warm.explain(estimate, found)
    assert says in said
    assert bool(says) == ("no rate of" in said or "too few calls" in said)
    cold = Estimator.load(strict=True)
    assert "too few" not in cold.explain(estimate, cold.budget(estimate))


def test_a_budget_below_the_estimate_says_so(warm: Estimator) -> None:
    """The cell knows nothing of the files that this call is to write."""
    estimate = warm.estimate(["src/a.py"] * 12, "implementation", "low")
    found = warm.budget(estimate)
    assert found.is_below_estimate
    assert f"below the low end of the estimate, {estimate.low}" in warm.explain(estimate, found)
    assert not Estimator.load().budget(estimate).is_below_estimate


def test_a_wider_cell_may_raise_a_floor(tmp_path: Path) -> None:
    """Where all calls need more than the floor, so does a new category."""
    rows = [quantile(0.02, 20_000)]
    estimator = Estimator.load(vintages.write(tmp_path, lambda kept: kept + rows), strict=True)
    found = estimator.budget(estimator.estimate(["src/a.py"], "backend", "low"))
    assert (found.max_tokens, found.source, found.identified) == (20_000, "parent", True)


def test_without_a_model_the_input_size_counts_too(tmp_path: Path) -> None:
    """Calls recorded without complexity and model have cells of their own."""
    rows = [
        quantile(0.02, 300, category="judge"),
        quantile(0.02, 500, category="judge", input_bin=49),
    ]
    estimator = Estimator.load(vintages.write(tmp_path, lambda kept: kept + rows), strict=True)
    estimate = estimator.estimate(None, "judge")
    assert estimator.budget(estimate, input_tokens=5000).max_tokens == 500
    assert estimator.budget(estimate, input_tokens=90).max_tokens == 300
    assert estimator.budget(estimate, model="any", input_tokens=5000).max_tokens == 300


def test_unidentified(warm: Estimator) -> None:
    """A quantile that the data do not show is one that is said not to be shown."""
    estimate = warm.estimate(["src/a.py"], "implementation", "low")
    found = warm.budget(estimate, max_truncation=0.01)
    assert (found.max_tokens, found.identified, found.max_truncation) == (3500, False, 0.01)
    assert found.quantile_rate == 0.01


def test_a_looser_rate_is_only_a_lower_bound(warm: Estimator) -> None:
    """For a stricter rate than the table has, the floors hold too."""
    estimate = warm.estimate(["src/a.py"], "implementation", "low")
    found = warm.budget(estimate, max_truncation=0.001)
    assert (found.max_tokens, found.source, found.identified) == (8192, "cold-start floor", False)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 4), st.sampled_from([0.005, 0.02, 0.05, 0.1])),
        st.integers(1, 40_000),
        max_size=12,
    )
)
def test_monotone(tmp_path: Path, drawn: dict[tuple[int, float], int]) -> None:
    """Whatever cells a table has, a stricter rate never gets fewer tokens."""
    cells: list[dict[str, object]] = [
        {},
        {"category": "implementation"},
        {"category": "implementation", "complexity": "low"},
        {"category": "implementation", "complexity": "low", "model": "m"},
        {"category": "implementation", "complexity": "low", "model": "m", "input_bin": 40},
    ]
    rows = []
    for level, cell in enumerate(cells):
        most = 10**6
        for (at, rate), tokens in sorted(drawn.items(), key=lambda item: item[0][1]):
            if at == level:
                most = min(most, tokens)
                rows.append(quantile(rate, most, **cell))
    estimator = Estimator.load(
        vintages.write(tmp_path, lambda packaged: packaged + rows), strict=True
    )
    estimate = estimator.estimate(["src/a.py"], "implementation", "low")
    found = [
        estimator.budget(estimate, model="m", input_tokens=1024, max_truncation=rate).max_tokens
        for rate in (0.001, 0.005, 0.01, 0.02, 0.05, 0.07, 0.1, 0.5)
    ]
    assert found == sorted(found, reverse=True)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tokens=st.integers(1, 40),
    moved=st.floats(-3, 3),
    model=st.sampled_from([None, "gpt-4o", "claude-opus-4-1", "m"]),
    input_tokens=st.one_of(st.none(), st.integers(0, 400_000)),
    max_tokens=st.one_of(st.none(), st.integers(1, 40)),
)
def test_a_budget_is_never_1(
    tmp_path: Path, tokens: int, moved: float, model: str | None, input_tokens: int | None,
    max_tokens: int | None,
) -> None:  # fmt: skip
    """Whatever a table says and whatever moved it: at least 16, unless the caller asks for less."""
    rate = {"kind": "online_rate", "labels": {"category": "chat"}, "max_truncation": 0.02}
    rows = [quantile(0.02, tokens, category="chat"), rate | {"value": moved, "n": 100}]
    estimator = Estimator.load(
        vintages.write(tmp_path, lambda packaged: packaged + rows), strict=True
    )
    estimate = estimator.estimate(None, "chat")
    found = estimator.budget(
        estimate, model=model, input_tokens=input_tokens, max_tokens=max_tokens
    )
    assert found.quantile_rate == 0.02
    assert found.max_tokens >= min(16, max_tokens or 16)
    assert found.is_below_estimate == (found.max_tokens < estimate.low)
    assert ("below the low end" in estimator.explain(estimate, found)) == found.is_below_estimate


def test_input_bins() -> None:
    """Four bins to each doubling, as floor(4 * log2(tokens))."""
    found = [input_bin(tokens) for tokens in (1, 2, 3, 4, 1023, 1024, 1217, 1218, 5000)]
    assert found == [0, 4, 6, 8, 39, 40, 40, 41, 49]


def test_estimate_bins() -> None:
    """Two bins to each doubling, as floor(2 * log2(tokens)); those of the SQL's unit test."""
    found = [estimate_bin(tokens) for tokens in (0, 1, 4095, 4096, 5200, 33_800)]
    assert found == [None, "0", "23", "24", "24", "30"]


def test_limits(cold: Estimator) -> None:
    """The model's maximum and the rest of its context window bound a budget."""
    large = cold.estimate(["src/a.py"] * 20, "implementation", "high")
    assert large.estimated_tokens == 58500

    def clamp(**arguments: object) -> tuple[int, str, str]:
        found = cold.budget(large, **arguments)
        return found.max_tokens, found.clamped_by, found.source

    floor = "cold-start floor"
    assert clamp(model="gpt-5-mini") == (93600, "", floor)
    assert clamp(model="claude-sonnet-4-5-20250929") == (64000, "max_output", floor)
    assert clamp(model="anthropic/claude-opus-4-1") == (32000, "max_output", floor)
    assert clamp(model="GPT-4o-mini", input_tokens=0) == (16384, "max_output", floor)
    assert clamp(model="gpt-4o", input_tokens=120_000) == (8000, "context_window", floor)
    assert clamp(model="gpt-4o", input_tokens=500_000) == (16384, "input_over_window", floor)
    assert clamp(model="gpt-5-mini", input_tokens=300_000) == (93600, "input_over_window", floor)
    assert clamp(model="claude-opus-4-7", input_tokens=300_000) == (93600, "", floor)
    assert clamp(model="unheard-of") == (64000, "max_budget", floor)
    assert clamp(max_tokens=3000) == (3000, "max_tokens", "explicit clamp")
    assert clamp(model="gpt-4o", max_tokens=20_000) == (16384, "max_output", floor)


def test_clamped_quantiles_are_not_identified(warm: Estimator) -> None:
    """A quantile lowered by a limit no longer holds its rate."""
    estimate = warm.estimate(["src/a.py"], "implementation", "low")
    found = warm.budget(estimate, max_tokens=2999)
    assert (found.max_tokens, found.source, found.identified) == (2999, "explicit clamp", False)


def test_reasoning_headroom(warm: Estimator) -> None:
    """Reasoning comes on top of what visible output needs."""
    estimate = warm.estimate(["src/a.py"], "implementation", "low")
    found = warm.budget(estimate, reasoning_tokens=10_000)
    assert (found.max_tokens, found.visible_tokens, found.reasoning_tokens) == (13000, 3000, 10000)


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("anthropic", "max_tokens"),
        ("openai", "max_completion_tokens"),
        ("OpenAI-Responses", "max_output_tokens"),
        ("gemini", "maxOutputTokens"),
        ("google_gemini", "maxOutputTokens"),
    ],
)
def test_request_kwargs(cold: Estimator, provider: str, name: str) -> None:
    """Each provider gets the same ceiling under its own name."""
    found = cold.budget(cold.estimate(["src/a.py", "tests/test_a.py"], None, "low"))
    assert found.request_kwargs(provider) == {name: 8424}
    nobody: list[Any] = ["nobody", None, 3]
    for unknown in nobody:
        with pytest.raises(UsageError, match=rf"provider={unknown!r} .*anthropic"):
            found.request_kwargs(unknown)


@pytest.mark.parametrize("stop_reason", ["max_tokens", "length", "MAX_TOKENS", "max_output_tokens"])
def test_one_larger_ceiling(cold: Estimator, stop_reason: str) -> None:
    """A truncation doubles the ceiling, once."""
    first = cold.budget(cold.estimate(["src/a.py", "tests/test_a.py"], None, "low"))
    second, reason = cold.after_truncation(first, stop_reason)
    assert second is not None
    assert (second.max_tokens, second.is_retry) == (16848, True)
    assert reason == "raised from 8424 to 16848"
    third, reason = cold.after_truncation(second, stop_reason)
    assert third is None
    assert "not raised twice" in reason


def test_a_raised_ceiling_is_explained_as_such(cold: Estimator) -> None:
    """It is twice the one before, and no floor."""
    estimate = cold.estimate(["src/a.py", "tests/test_a.py"], None, "low")
    raised = cold.after_truncation(cold.budget(estimate), "length").budget
    said = cold.explain(estimate, raised)
    assert "max_tokens 16848, raised once after an answer that was cut off" in said
    assert "the ceiling before came from the cold-start floor" in said
    assert "16848 from" not in said


def test_an_input_beyond_the_window_is_explained_as_such(cold: Estimator) -> None:
    """It lowers nothing: 8,424 was not lowered by what allows 16,384."""
    estimate = cold.estimate(["src/a.py", "tests/test_a.py"], None, "low")
    found = cold.budget(estimate, model="gpt-4o", input_tokens=500_000)
    said = cold.explain(estimate, found)
    assert "the model does not take so large an input, or has no room left" in said
    assert (found.max_tokens, "lowered" in said) == (8424, False)


def test_larger_ceiling_is_bounded(cold: Estimator) -> None:
    """The larger ceiling stays within the model, the window and the caller's own limit."""
    estimate = cold.estimate(["src/a.py", "tests/test_a.py"], None, "low")
    for arguments, tokens in (
        ({"model": "gpt-4o"}, 16384),
        ({"model": "gpt-4o", "input_tokens": 116_000}, 12000),
        ({"max_tokens": 10_000}, 10000),
    ):
        found, _ = cold.after_truncation(cold.budget(estimate, **arguments), "length")
        assert found is not None
        assert found.max_tokens == tokens
    most = cold.budget(estimate, model="claude-3-5-haiku-latest")
    found, reason = cold.after_truncation(most, "max_tokens")
    assert found is None
    assert "8192 is the most" in reason


@pytest.mark.parametrize(
    ("stop_reason", "piece"),
    [
        ("model_context_window_exceeded", "context window was full"),
        ("end_turn", "does not say that output was cut off"),
        ("tool_use", "(tool)"),
        ("something_new", "(unknown)"),
        (None, "None"),
    ],
)
def test_refusals(cold: Estimator, stop_reason: str | None, piece: str) -> None:
    """A stop reason that no larger ceiling cures gets none, and the reason why."""
    budget = cold.budget(cold.estimate(["src/a.py"], None, "low"))
    found, reason = cold.after_truncation(budget, stop_reason)
    assert found is None
    assert piece in reason


def test_an_answer_far_below_its_ceiling_was_cut_off_by_something_else(cold: Estimator) -> None:
    """Servers say `length` of a full context window, too; a larger ceiling changes nothing."""
    budget = cold.budget(cold.estimate(["src/a.py"], None, "low"))
    half = budget.max_tokens // 2
    found, reason = cold.after_truncation(budget, "length", output_tokens=half - 1)
    assert found is None
    assert f"{half - 1} tokens are far below the ceiling of {budget.max_tokens}" in reason
    for counted in (half, 0, None):
        assert cold.after_truncation(budget, "length", output_tokens=counted).budget is not None


def test_denied_truncation(cold: Estimator) -> None:
    """Output that reached the ceiling was cut off, whatever the stop reason says."""
    budget = cold.budget(cold.estimate(["src/a.py"], None, "low"))
    found, _ = cold.after_truncation(budget, "stop", output_tokens=budget.max_tokens)
    assert found is not None
    assert found.max_tokens == 2 * budget.max_tokens
    assert cold.after_truncation(budget, "stop", output_tokens=budget.max_tokens - 1)[0] is None
    window = cold.after_truncation(
        budget, "model_context_window_exceeded", output_tokens=budget.max_tokens
    )
    assert window.budget is None


def test_control_calls(warm: Estimator) -> None:
    """A share of the calls gets the most there is, and says so; none by default."""
    estimate = warm.estimate(["src/a.py"], "implementation", "low")
    found = warm.budget(estimate, model="gpt-4o", control_share=1)
    assert (found.max_tokens, found.is_control, found.source) == (16384, True, "control call")
    assert (found.identified, found.clamped_by, found.quantile_rate) == (False, "", None)
    assert warm.budget(estimate, max_tokens=9000, control_share=1).max_tokens == 9000
    drawn = sum(warm.budget(estimate, control_share=0.25).is_control for _ in range(2000))
    assert 400 < drawn < 600  # five standard deviations from 500
    assert not any(warm.budget(estimate).is_control for _ in range(100))


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_truncation": 0},
        {"max_truncation": 1},
        {"max_truncation": float("nan")},
        {"max_truncation": 2},
        {"max_truncation": "0.02"},
        {"max_tokens": 0},
        {"max_tokens": 1.5},
        {"max_tokens": True},
        {"max_tokens": "5"},
        {"input_tokens": -1},
        {"input_tokens": float("inf")},
        {"input_tokens": "5"},
        {"reasoning_tokens": -1},
        {"reasoning_tokens": float("nan")},
        {"reasoning_tokens": None},
        {"control_share": 1.5},
        {"control_share": "all"},
        {"control_share": True},
        {"run_id": ["a"]},
        {"model": 3},
    ],
)
def test_impossible_arguments(cold: Estimator, arguments: dict[str, Any]) -> None:
    """An argument that means nothing is refused by name."""
    with pytest.raises(UsageError, match=next(iter(arguments))):
        cold.budget(cold.estimate(["src/a.py"]), **arguments)


@given(
    files=st.integers(0, 60),
    model=st.sampled_from([None, "gpt-4o", "claude-opus-4-1", "gemini-2.5-pro", "odd"]),
    input_tokens=st.one_of(st.none(), st.integers(0, 2_000_000)),
    max_tokens=st.one_of(st.none(), st.integers(1, 100_000)),
    reasoning_tokens=st.integers(0, 50_000),
)
def test_bounds_hold(
    files: int,
    model: str | None,
    input_tokens: int | None,
    max_tokens: int | None,
    reasoning_tokens: int,
) -> None:
    """At least one token, never above a limit, and nothing lost between the parts."""
    estimator = Estimator.load()
    found = estimator.budget(
        estimator.estimate(["src/a.py"] * files, "integration", "high"),
        model=model,
        input_tokens=input_tokens,
        max_tokens=max_tokens,
        reasoning_tokens=reasoning_tokens,
    )
    assert 1 <= found.max_tokens <= found.limit <= (max_tokens or 65536)
    assert found.visible_tokens + found.reasoning_tokens == found.max_tokens
    assert (found.max_tokens == found.limit) or found.clamped_by in ("", "input_over_window")
