"""What the running process has seen: budgets follow it, within bounds, and nothing breaks by it."""

from __future__ import annotations

import json
import math
import os
import random
import sys
import threading
import tracemalloc
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vintages
from dbt_project import ROOT
from tokenest_py import Estimator
from tokenest_py.runtime.memory import MAX_KEYS, RUN_BOUNDS, Memory, run_bin, turn_bin
from tokenest_py.runtime.quantiles import KNOWN_BOUNDS
from tokenest_py.runtime.table import load

if TYPE_CHECKING:
    from pathlib import Path

    from tokenest_py import Budget

RATE = 0.05
RATES = (0.01, 0.05, 0.2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The table's file."""
    return vintages.write(
        tmp_path, lambda packaged: vintages.still(packaged) + vintages.learned(RATE)
    )


def asked(estimator: Estimator, category: str, model: str | None = None) -> Budget:
    """A budget for 5 %."""
    return estimator.budget(estimator.estimate(None, category), model=model, max_truncation=RATE)


def test_a_category_that_the_table_has_never_seen(path: Path) -> None:
    """100 · e^2: what new ones needed; the model's effect comes on top."""
    estimator = Estimator.load(path, strict=True)
    found = asked(estimator, "new")
    assert (found.max_tokens, found.source, found.n, found.identified) == (
        math.ceil(100 * math.exp(2)), "so far", 40, True,
    )  # fmt: skip
    assert asked(estimator, "new", "m").max_tokens == math.ceil(100 * math.exp(2.1))
    said = estimator.explain(estimator.estimate(None, "new"), found)
    assert "the median of the calls nearest to new/no complexity" in said
    assert f"max_tokens {found.max_tokens} from what new ones needed so far" in said
    assert "5 % truncation, from 40 calls (identified)" in said


def test_a_model_that_the_table_has_never_seen(path: Path) -> None:
    """Six tenths of the way from a new label, 100·e^(0.5 + 1.5), to a new model, 200·e."""
    estimator = Estimator.load(path, strict=True)
    ln_tokens = 0.4 * (math.log(100) + 0.5 + 1.5) + 0.6 * (math.log(200) + 1)
    found = asked(estimator, "chat", "new")
    assert (found.max_tokens, found.source) == (math.ceil(math.exp(ln_tokens)), "so far")


def test_calls_of_something_new_are_learned_from(path: Path) -> None:
    """One call of 800: effect ln(8) / (1 + 3), and one call is known, class 1. Its rate falls."""
    estimator = Estimator.load(path, strict=True)
    estimator.observe(asked(estimator, "new"), output_tokens=700, stop_reason="end_turn")
    moved = 2 * -RATE * 0.5 / math.sqrt(21)  # of all calls, and of the label
    expected = math.log(100) + math.log(7) / 4 + 1.9 + moved
    found = asked(estimator, "new")
    assert found.max_tokens == math.ceil(math.exp(expected))
    estimate = estimator.estimate(None, "new")
    said = estimator.explain(estimate, found)
    assert "from what was seen since" in said
    assert f"{math.exp(math.log(7) / 4 - 0.1 + moved):.3f}" in said
    assert asked(Estimator.load(path, strict=True), "new").seen_factor == 1


def test_what_the_table_says_is_explained_without_reasoning_and_limits(path: Path) -> None:
    """100 * e^2 in the table: room for reasoning is no part of it, and a limit hides it."""
    estimator = Estimator.load(path, strict=True)
    estimator.observe(asked(estimator, "new"), output_tokens=700, stop_reason="end_turn")
    estimate = estimator.estimate(None, "new")
    for reasoning, limit, is_said in ((0, None, True), (5000, None, True), (0, 300, False)):
        found = estimator.budget(
            estimate, max_truncation=RATE, reasoning_tokens=reasoning, max_tokens=limit
        )
        said = estimator.explain(estimate, found)
        assert ("739 from the table, times" in said) == is_said
        assert "from what was seen since" in said


def test_a_truncation_raises_the_rate_of_its_model_and_category_and_of_all(path: Path) -> None:
    """A step is 0.5/sqrt(21 + n) times (cut off - 5 %); a model's own counts from three on."""
    estimator, table, memory = Estimator.load(path, strict=True), load(str(path)), Memory()
    theta = 0.0
    for n in range(4):
        budget = asked(estimator, "chat", "m")
        memory.observe(table, budget, budget.max_tokens, "max_tokens", None)
        theta += 0.5 / math.sqrt(21 + n) * (1 - RATE)
    memory.observe(table, asked(estimator, "chat", "other"), 10, "stop", None)
    others = theta - 0.5 / math.sqrt(25) * RATE
    of_all = others  # all calls are those of the category
    assert memory.online(table, "chat", "m", RATE) == pytest.approx(of_all + theta)
    assert memory.online(table, "chat", "other", RATE) == pytest.approx(of_all + others)
    assert memory.online(table, "chat", None, RATE) == pytest.approx(of_all + others)
    assert memory.online(table, "other", None, RATE) == pytest.approx(of_all)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from(["chat", "new"]), st.sampled_from(["m", "n"]),
            st.sampled_from(RATES), st.booleans(), st.sampled_from(["r", "s", None]),
        ),
        max_size=40,
    ),
    tabled=st.lists(st.floats(-1, 1), min_size=len(RATES), max_size=len(RATES)),
)  # fmt: skip
def test_no_budget_is_below_that_of_a_looser_rate(
    tmp_path: Path, calls: list[tuple[str, str, float, bool, str | None]], tabled: list[float]
) -> None:
    """Whatever was seen at whatever rate, and however the table moves each of them."""
    of_chat = {"labels": {"category": "chat"}, "n": 100}
    rows = [row for rate in RATES for row in vintages.learned(rate)]
    for rate, value in zip(RATES, tabled, strict=True):
        moved = of_chat | {"max_truncation": rate, "value": value}
        rows.append({"kind": "online_rate"} | moved)
        rows.append({"kind": "run_factor", "name": "turn", "position": turn_bin(1)} | moved)
    every = list({json.dumps(row): row for row in rows}.values())
    path = vintages.write(tmp_path, lambda packaged: vintages.still(packaged) + every)
    estimator = Estimator.load(path, strict=True)
    for category, model, rate, is_cut, run in [*calls, ("chat", "m", RATE, True, "r")]:
        estimate = estimator.estimate(None, category)
        found = [
            estimator.budget(estimate, model=model, max_truncation=asked, run_id=run)
            for asked in RATES
        ]
        tokens = [budget.max_tokens for budget in found]
        assert tokens == sorted(tokens, reverse=True)
        budget = found[RATES.index(rate)]
        said = (budget.max_tokens, "length") if is_cut else (7, "stop")
        estimator.observe(budget, output_tokens=said[0], stop_reason=said[1], run_id=run)


