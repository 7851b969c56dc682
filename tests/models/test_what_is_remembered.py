"""What a running process makes of its calls is what the build computes from their telemetry."""

from __future__ import annotations

import json
import math
import random
from collections import Counter, defaultdict
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest

import vintages
from dbt_project import Project
from generated_calls import Call, new_models, observe, record, size
from tokenest_py import Estimator
from tokenest_py.runtime.memory import Memory
from tokenest_py.runtime.table import Coefficients, load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

CALLS = 1500
JUDGED = 700
CATEGORIES = {"route": 40, "extract": 120, "chat": 350, "write": 2000}
MODELS = {"plain": 1.0, "short": 0.6, "long": 1.8}
LIMITS = {"short": (300, None)}  # so that some ceilings are lowered
LEVELS = ("category", "complexity", "estimate_bin", "model", "input_bin")
ASKED = [0.0005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.3]
# a class of each feature leaves digits of its own in the sum that moves a budget
DIGITS = {"same": 0.0001, "any": 0.01, "turn": 1.0}


def calls(count: int, seed: int, first: int = 0) -> list[Call]:
    """Calls of runs that are alike, of four categories and three models."""
    chance = random.Random(seed)
    found: list[Call] = []
    while len(found) < count:
        run, like = f"run-{first + len(found)}", chance.gauss(0, 0.5)
        for _ in range(chance.randint(1, 9)):
            category, model = chance.choice(list(CATEGORIES)), chance.choice(list(MODELS))
            middle = math.log(CATEGORIES[category] * MODELS[model]) + like
            found.append(
                Call(
                    first + len(found),
                    run,
                    category,
                    max(1, round(chance.lognormvariate(middle, 0.4))),
                    complexity="low",
                    model=model,
                    input_tokens=chance.choice([None, 900, 5000]),
                )
            )
    return found[:count]


