"""Gates on the very bytes: what passes them is harmless to the calls that were recorded."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vintages
from tokenest_py.errors import CoefficientsError
from tokenest_py.pipeline.calibration.backtest import Call, budgets_by
from tokenest_py.pipeline.calibration.gates import (
    change_gate,
    mended_categories,
    replay_gates,
    rules_gate,
)
from tokenest_py.pipeline.calibration.scoring import lost_quantiles, replay, wilson
from tokenest_py.pipeline.calibration.tables import Table, changes, stamped, table_of
from tokenest_py.runtime.estimator import Estimator
from tokenest_py.runtime.table.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Rows = list[dict[str, Any]]

RATES = (0.02, 0.05, 0.1)
COUNT = 600
START = datetime(2026, 1, 1, tzinfo=UTC)
MOST_UP, MOST_DOWN = 2.0, 0.7
CENTRES = {"judge": 60, "documentation": 1500, "testing": 400}


@cache
def calls() -> tuple[Call, ...]:
    """Calls of three categories, one in fifty cut off at a ceiling that is far away."""
    chance = random.Random(11)
    made = []
    for number in range(COUNT):
        category, centre = chance.choice(list(CENTRES.items()))
        need = max(1, round(centre * chance.lognormvariate(0, 0.5)))
        made.append(
            Call(
                call_id=f"c{number}", occurred_at=START + timedelta(minutes=number),
                category=category, complexity="low", labels=None, model="some-model",
                input_tokens=1000, deliverables=["src/a.py"] if number % 2 else [],
                predicted_output_tokens=centre, demand_tokens=need, is_observed=number % 50 != 0,
            )
        )  # fmt: skip
    return tuple(made)


@cache
def honest() -> Table:
    """The packaged rules with the quantiles of these calls: of all, and of each category."""
    rows = vintages.packaged_rows()
    for category in (None, *CENTRES):
        needs = sorted(c.demand_tokens for c in calls() if category in (None, c.category))
        for rate in RATES:
            cell = {} if category is None else {"category": category, "complexity": "low"}
            tokens = needs[min(len(needs) - 1, int(len(needs) * (1 - rate)) + 1)]
            rows.append(
                vintages.budget(rate, tokens, n=len(needs), confidence=0.9, method="m", **cell)
            )
    rows.append({"kind": "multiplier", "value": 0.8, "n": 600, "confidence": 0.9, "method": "m"})
    rows.append({"kind": "multiplier_low", "value": 0.5, "n": 600, "confidence": 0.9,
                 "method": "m"})  # fmt: skip
    rows.append({"kind": "multiplier_high", "value": 1.5, "n": 600, "confidence": 0.9,
                 "method": "m"})  # fmt: skip
    return table_of(vintages.encode(rows), "honest")


@cache
def packaged() -> Table:
    """The packaged table."""
    return table_of(vintages.encode(vintages.packaged_rows()), "packaged")


def honest_rows() -> Rows:
    """A copy of the honest table's rows."""
    return [dict(row) for row in honest().rows.values()]


def refused(proposed: Table, *, allow_rules: bool = False) -> set[str]:
    """The names of the gates that a table fails in place of the honest one."""
    present, ours = (replay(table, calls(), RATES) for table in (honest(), proposed))
    gates = [
        change_gate(changes(honest(), proposed), most_up=MOST_UP, most_down=MOST_DOWN),
        rules_gate(proposed, honest(), packaged(), allowed=allow_rules),
        *replay_gates(present, ours, most_up=MOST_UP),
    ]
    return {gate.name for gate in gates if not gate.passes}


def harm(path: Path, data: bytes) -> str:
    """What a file does to the calls, counted apart from the gates; empty when nothing."""
    path.write_bytes(data)
    theirs = path.with_name("honest.ndjson")
    theirs.write_bytes(honest().data)
    new, old = Estimator.load(path, strict=True), Estimator.load(theirs, strict=True)
    for rate in RATES:
        cut, reserved, before = 0, 0, 0
        for call in calls():
            sized = [
                e.budget(e.estimate(call.deliverables, call.category, call.complexity),
                         model=call.model, input_tokens=call.input_tokens, max_truncation=rate)
                for e in (new, old)
            ]  # fmt: skip
            cut += call.demand_tokens > sized[0].max_tokens
            reserved, before = reserved + sized[0].max_tokens, before + sized[1].max_tokens
        if cut / COUNT > rate + 3 * (rate * (1 - rate) / COUNT) ** 0.5:
            return f"{cut} of {COUNT} cut off at {rate}"
        if reserved > (MOST_UP + 0.1) * before:
            return f"{reserved} tokens reserved at {rate}, {before} before"
    return ""


def changed(rows: Rows, kind: str, change: Callable[[dict[str, Any]], None]) -> Table:
    """The rows with one kind changed, as a table with a right hash."""
    for row in rows:
        if row["kind"] == kind:
            change(row)
    return table_of(vintages.encode(rows), "changed")