def test_a_rate_that_no_call_was_judged_at_is_moved_as_the_nearest(path: Path) -> None:
    """Truncations at 5 % say that needs grew, and 1 % is asked to be safer still."""
    table, memory = load(str(path)), Memory()
    budget = asked(Estimator.load(path, strict=True), "chat")
    memory.observe(table, budget, budget.max_tokens, "length", None)
    moved = 2 * (1 - RATE) * 0.5 / math.sqrt(21)
    assert memory.online(table, "chat", None, RATE) == pytest.approx(moved)
    assert memory.online(table, "chat", None, 0.01) == pytest.approx(moved)


def test_what_no_quantile_sized_moves_no_rate(path: Path) -> None:
    """Floors, control calls, the caller's own ceilings, retries and full context windows."""
    estimator, table, memory = Estimator.load(path, strict=True), load(str(path)), Memory()
    estimate = estimator.estimate(None, "chat")
    good = estimator.budget(estimate, max_truncation=RATE)
    clamped = estimator.budget(estimate, max_truncation=RATE, max_tokens=20)
    control = estimator.budget(estimate, max_truncation=RATE, control_share=1)
    retry = good._replace(is_retry=True)
    floor = Estimator.load().budget(estimate)
    for budget in (clamped, control, retry, floor):
        memory.observe(table, budget, budget.max_tokens, "length", None)
    memory.observe(table, good, 5, "model_context_window_exceeded", None)
    memory.observe(table, good, good.max_tokens // 2 - 1, "length", None)
    memory.observe(table, good, 5, "a word of no list", None)
    assert memory.online(table, "chat", None, RATE) == 0


def test_without_memory_the_table_alone_answers(path: Path) -> None:
    """memory=False: nothing is kept."""
    estimator = Estimator.load(path, strict=True, memory=False)
    before = asked(estimator, "new")
    estimator.observe(before, output_tokens=50_000, stop_reason="length")
    assert asked(estimator, "new") == before


def test_a_newer_table_begins_anew(path: Path) -> None:
    """What was seen is in the newer table already: its rates and effects start as it has them."""
    estimator = Estimator.load(path, strict=True, reload_after=0.0)
    budget = asked(estimator, "chat")
    estimator.observe(budget, output_tokens=budget.max_tokens, stop_reason="length")
    assert asked(estimator, "chat").max_tokens > budget.max_tokens
    moved = {"kind": "online_rate", "labels": {"category": "chat"}, "max_truncation": RATE}
    changed = [
        *vintages.still(vintages.packaged_rows()),
        *vintages.learned(RATE),
        moved | {"value": 0.25, "n": 100},
    ]
    path.write_bytes(vintages.encode(changed))
    found = asked(estimator, "chat")
    assert found.max_tokens == math.ceil(900 * math.exp(0.25))
    assert found.seen_factor == 1


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tokens=st.one_of(st.none(), st.integers(-5, 10**12), st.floats(), st.text()),
    reason=st.one_of(st.none(), st.integers(), st.text(), st.binary()),
    run=st.one_of(st.none(), st.integers(), st.lists(st.integers())),
)
def test_it_never_raises(path: Path, tokens: Any, reason: Any, run: Any) -> None:  # noqa: ANN401
    """Whatever is handed over; and budgets stay whole numbers within their bounds."""
    estimator = Estimator.load(path, strict=True)
    for budget in (asked(estimator, "chat", "m"), None):
        estimator.observe(budget, output_tokens=tokens, stop_reason=reason, run_id=run)
    assert 1 < asked(estimator, "chat", "m").max_tokens <= 64_000


