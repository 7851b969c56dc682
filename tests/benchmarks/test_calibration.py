"""The benchmark's calls, peers and scores, worked by hand: a wrong yardstick proves nothing."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import generated_calls
from calibration_peers import moving_average, running_p95
from calibration_scores import (
    Page,
    Score,
    clusters,
    factor,
    mean_distance,
    mean_ratio,
    pinball,
)
from generated_calls import Call, cold_start, judged, record, size
from tokenest_py import Estimator

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenest_py import Budget

LAWS = [
    generated_calls.by_files,
    generated_calls.steady,
    generated_calls.new_tenants,
    generated_calls.new_models,
    generated_calls.drift,
]


def call(need: int, number: int = 0, **fields: object) -> Call:
    """A call of one category, with the given fields changed."""
    given = {"number": number, "run_id": "r", "category": "chat", "need": need}
    return Call(**(given | fields))


@pytest.mark.parametrize("law", LAWS)
def test_a_seed_fixes_the_calls(law: Callable[..., list[Call]]) -> None:
    """The same seed draws the same calls, another one others, in order of time."""
    found = law(300, 5)
    assert found == law(300, 5)
    assert found != law(300, 6)
    assert len(found) == 300
    assert [one.occurred_at for one in found] == sorted(one.occurred_at for one in found)


@pytest.mark.parametrize(("project", "tokens"), [("atlas", 700), ("birch", 700), ("cedar", 1400)])
def test_a_file_takes_700_tokens(project: str, tokens: int) -> None:
    """And 1,400 in the project that writes twice as much, however many files there are."""
    for count in generated_calls.FILES:
        needs = [
            one.need / len(one.deliverables)
            for one in generated_calls.by_files(12_000)
            if one.labels["project"] == project and len(one.deliverables) == count
        ]
        # the median of 1,000 draws with a spread of 0.4 is known to 1.6 %
        assert statistics.median(needs) == pytest.approx(tokens, rel=0.07)


def test_tenants_and_models_come_later() -> None:
    """Some of what the last 40 % hold has never occurred in the first 60 %."""
    for found, key in (
        (generated_calls.new_tenants(5000), "category"),
        (generated_calls.new_models(5000), "model"),
    ):
        known = {getattr(one, key) for one in found[:3000]}
        late = [one for one in found[3000:] if getattr(one, key) not in known]
        assert len(late) >= 50


def test_needs_grow_at_the_jump() -> None:
    """By 1.6 against the same draws without it, and not before."""
    without, found = generated_calls.drift(1000, jump=1.0), generated_calls.drift(1000)
    ratios = [b.need / a.need for a, b in zip(without, found, strict=True) if a.need > 200]
    assert set(ratios[:300]) == {1.0}
    assert statistics.median(ratios[-200:]) == pytest.approx(1.6, rel=0.01)


def test_a_record_is_cut_off_at_its_budget() -> None:
    """Telemetry sees the ceiling where the call needed more, and what it was asked for."""
    budget = size(Estimator.load(), call(10), 0.05)._replace(max_tokens=100)
    whole, cut = record(call(100), budget), record(call(101), budget)
    assert (whole["actual_output_tokens"], whole["truncated"], whole["success"]) == (
        100,
        False,
        True,
    )
    assert (cut["actual_output_tokens"], cut["truncated"], cut["success"]) == (100, True, False)
    assert cut["stop_reason"] == "max_tokens"
    assert cut["actual_max_tokens"] == cut["selected_budget"] == 100
    assert cut["budget_source"] == "cold-start floor"
    assert "actual_max_tokens" not in record(call(101))


def test_the_moving_average_sees_the_ceiling() -> None:
    """10 % of the way each call; of a call that is cut off it sees three times the average."""
    found = moving_average([call(100)], [call(200), call(1000), call(1)], floor=1)
    # 100; after 200: 110; after 1000 cut off at 330: 132
    assert found == pytest.approx([300, 330, 396])
    assert moving_average([call(100)], [call(200)], floor=8192) == [8192]
    assert moving_average([], [call(1)], floor=1) == [32_000]
    new_model = [call(1, model="new")]
    assert moving_average([call(50, model="old")], new_model, floor=1) == [150]


def test_the_running_p95_sees_the_ceiling() -> None:
    """The smallest value that 95 % do not exceed; a new category starts at that of all."""
    train = [call(need) for need in range(1, 41)]
    # the 38th of 40; once 1,000 is cut off at 38, the 39th of 41, which is 38 again
    assert running_p95(train, [call(1000), call(1)]) == [38, 38]
    assert running_p95(train, [call(1, category="new"), call(1, category="new")]) == [38, 1]


def test_a_score_by_hand() -> None:
    """Two of four cut off, in one run of two."""
    found = [call(need, run_id=run) for need, run in ((10, "a"), (30, "a"), (50, "b"), (5, "b"))]
    score = Score.of(found, [20, 20, 20, 20], 0.1)
    assert score.truncation == 0.5
    assert score.reserved == pytest.approx(80 / 95)
    # spare: 0.1 x 10 and 0.1 x 15; missing: 0.9 x 10 and 0.9 x 30
    assert score.loss == pytest.approx((1 + 1.5 + 9 + 27) / 4)
    assert math.isnan(score.worst)
    assert score.against(score) == (1.0, 0.0)
    double = Score.of(found, [20, 20, 20, 20], 0.2)
    assert score.against(double)[0] == pytest.approx(38.5 / (2 + 3 + 8 + 24))


def test_calls_of_one_run_count_once() -> None:
    """40 runs of five equal calls: the error is that of 40 calls, not of 200."""
    found = [call(10 if run % 2 else 30, run_id=f"r{run}") for run in range(40) for _ in range(5)]
    score = Score.of(found, [20] * 200, 0.05)
    assert score.error == pytest.approx(math.sqrt(0.25 / 40))
    apart = [replace(one, run_id=f"r{place}") for place, one in enumerate(found)]
    assert Score.of(apart, [20] * 200, 0.05).error == pytest.approx(math.sqrt(0.25 / 200))


def test_means_over_sets_have_errors_too() -> None:
    """Of independent sets: the root of the squares over their number; ratios in logarithms."""
    alike = [call(10 if run % 2 else 30, run_id=f"r{run}") for run in range(40)]
    never = [call(10, run_id=f"r{run}") for run in range(40)]
    one, other = Score.of(alike, [20] * 40, 0.05), Score.of(never, [20] * 40, 0.05)
    distance, error = mean_distance([one, other])
    assert distance == pytest.approx((0.45 + 0.05) / 2)
    assert error == pytest.approx(math.sqrt(0.25 / 40) / 2)
    twice = Score.of(alike, [40] * 40, 0.05)
    # losses 0.5 and 9.5 of one, 1.5 and 0.5 of the other: 5 / 1; and the same set twice is 1
    assert one.against(twice)[0] == pytest.approx(5)
    ratio, error = mean_ratio([(one, twice), (other, other)])
    assert ratio == pytest.approx(math.sqrt(5))
    assert error == pytest.approx(math.sqrt(5) * one.against(twice)[1] / 5 / 2)
    assert error > 0


def test_a_set_of_one_run_is_cut_into_blocks() -> None:
    """50 calls a block."""
    assert np.bincount(clusters([call(1)] * 120)).tolist() == [50, 50, 20]


def test_the_worst_group_has_a_hundred_calls() -> None:
    """99 calls that are all cut off are too few to count."""
    small = [call(100, category="small")] * 99
    large = [call(100 if place < 20 else 1, category="large") for place in range(100)]
    assert Score.of(small + large, [50] * 199, 0.05).worst == pytest.approx(0.2)
    assert Score.of([*small, small[0], *large], [50] * 200, 0.05).worst == 1.0


def test_factor_and_pinball() -> None:
    """Twice too high and twice too low are the same factor."""
    assert factor([100, 100, 100], [50, 200, 100]) == pytest.approx(2)
    assert pinball(np.array([10.0, 30]), np.array([20.0, 20]), 0.05).tolist() == [0.5, 9.5]


def test_the_loop_starts_from_nothing() -> None:
    """Each round calibrates on all records so far, which ran under the tables before."""
    given: list[list[dict[str, Any]]] = []

    def calibrate(records: list[dict[str, Any]]) -> Estimator:
        given.append(list(records))
        return Estimator.load()

    rounds = list(cold_start(calibrate, rounds=(20, 50), judges=100))
    assert [found.calls for found in rounds] == [len(records) for records in given] == [20, 50]
    assert {one["budget_source"] for one in given[1]} == {"cold-start floor"}
    fresh = generated_calls.steady(100, 1_000_001)
    assert rounds[0].truncated == judged(Estimator.load(), fresh).truncated


def test_goals_can_be_missed(capsys: pytest.CaptureFixture[str]) -> None:
    """A goal that is missed is said, and the verdict is that not all are met."""
    page = Page(is_markdown=True)
    page.goal("low enough", 1.0, most=1.0)
    assert page.verdict()
    page.goal("too low", 0.9, most=2.0, least=1.0)
    page.goal("too high", 2.1, most=2.0)
    assert not page.verdict()
    last = capsys.readouterr().out.splitlines()[-2:]
    assert [line.split("|")[1].strip() for line in last] == ["too low", "too high"]
    assert all("MISSED" in line for line in last)


def test_a_table_is_text_or_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns are aligned in both, and figures stand to the right."""
    for is_markdown in (False, True):
        Page(is_markdown).table("Title", ["name", "figure"], [["a", "1.0"]])
    text, markdown = capsys.readouterr().out.split("\nTitle\n")[1:]
    assert text == "name  figure\na        1.0\n"
    assert markdown == "\n| name | figure |\n| --- | ---: |\n| a    |    1.0 |\n"


def test_what_is_observed_comes_after_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop with memory tells each outcome at once: the ceiling where the call was cut off."""
    told: list[tuple[int, int, str, str]] = []

    def observe(
        _: Estimator, budget: Budget, *, output_tokens: int, stop_reason: str, run_id: str
    ) -> None:
        told.append((budget.max_tokens, output_tokens, stop_reason, run_id))

    monkeypatch.setattr(Estimator, "observe", observe, raising=False)
    long = [call(10**9, number, run_id=f"r{number}") for number in range(3)]
    for memory in (False, True):
        list(
            cold_start(
                lambda _: Estimator.load(), lambda *_: long, rounds=(3,), judges=3, memory=memory
            )
        )
        assert len(told) == (3 if memory else 0)
    assert [run for *_, run in told] == ["r0", "r1", "r2"]
    assert all(ceiling == output for ceiling, output, *_ in told)
    assert {reason for *_, reason, _ in told} == {"max_tokens"}
