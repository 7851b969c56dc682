"""What a table has to pass before it is published. Each gate says its figure and its limit.

Those of `table_gates` read the table, those of `replay_gates` the ceilings that its very bytes give
recorded calls; `backtest_gates` judge the method on calls that it had not seen.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.calibration.backtest import GIVEN_TABLE, REFITTED
from tokenest_py.pipeline.calibration.scoring import ALL, lost_quantiles, wilson
from tokenest_py.pipeline.calibration.tables import label_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from tokenest_py.pipeline.calibration.scoring import Replay, Score
    from tokenest_py.pipeline.calibration.tables import Change, Table

    _Rows: TypeAlias = Mapping[tuple[str, str], Mapping[str, Any]]  # by stratification, category

__all__ = [
    "HELD_BACK", "PROMISED_RATE", "Gate", "backtest_gates", "calls_needed", "change_gate",
    "drift_gate", "evidence_gate", "mended_categories", "replay_gates", "rules_gate", "source_gate",
]  # fmt: skip

PROMISED_RATE = 0.02  # of truncation, where nobody says another
OVERALL = ("overall", ALL)  # the row of all calls
HELD_BACK = 0.4  # of the calls, the newest share that judges
EXPECTED_TRUNCATIONS = 5  # fewer than these, and calls can say nothing about a rate
MOST_PINBALL = 1.05
MOST_LOST = 0.05  # of recent calls, the share that may lose its quantile


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: whether it passes, its figure, its limit, and what it looked at, in words."""

    name: str
    passes: bool
    figure: str
    limit: str
    about: str


def change_gate(changes: Iterable[Change], *, most_up: float, most_down: float) -> Gate:
    """No calibrated value moves further at once than it may: a budget too low costs most."""
    limit = f"x {most_down:g} to x {most_up:g}"
    factors = [
        (change.factor, change)
        for change in changes
        if change.factor is not None and change.key["kind"] in {"budget", "multiplier"}
    ]
    if not factors:
        about = "no calibrated value that both tables have"
        return Gate("change", passes=True, figure="-", limit=limit, about=about)
    lowest = min(factors, key=lambda pair: pair[0])
    highest = max(factors, key=lambda pair: pair[0])
    options = []
    if lowest[0] < most_down:
        options.append(f"--max-decrease {math.floor(100 * lowest[0]) / 100:g}")
    if highest[0] > most_up:
        options.append(f"--max-increase {math.ceil(100 * highest[0]) / 100:g}")
    passes = not options
    limit += f", or say {' '.join(options)}" if options else ""
    widest = lowest if lowest[0] < most_down else highest
    figure = f"x {lowest[0]:.2f} to x {highest[0]:.2f}"
    return Gate("change", passes, figure, limit, f"{len(factors)} values; widest: {widest[1].name}")


def rules_gate(proposed: Table, current: Table, packaged: Table, *, allowed: bool) -> Gate:
    """A row that nobody measured is the packaged one, or stands in the present table as it is."""
    ours, theirs, known = proposed.rules(), current.rules(), packaged.rules()
    differing = [
        key
        for key in sorted(ours.keys() | theirs.keys() | known.keys(), key=str)
        if ours.get(key) not in (known.get(key), theirs.get(key))
    ]
    first = " / ".join(str(part) for part in differing[0] if part is not None) if differing else ""
    about = f"first: {first}" if first else f"{len(ours)} rows without n"
    limit = "any, by --allow-rules" if allowed else "0 differ, or say --allow-rules"
    return Gate("rules", allowed or not differing, f"{len(differing)} differ", limit, about)


def source_gate(proposed: Table, exported: Sequence[dict[str, Any]]) -> Gate:
    """The calibrated rows are those of the database that the other gates look at."""
    names = (
        "kind", "name", "category", "complexity", "model", "input_bin", "max_truncation",
        "position", "label", "threshold", "value", "n", "confidence", "method",
    )  # fmt: skip

    def facts(row: dict[str, Any]) -> tuple[Any, ...]:
        return (label_text(row.get("labels")), *map(row.get, names))

    there = set(map(facts, exported))
    ours = proposed.measured()
    here = set(map(facts, ours))
    differing = len(there ^ here)
    about = f"{len(ours)} calibrated rows, and those in exports.coefficients"
    return Gate("source", not differing, f"{differing} differ", "0 differ", about)