class Hostile:
    """A number that is none, with an error that nobody knows."""

    def __index__(self) -> int:
        """Raise."""
        raise Exception("no number")  # noqa: TRY002 (what no list of errors holds)


def test_an_unknown_error_harms_no_call(path: Path) -> None:
    """It is counted, and the next budget is what it was."""
    estimator = Estimator.load(path, strict=True)
    before = asked(estimator, "chat", "m")
    hostile: Any = Hostile()
    estimator.observe(before, output_tokens=hostile, stop_reason="stop")
    assert asked(estimator, "chat", "m") == before


@pytest.mark.parametrize("rate", [0.05, 0.02, 0.01])
def test_the_rate_comes_back_after_a_change(tmp_path: Path, rate: float) -> None:
    """All needs grow by 1.6 at once: the table alone cuts off three times its rate for ever."""
    budget = math.ceil(1000 * math.exp(0.5 * NormalDist().inv_cdf(1 - rate)))
    rows = [vintages.budget(rate, budget, n=500, confidence=0.9, category="chat")]
    online = [
        {"kind": "constant", "name": name, "value": value}
        for name, value in vintages.SO_FAR.items()
    ]
    path = vintages.write(tmp_path, lambda packaged: vintages.still(packaged) + online + rows)
    chance = random.Random(5)
    needs = [round(1600 * chance.lognormvariate(0, 0.5)) for _ in range(8000)]
    cut_off = {}
    for memory in (True, False):
        estimator = Estimator.load(path, strict=True, memory=memory)
        estimate = estimator.estimate(None, "chat")
        cuts = []
        for need in needs:
            sized = estimator.budget(estimate, max_truncation=rate)
            cut = need > sized.max_tokens
            cuts.append(cut)
            estimator.observe(
                sized,
                output_tokens=min(need, sized.max_tokens),
                stop_reason="length" if cut else "stop",
            )
        cut_off[memory] = sum(cuts[2000:]) / 6000
    # what the steps allow beside the rate: ln(1.6) and one wide swing, over 6,000 steps of 0.04
    assert cut_off[True] == pytest.approx(rate, abs=0.005)
    assert cut_off[False] > 3 * rate