class Built:
    """A build over calls that no ceiling cut off."""

    def __init__(self, folder: Path) -> None:
        """Build."""
        self.project = Project(folder)
        self.calls = calls(CALLS, 1)
        self.records = [record(call) for call in self.calls]
        self.build()

    def build(self) -> None:
        """Build over the records so far."""
        text = "".join(json.dumps(found) + "\n" for found in self.records)
        self.project.telemetry().write_text(text, encoding="utf-8")
        self.project.build("coefficients")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The build that all tests look at; the last of them builds again."""
    return Built(tmp_path_factory.mktemp("remembered"))


def forgetful(built: Built, folder: Path) -> Coefficients:
    """The exported table as it was before its calls, and factors of runs that say their class."""
    lines = built.project.coefficients.read_text(encoding="utf-8").splitlines()[1:]
    rows = [json.loads(line) for line in lines]
    kept = [row for row in rows if row["kind"] not in ("so_far", "run_factor")]
    classes = [
        {
            "kind": "run_factor", "name": feature, "labels": {"category": category},
            "position": class_, "max_truncation": 0.05, "value": digit * class_, "n": 9,
        }
        for feature, digit in DIGITS.items()
        for category in CATEGORIES
        for class_ in range(13 if feature == "turn" else 10)
    ]  # fmt: skip
    path = folder / "forgetful.ndjson"
    path.write_bytes(vintages.encode(kept + classes, LEVELS))
    return load(str(path))


def test_effects_and_classes_of_runs(built: Built, tmp_path: Path) -> None:
    """Call by call: what is known of each label and model, and the classes of each run."""
    table, memory = forgetful(built, tmp_path), Memory()
    any_budget = Estimator.load().budget(Estimator.load().estimate())
    found = {}
    for call in built.calls:
        classes = memory.run_classes(call.category, call.run_id)
        moved = table.run_moves(call.category, classes).get(0.05, 0.0)
        found[f"call-{call.number:07}"] = moved
        cell = table.cell({"category": call.category, "complexity": "low", "model": call.model})
        memory.observe(table, any_budget._replace(cell=cell), call.need, "end_turn", call.run_id)
    expected = {
        call_id: sum(digit * class_ for digit, class_ in zip(DIGITS.values(), classes, strict=True))
        if classes[-1]
        else 0.0  # the first call of its run
        for call_id, *classes in built.project.rows(
            "select distinct call_id, same_bin, any_bin, turn_bin from intermediate.int_run_calls"
        )
    }
    assert found == pytest.approx(expected, abs=1e-9)
    effects = built.project.rows(
        "select subject, name, ln_effect, n_known from intermediate.int_so_far"
    )
    assert len(effects) == len(CATEGORIES) + len(MODELS)
    for subject, name, ln_effect, n_known in effects:
        key = (name, None) if subject == "label" else (None, name)
        assert memory.so_far(key) == pytest.approx((ln_effect, n_known), abs=1e-6)


def test_estimates_without_deliverables_are_the_medians(built: Built) -> None:
    """Of every exported cell, with the ends of its range."""
    estimator = Estimator.load(built.project.coefficients, strict=True)
    sizes = {39: 900, 49: 5000, None: None}
    rows = built.project.rows(
        "select category, complexity, model, input_bin, low_tokens, median_tokens, high_tokens"
        " from intermediate.int_cell_medians where is_exported"
    )
    assert len(rows) > 15
    for category, complexity, model, bin_, low, median, high in rows:
        found = estimator.estimate(
            None, category, complexity, model=model, input_tokens=sizes[bin_]
        )
        assert (found.low, found.estimated_tokens, found.high) == (
            math.floor(min(low, median)), max(1, round(median)), math.ceil(max(high, median)),
        )  # fmt: skip


def test_the_same_calls_are_judged_at_the_same_rates(built: Built) -> None:
    """Not floors, control calls, ceilings that something lowered, retries, nor odd ends."""
    path = built.project.coefficients
    estimator = Estimator.load(path, strict=True, limits=LIMITS)
    table, memory, chance = load(str(path)), Memory(), random.Random(7)
    judged: Counter[tuple[str, float]] = Counter()
    cut_off: Counter[tuple[str, float]] = Counter()
    sources = set()
    for drawn in calls(JUDGED, 2, CALLS):
        other = chance.choice([{}, {}, {"category": "new"}, {"complexity": "high", "model": None}])
        call = replace(drawn, attempt=1, **other)
        options = chance.choice([{}, {}, {}, {"control_share": 1}, {"max_tokens": 200}])
        rate = chance.choice(ASKED)
        end = chance.choice(["", "", "", "filtered", "window", "failed", "odd"])
        estimate = estimator.estimate(None, call.category, call.complexity)
        budget = estimator.budget(estimate, model=call.model, max_truncation=rate, **options)
        sources.add(budget.source)
        found = record(call, budget)
        odd: dict[str, dict[str, Any]] = {
            "filtered": {"stop_reason": "content_filter", "success": False},
            "window": {"stop_reason": "model_context_window_exceeded", "success": False},
            "failed": {"success": False} if not found["truncated"] else {},
            "odd": {"stop_reason": "of no list"},
        }
        found |= odd.get(end, {})
        built.records.append(found)
        if end == "failed" and not found["truncated"]:
            continue  # nobody tells a process of an error
        before = memory.online(table, call.category, None, budget.quantile_rate or rate)
        memory.observe(
            table, budget, found["actual_output_tokens"], found["stop_reason"], call.run_id
        )
        if memory.online(table, call.category, None, budget.quantile_rate or rate) != before:
            key = call.category, budget.quantile_rate or rate
            judged[key] += 1
            cut_off[key] += found["truncated"]
        if found["truncated"] and not end:
            again, _ = estimator.after_truncation(budget, "max_tokens")
            if again:
                retry = replace(call, attempt=2)
                built.records.append(record(retry, again) | {"event_id": f"again-{call.number}"})
                memory.observe(table, again, call.need, "end_turn", call.run_id)
    assert sources == {
        "quantile cell", "parent", "so far", "cold-start floor", "control call", "explicit clamp",
    }  # fmt: skip
    built.build()
    rows = built.project.rows(
        "select top_label, max_truncation, n_calls, n_truncated"
        " from intermediate.int_online_rates where model is null"
    )
    assert {(label, rate): n for label, rate, n, _ in rows} == dict(judged)
    assert {(label, rate): n for label, rate, _, n in rows} == {key: cut_off[key] for key in judged}
    assert sum(judged.values()) > 100
    assert sum(cut_off.values()) > 5


def test_new_models_keep_the_rate(tmp_path: Path) -> None:
    """Models that come after the table: with what is observed 5 %, and at most 10 % of any one."""
    drawn = new_models(5000, seed=8)
    project = Project(tmp_path)
    text = "".join(json.dumps(record(call)) + "\n" for call in drawn[:3000])
    project.telemetry().write_text(text, encoding="utf-8")
    project.build("coefficients")
    known = {call.model for call in drawn[:3000]}
    judges = [call for call in drawn[3000:] if call.model not in known]
    estimator = Estimator.load(project.coefficients, strict=True)
    cut_off: dict[str | None, list[bool]] = defaultdict(list)
    for call in judges:
        budget = size(estimator, call, 0.05)
        cut_off[call.model].append(call.need > budget.max_tokens)
        observe(estimator, call, budget)
    assert len(judges) > 900
    assert sum(map(sum, cut_off.values())) / len(judges) == pytest.approx(0.05, abs=0.02)
    shares = [fmean(cut) for cut in cut_off.values() if len(cut) >= 100]
    assert len(shares) >= 3
    assert max(shares) < 0.1