def drift_gate(signals: Sequence[dict[str, Any]], mended: Collection[str]) -> Gate:
    """No category whose truncation asks for the table before, but those that this one mends."""
    harmful = [row["category"] for row in signals if row["state"] == "harmful"]
    bad = [category for category in harmful if category not in mended]
    about = ", ".join(bad) or f"{len(signals)} signals of truncation, bias and stability"
    return Gate("drift", not bad, str(len(bad)), "0 categories", about)


def evidence_gate(calls: int, *, rate: float, share: float) -> Gate:
    """So many calls that a rate of truncation can be told from none; `share` is held back."""
    needed = _judges_needed(rate)
    about = (
        f"the newest {100 * share:g} % of the calls, held back; {EXPECTED_TRUNCATIONS} truncations"
        f" are likely from {calls_needed(rate=rate, share=share):,} calls on"
    )
    return Gate("evidence", calls >= needed, f"{calls} calls", f"at least {needed}", about)


def calls_needed(*, rate: float = PROMISED_RATE, share: float = HELD_BACK) -> int:
    """Return from how many calls on the evidence gate passes, those before the judges included."""
    return math.ceil(_judges_needed(rate) / share)


def _judges_needed(rate: float) -> int:
    return round(EXPECTED_TRUNCATIONS / rate)


def mended_categories(present: Replay, proposed: Replay) -> set[str]:
    """Those of whose recent calls the proposed table cuts off fewer, and at no rate more.

    At a rate whose ceiling of now lies above all that was cut off, neither table cuts off any.
    """
    before = _cut_off_by(present.scores)
    gains = [(s.category, before[s.rate, s.category] - s.n_truncated) for s in proposed.scores]
    fewer = {category for category, gain in gains if gain > 0}
    return fewer - {category for category, gain in gains if gain < 0}


def replay_gates(present: Replay, proposed: Replay, *, most_up: float) -> list[Gate]:
    """Of the ceilings that the file itself gives recent calls, and of those of the present one."""
    return [
        _truncation(present.scores, proposed.scores),
        _reserve(present, proposed, most_up),
        _loss(present, proposed),
        _coverage(lost_quantiles(present, proposed)),
    ]


def backtest_gates(scores: Sequence[dict[str, Any]], *, rate: float) -> list[Gate]:
    """Truncation not significantly above its rate, or below the present; and no worse a loss.

    `scores` are rows of backtest.backtest_scores, `rate` the rate of truncation that is judged.
    """
    proposed, present = (
        {
            (row["stratification"], row["category"]): row
            for row in scores
            if row["subject"] == subject
            and row["max_truncation"] == rate
            and row["stratification"] in {"overall", "category"}
        }
        for subject in (REFITTED, GIVEN_TABLE)
    )
    before = present[OVERALL]
    loss = _ratio_gate(
        "method loss",
        ours=proposed[OVERALL]["pinball_loss"],
        theirs=before["pinball_loss"],
        judges=_loss_judges(before["n_truncated"], before["n_undecidable"], before["n"], rate),
        about="back-test: pinball loss against the present table, on the same calls",
    )
    return [_method_truncation(proposed, present, rate), loss]


def _method_truncation(proposed: _Rows, present: _Rows, rate: float) -> Gate:
    """The worst category of those that fail, or else of those with calls enough to judge."""
    before = Counter({row["category"]: row["n_truncated"] for row in present.values()})
    enough = [row for row in proposed.values() if row["n"] * rate >= EXPECTED_TRUNCATIONS]
    judged = enough or [proposed[OVERALL]]
    failing = [
        row
        for row in judged
        if row["wilson_low"] > rate and row["n_truncated"] >= before[row["category"]]
    ]
    worst = max(failing or judged, key=lambda row: row["wilson_low"])
    return Gate(
        "method truncation",
        not failing,
        f"{worst['wilson_low']:.1%} to {worst['wilson_high']:.1%}",
        f"not above {rate:.1%} for certain, or below the present table",
        f"back-test, {worst['category']}: {worst['n_truncated']} of {worst['n']} cut off,"
        f" {worst['n_undecidable']} undecidable;"
        f" {before[worst['category']]} by the present table",
    )