def test_it_is_bounded(path: Path) -> None:
    """Ten times as many labels, models and runs as are kept: below 4 MB."""
    estimator = Estimator.load(path, strict=True)
    budget = asked(estimator, "chat", "m")
    estimate = estimator.estimate(None, "chat")
    tracemalloc.start()
    for number in range(10 * MAX_KEYS):
        cell = (f"category {number}", None, f"model {number}")
        estimator.observe(
            budget._replace(cell=cell), output_tokens=50, run_id=f"a run with a long name {number}"
        )
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 4_000_000
    assert estimator.budget(estimate, max_truncation=RATE).max_tokens > 1


def test_threads_lose_nothing(path: Path) -> None:
    """Eight threads of 500 calls: 4,000 are counted."""
    estimator, table, memory = Estimator.load(path, strict=True), load(str(path)), Memory()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work() -> None:
        for _ in range(500):
            memory.observe(table, asked(estimator, "chat", "m"), 50, "stop", "run")

    try:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert memory.observed == 4000


def test_a_child_of_a_fork_goes_on(path: Path) -> None:
    """The lock may be held when the process forks; the child has one of its own."""
    estimator, table, memory = Estimator.load(path, strict=True), load(str(path)), Memory()
    with memory.lock:
        child = os.fork()
        if child == 0:
            memory.observe(table, asked(estimator, "chat"), 50, "stop", "run")
            os._exit(0 if memory.observed == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_classes_are_those_of_the_sql() -> None:
    """The macro known_bounds has the first number of each class."""
    text = (ROOT / "macros/formulas/so_far.sql").read_text(encoding="utf-8")
    assert f"return({[math.ceil(bound) for bound in KNOWN_BOUNDS]})" in text


def test_a_run_moves_its_own_next_budget(tmp_path: Path) -> None:
    """The call before lay e^0.5 above its median, class 6: times e^0.3; it was the first: e^0.1."""
    factor = {"kind": "run_factor", "labels": {"category": "chat"}, "max_truncation": RATE, "n": 9}
    factors = [
        factor | {"name": "same", "position": 6, "value": 0.3},
        factor | {"name": "same", "position": 9, "value": -0.2},
        factor | {"name": "turn", "position": 2, "value": 0.1},
    ]
    changed = vintages.write(
        tmp_path, lambda packaged: vintages.still(packaged) + vintages.learned(RATE) + factors
    )
    estimator = Estimator.load(changed, strict=True)

    def sized(run: str | None) -> float:
        estimate = estimator.estimate(None, "chat")
        found = estimator.budget(estimate, max_truncation=RATE, run_id=run)
        return math.log(found.max_tokens)

    known = sized(None)
    assert known == pytest.approx(math.log(900))
    assert sized("a") == known
    retry = asked(estimator, "chat")._replace(is_retry=True, max_tokens=5000)
    estimator.observe(asked(estimator, "chat"), output_tokens=330, run_id="a")
    estimator.observe(retry, output_tokens=330, stop_reason="stop", run_id="a")
    since = sized(None)
    assert sized("a") == pytest.approx(since + 0.4, abs=2e-3)
    assert sized("b") == since


@pytest.mark.parametrize(
    ("ln_above", "class_"),
    [(None, 9), (-1.2, 0), (-1.19, 1), (0.0, 4), (0.15, 4), (0.16, 5), (1.2, 7), (1.3, 8)],
)
def test_classes_of_the_call_before(ln_above: float | None, class_: int) -> None:
    """The bounds are those of the macro run_bin."""
    assert run_bin(ln_above) == class_
    text = (ROOT / "macros/formulas/runs.sql").read_text(encoding="utf-8")
    assert f"for bound in {list(RUN_BOUNDS)}" in text


def test_classes_of_turns() -> None:
    """Two to each doubling of 1 + the calls before."""
    assert [turn_bin(calls) for calls in (0, 1, 2, 3, 7, 10_000)] == [0, 2, 3, 4, 6, 12]