def test_the_honest_table_passes(tmp_path: Path) -> None:
    """In place of itself and of the packaged table; and it does no harm."""
    assert refused(honest()) == set()
    assert harm(tmp_path / "t.ndjson", honest().data) == ""
    present, ours = (replay(table, calls(), RATES) for table in (packaged(), honest()))
    gates = replay_gates(present, ours, most_up=MOST_UP)
    assert [gate for gate in gates if not gate.passes] == []


def test_a_table_that_mends_one_that_breaks_its_promise() -> None:
    """After a drift calls of before are in its quantiles: it cuts off too much, and less."""

    def third(row: dict[str, Any]) -> None:
        row["value"] //= 3

    def half(row: dict[str, Any]) -> None:
        row["value"] //= 2

    old = changed(honest_rows(), "budget", third)
    new = changed(honest_rows(), "budget", half)
    present, ours = (replay(table, calls(), RATES) for table in (old, new))
    assert {g.name for g in replay_gates(present, ours, most_up=MOST_UP) if not g.passes} == set()
    assert "judge" in mended_categories(present, ours)
    failed = {g.name for g in replay_gates(ours, present, most_up=MOST_UP) if not g.passes}
    assert failed >= {"truncation"}
    assert mended_categories(ours, present) == mended_categories(ours, ours) == set()
    same = {g.name for g in replay_gates(ours, ours, most_up=MOST_UP) if not g.passes}
    assert same == {"truncation"}


def test_what_the_present_table_cut_off_does_not_speak_for_it(tmp_path: Path) -> None:
    """All need three times as much: those that still ended by themselves are the short ones."""

    def double(row: dict[str, Any]) -> None:
        row["value"] *= 2

    path = tmp_path / "t.ndjson"
    path.write_bytes(honest().data)
    sent = budgets_by(Estimator.load(path, strict=True))
    now = []
    for call in calls():
        need, ceiling = 3 * call.demand_tokens, sent(call, 0.05).max_tokens
        now.append(replace(call, demand_tokens=min(need, ceiling), is_observed=need <= ceiling))
    wider = changed(honest_rows(), "budget", double)
    present, ours = (replay(table, now, RATES) for table in (honest(), wider))
    gates = {gate.name: gate for gate in replay_gates(present, ours, most_up=MOST_UP)}
    assert {name for name, gate in gates.items() if not gate.passes} == set()
    assert gates["loss"].figure == "-"
    assert present.overall(0.02).n_truncated == 0  # its ceiling lies above all that was cut off
    assert mended_categories(present, ours) == {"all", *CENTRES}
    assert mended_categories(ours, present) == set()


def test_every_limit_is_one(tmp_path: Path) -> None:
    """Fault 1: a limit that clamps every answer. With every gate of rows told to let it pass."""

    def clamp(row: dict[str, Any]) -> None:
        if row["name"] in {"max_budget", "min_budget"}:
            row["value"] = 1

    attack = changed(honest_rows(), "constant", clamp)
    assert change_gate(changes(honest(), attack), most_up=MOST_UP, most_down=MOST_DOWN).passes
    assert refused(attack, allow_rules=True) == {"truncation", "loss"}
    assert "rules" in refused(attack)
    assert "cut off" in harm(tmp_path / "t.ndjson", attack.data)


def test_every_limit_is_a_million(tmp_path: Path) -> None:
    """The other way: nothing is cut off, and a hundred times as much is reserved."""

    def raise_it(row: dict[str, Any]) -> None:
        if row["name"] == "min_budget":
            row["value"] = 100_000

    attack = changed(honest_rows(), "constant", raise_it)
    assert refused(attack, allow_rules=True) == {"reserve", "loss"}
    assert "reserved" in harm(tmp_path / "t.ndjson", attack.data)


def test_limits_of_models_are_rules() -> None:
    """As an older runtime reads them: the present one does not, and a person has to allow them."""
    limit = {"kind": "model_limit", "model": "some-model", "name": "max_output", "value": 1}
    attack = table_of(vintages.encode([*honest_rows(), limit]), "limits")
    assert refused(attack) == {"rules"}
    assert refused(attack, allow_rules=True) == set()


def test_every_budget_is_gone() -> None:
    """Fault 3: no calibrated value moves, and every call loses its quantile."""
    bare = table_of(vintages.encode([r for r in honest_rows() if r["kind"] != "budget"]), "bare")
    assert change_gate(changes(honest(), bare), most_up=MOST_UP, most_down=MOST_DOWN).passes
    assert "coverage" in refused(bare, allow_rules=True)
    shares = lost_quantiles(replay(honest(), calls(), RATES), replay(bare, calls(), RATES))
    assert shares == dict.fromkeys(RATES, 1.0)