def _truncation(present: Sequence[Score], proposed: Sequence[Score]) -> Gate:
    """A file that breaks its promise is refused, but in place of one that breaks it more."""
    before = _cut_off_by(present)
    judged = [s for s in proposed if s.category == ALL or s.n * s.rate >= EXPECTED_TRUNCATIONS]
    failing = [
        score
        for score in judged
        if score.interval[0] > score.rate
        and score.n_truncated >= before[score.rate, score.category]
    ]
    worst = max(failing or judged, key=lambda score: score.interval[0] / score.rate)
    return Gate(
        "truncation",
        not failing,
        f"{worst.interval[0]:.1%} to {worst.interval[1]:.1%}",
        f"not above {worst.rate:.1%} for certain, or below the present table",
        f"this file, {worst.category}: {worst.n_truncated} of {worst.n} cut off,"
        f" {worst.n_undecidable} undecidable;"
        f" {before[worst.rate, worst.category]} by the present table",
    )


def _cut_off_by(scores: Sequence[Score]) -> Counter[tuple[float, str]]:
    """The calls that are certainly cut off, by rate and category; 0 where none was scored."""
    return Counter({(score.rate, score.category): score.n_truncated for score in scores})


def _reserve(present: Replay, proposed: Replay, most_up: float) -> Gate:
    """Where the present table breaks its promise, a larger reserve is what is asked for."""
    limit = f"at most x {most_up:g}"
    ratios = []
    for rate in proposed.has_quantile:
        ours, theirs = proposed.overall(rate), present.overall(rate)
        if ours.reserve_ratio and theirs.reserve_ratio and theirs.interval[0] <= rate:
            said = f"{theirs.reserve_ratio:.2f} to {ours.reserve_ratio:.2f} at {rate:.1%}"
            ratios.append((ours.reserve_ratio / theirs.reserve_ratio, said))
    if not ratios:
        about = "the present table cuts off more than promised at every rate"
        return Gate("reserve", passes=True, figure="-", limit=limit, about=about)
    ratio, said = max(ratios)
    about = f"this file: reserved tokens for each needed, {said}"
    return Gate("reserve", ratio <= most_up, f"x {ratio:.2f}", limit, about)


def _loss(present: Replay, proposed: Replay) -> Gate:
    every = list(proposed.has_quantile)
    judged = [
        score.rate
        for score in map(present.overall, every)
        if _loss_judges(score.n_truncated, score.n_undecidable, score.n, score.rate)
    ]
    rates = judged or every
    return _ratio_gate(
        "loss",
        ours=_mean_loss(proposed, rates),
        theirs=_mean_loss(present, rates),
        judges=bool(judged),
        about="this file: pinball loss against the present table, mean of the rates that it keeps",
    )


def _loss_judges(n_truncated: int, n_undecidable: int, n: int, rate: float) -> bool:
    """Whether the present table keeps a rate, those whose end nobody saw taken as cut off.

    The loss is of calls that ended by themselves. Where more than the rate did not, a ceiling
    that is too low has the smaller one, since what it cut off is not among them.
    """
    return wilson(n_truncated + n_undecidable, n, -1) <= rate


def _mean_loss(replay: Replay, rates: Sequence[float]) -> float | None:
    losses = [replay.overall(rate).pinball_loss for rate in rates]
    known = [loss for loss in losses if loss is not None]
    return sum(known) / len(known) if known else None


def _coverage(lost: dict[float, float]) -> Gate:
    rate, share = max(lost.items(), key=lambda pair: pair[1])
    about = f"calls that have a quantile for {rate:.1%} now, and would have none"
    return Gate("coverage", share <= MOST_LOST, f"{share:.1%}", f"at most {MOST_LOST:.0%}", about)


def _ratio_gate(
    name: str, *, ours: float | None, theirs: float | None, judges: bool, about: str
) -> Gate:
    limit = f"at most x {MOST_PINBALL:g}"
    if not theirs or ours is None:
        about = f"{about}: no observed call to compare"
        return Gate(name, passes=False, figure="-", limit=limit, about=about)
    if not judges:
        about = "too much is cut off under the present table, or may be, to compare a loss"
        return Gate(name, passes=True, figure="-", limit=limit, about=about)
    ratio = ours / theirs
    return Gate(name, ratio <= MOST_PINBALL, f"x {ratio:.2f}", limit, about)