def test_a_rate_that_is_gone_is_lost_too() -> None:
    """The strictest rows go: wider rates still answer, and not for the rate asked for."""
    rows = [row for row in honest_rows() if row.get("max_truncation") != RATES[0]]
    assert "coverage" in refused(table_of(vintages.encode(rows), "wide"), allow_rules=True)


def test_a_measured_row_without_n_is_a_rule() -> None:
    """What claims no evidence is held against the packaged rules."""
    attack = changed(honest_rows(), "budget", lambda row: row.pop("n"))
    assert refused(attack) == {"rules"}


def test_a_rule_that_is_in_use_needs_no_second_word() -> None:
    """What somebody allowed once stays; what comes back to the packaged rule passes too."""
    rows = honest_rows()
    vintages.set_value(rows, 700, kind="phase_overhead", category="implementation",
                       complexity="low")  # fmt: skip
    own = table_of(vintages.encode(rows), "own")
    assert not rules_gate(own, honest(), packaged(), allowed=False).passes
    assert rules_gate(own, own, packaged(), allowed=False).passes
    assert rules_gate(honest(), own, packaged(), allowed=False).passes


@dataclass(frozen=True)
class Edit:
    """A kind of row, what was done to it, and the rows then."""

    kind: str
    what: str
    rows: Rows = field(repr=False)


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    """A kind of row, and the honest rows with some or all of that kind edited."""
    rows = honest_rows()
    # half of the draws from the kinds that size most of these calls
    sizing = st.sampled_from(["budget", "constant"])
    kind = draw(st.one_of(sizing, st.sampled_from(sorted({row["kind"] for row in rows}))))
    of_kind = [row for row in rows if row["kind"] == kind]
    bounds = [row for row in of_kind if row.get("name") in {"max_budget", "min_budget"}]
    of_kind = bounds if bounds and draw(st.booleans()) else of_kind
    numbers = st.integers(0, len(of_kind) - 1)  # a row's own text would fill the report
    chosen = of_kind if draw(st.booleans()) else [of_kind[draw(numbers)]]
    what = draw(st.sampled_from(["least", "most", "factor", "remove", "swap", "no n", "words"]))
    factor = draw(st.sampled_from([0.01, 0.5, 0.69, 0.71, 0.9, 1.1, 1.4, 1.9, 2.1, 10, 1000]))
    low, high = KINDS[kind].low, KINDS[kind].high
    for row in chosen:
        if what == "remove":
            rows = [kept for kept in rows if kept is not row]
        elif what == "no n":
            row.pop("n", None)
        elif what == "words":
            for name in {"name", "label", "category", "method"} & row.keys():
                if draw(st.booleans()):
                    row[name] = of_kind[draw(numbers)].get(name) or "x"
        elif what == "swap" and "value" in row:
            row["value"] = of_kind[draw(numbers)].get("value", 1)
        elif "value" in row:
            scaled = {"least": low, "most": high}.get(what, row["value"] * factor)
            row["value"] = int(scaled) if KINDS[kind].is_tokens else scaled
    return Edit(kind, what, rows)


@pytest.mark.slow
@given(edit=edits(), allow_rules=st.booleans())
@settings(max_examples=250)
def test_an_edit_is_harmless_or_refused(
    tmp_path_factory: pytest.TempPathFactory, *, edit: Edit, allow_rules: bool
) -> None:
    """Whatever kind of row it touches, and with a right hash.

    The gate on the source is left out: it would refuse every edit of a measured row.
    """
    try:
        proposed = table_of(vintages.encode(edit.rows), "edited")
    except CoefficientsError:
        return  # the runtime would not read it either
    failed = refused(proposed, allow_rules=allow_rules)
    differs = proposed.rules() != honest().rules()
    assert ("rules" in failed) == (differs and not allow_rules), edit
    if not failed:
        assert harm(tmp_path_factory.getbasetemp() / "edited.ndjson", proposed.data) == "", edit


def test_provenance_is_read_and_changes_no_answer() -> None:
    """A header may say where its rows come from; anything but short texts is refused."""
    said = stamped(honest(), {"database": "d", "code": "1"})
    assert (said.coefficients_id, said.rows) == (honest().coefficients_id, honest().rows)
    assert b'"provenance":{"database":"d","code":"1"}' in said.data.partition(b"\n")[0]
    wrong: list[Any] = [{"a": 1}, {"a": "x" * 600}, {str(i): "" for i in range(17)}]
    for value in wrong:
        with pytest.raises(CoefficientsError, match="provenance"):
            stamped(honest(), value)


@pytest.mark.parametrize(
    ("events", "trials", "low", "high"), [(0, 10, 0.0, 0.2775), (1, 20, 0.0089, 0.2361)]
)
def test_wilson(events: int, trials: int, low: float, high: float) -> None:
    """Worked by hand: of 0 of 10, (0 + z²)/(10 + z²) = 3.8416/13.8416."""
    assert wilson(events, trials, -1) == pytest.approx(low, abs=1e-4)
    assert wilson(events, trials, 1) == pytest.approx(high, abs=1e-4)
