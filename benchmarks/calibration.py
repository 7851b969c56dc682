"""Do the budgets hold their promise, and against whom? Held-out calls, peers, loops.

    PYTHONPATH=tests/support python benchmarks/calibration.py [--referee PYTHON] [--only PART ...]
        [--set WORD ...] [--public FOLDER] [--format text|markdown]

The first 60 % of each set calibrate, the last 40 % judge; nothing is chosen on them. Records go
through the real build, the exported file and the runtime; a call is cut off when it needs more
than its budget. Parts: peers (every set, all of its training calls), few (the last 10, 30, 100 and
300 of them), censored, cold (from nothing), loop, shift. `make bench` sets up the referee's
environment. Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from calibration_loops import censored, closed_loop, from_nothing, shift
from calibration_peers import RICH, SAME, has_lightgbm, referee, simple_peers
from calibration_pipeline import CallSet, Pipeline, generated_sets, public_sets
from calibration_scores import (
    Page,
    Score,
    factor,
    geometric_mean,
    mean,
    mean_distance,
    mean_ratio,
    number,
    percent,
)
from generated_calls import FILES, RATES, estimate, observe, size
from tokenest_py import Estimator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from generated_calls import Call

OURS, OBSERVING = "tokenest", "tokenest, observing"
PARTS = ("peers", "few", "censored", "cold", "loop", "shift")
FEW = (10, 30, 100, 300)
MOST_POINTS = {0.05: 1.0, 0.02: 0.7, 0.01: 0.5}
LONG_TRACES = {"azure 2023 code", "azure 2023 conv", "mooncake conversation", "steady"}


@dataclass(frozen=True, slots=True)
class Judged:
    """All ways to budget one set, by name and rate, and the factor of the point estimates.

    Calls longer than what their model may be asked for are left out: no ceiling could hold them.
    """

    found: CallSet
    calls: Sequence[Call]
    left_out: int
    scores: Mapping[str, Mapping[float, Score]]
    factor: float


class Benchmark:
    """What the parts share: the sets, a pipeline for each set of variables, the page."""

    def __init__(
        self, sets: Sequence[CallSet], folder: Path, python: Path | None, page: Page
    ) -> None:
        """Keep what the parts need; pipelines are made when a set asks for one."""
        self.sets, self.page = sets, page
        self._folder, self._python = folder, python
        self._pipelines: dict[str, Pipeline] = {}
        # The runtime remembers what it saw; each pass that observes is one more row.
        self.memory = hasattr(Estimator, "observe")

    def pipeline(self, found: CallSet | None = None) -> Pipeline:
        """The pipeline with a set's variables."""
        variables = json.dumps(dict(found.variables)) if found else "{}"
        if variables not in self._pipelines:
            folder = self._folder / f"pipeline-{len(self._pipelines)}"
            self._pipelines[variables] = Pipeline(folder, json.loads(variables))
        return self._pipelines[variables]

    def judge(self, found: CallSet, calls: int | None = None) -> Judged:
        """Calibrate on the newest `calls` training calls (or on all), and budget the rest."""
        print(f"... {found.name}, {calls or 'all'} calls", file=sys.stderr, flush=True)
        first = found.split - min(calls or found.split, found.split)
        train, judges = found.calls[first : found.split], found.judges()
        pipeline = self.pipeline(found)
        estimator = pipeline.calibrate(found.records[first : found.split])
        test = [call for call in judges if _may_be_held(estimator, call)]
        estimates = [estimate(estimator, call) for call in (*train, *test)]
        budgets = {OURS: {rate: _static(estimator, test, rate) for rate in RATES}}
        if self.memory:
            budgets[OBSERVING] = {
                rate: _observing(pipeline.estimator(), test, rate) for rate in RATES
            }
        maxima = [size(estimator, call, RATES[0]).limit for call in test]
        for name, peer in simple_peers(train, test, maxima).items():
            budgets[name] = dict.fromkeys(RATES, peer)
        if self._python:
            bases = [guess.base_tokens for guess in estimates]
            budgets |= referee(self._python, train, test, bases)
        scores = {
            name: {rate: Score.of(test, of_rate[rate], rate) for rate in RATES}
            for name, of_rate in budgets.items()
        }
        guesses = [guess.estimated_tokens for guess in estimates[len(train) :]]
        point_factor = factor([call.need for call in test], guesses)
        return Judged(found, test, len(judges) - len(test), scores, point_factor)

    def peers(self) -> None:
        """Every set with all of its training calls, against every peer."""
        all_judged = [self.judge(found) for found in self.sets]
        best = OBSERVING if self.memory else OURS
        _each_set(all_judged, best, self.page)
        _all_peers(all_judged, best, self.page)
        _by_files(all_judged, best, self.page)
        _goals(all_judged, best, self.page)

    def few(self) -> None:
        """The same with the newest 10, 30, 100 and 300 training calls."""
        best = OBSERVING if self.memory else OURS
        rows = []
        for calls in FEW:
            judged = [self.judge(found, calls) for found in self.sets]
            ways = [name for name in (OURS, OBSERVING, RICH, SAME) if name in judged[0].scores]
            for name in [*ways, "running P95 of the category"]:
                of_name = [one.scores[name] for one in judged]
                rows.append(
                    [
                        f"{calls} calls: {name}",
                        *[_points(found[rate] for found in of_name) for rate in RATES],
                        *[_ratio(judged, best, name, rate) for rate in (0.05, 0.02)],
                        number(geometric_mean(found[0.05].reserved for found in of_name)),
                        _worst(found[0.05] for found in of_name),
                        number(geometric_mean(one.factor for one in judged))
                        if name in (OURS, OBSERVING)
                        else "-",
                    ]
                )
        self.page.table(
            f"Few training calls, mean of {len(self.sets)} sets: distance from the rate in points"
            f" and pinball of {best} / this (± standard errors by cluster)",
            [
                "budgets",
                *[f"{rate:.0%}" for rate in RATES],
                "/ at 5%",
                "/ at 2%",
                "reserved 5%",
                "worst 5%",
                "point factor",
            ],
            rows,
        )


def _may_be_held(estimator: Estimator, call: Call) -> bool:
    """Whether the model may be asked for so long an answer; our default for all does not count."""
    most = size(estimator, call, RATES[0]).limit
    return call.need <= most or most >= size(estimator, replace(call, model=None), RATES[0]).limit


def _static(estimator: Estimator, test: Iterable[Call], rate: float) -> list[int]:
    return [size(estimator, call, rate).max_tokens for call in test]


def _observing(estimator: Estimator, test: Iterable[Call], rate: float) -> list[int]:
    budgets = []
    for call in test:
        budget = size(estimator, call, rate)
        budgets.append(budget.max_tokens)
        observe(estimator, call, budget)
    return budgets


def _points(scores: Iterable[Score]) -> str:
    distance, error = mean_distance(scores)
    return f"{percent(distance)} ± {percent(error)}"


def _ratio(judged: Iterable[Judged], ours: str, name: str, rate: float) -> str:
    if ours == name:
        return "-"
    ratio, error = mean_ratio((one.scores[ours][rate], one.scores[name][rate]) for one in judged)
    return f"{number(ratio)} ± {error:.2f}"


def _worst(scores: Iterable[Score]) -> str:
    return percent(max((found.worst for found in scores), key=lambda w: (w == w, w)))


def _each_set(judged: Sequence[Judged], best: str, page: Page) -> None:
    rows = []
    for name in dict.fromkeys((OURS, best)):
        for one in judged:
            found = one.scores[name]
            against = "-"
            if RICH in one.scores:
                ratio, error = found[0.05].against(one.scores[RICH][0.05])
                against = f"{ratio:.2f} ± {error:.2f}"
            rows.append(
                [
                    one.found.name if name == OURS else f"{one.found.name}, observing",
                    *[
                        f"{percent(found[rate].truncation)} ± {percent(found[rate].error)}"
                        for rate in RATES
                    ],
                    percent(found[0.05].worst),
                    number(found[0.05].reserved),
                    against,
                    number(one.factor),
                    str(one.left_out),
                ]
            )
    page.table(
        "Each set: cut off in % (± standard error by run, or by block of 50 calls); at 5 % the"
        " worst model or category, tokens reserved for each needed, pinball / LightGBM + CQR, rich;"
        " typical factor of the estimate; calls longer than the model's limit, left out",
        [
            "set",
            *[f"{rate:.0%}" for rate in RATES],
            "worst 5%",
            "reserved 5%",
            "/ rich 5%",
            "point factor",
            "left out",
        ],
        rows,
    )


def _all_peers(judged: Sequence[Judged], best: str, page: Page) -> None:
    rows = []
    for name in judged[0].scores:
        of_name = [one.scores[name] for one in judged]
        rows.append(
            [
                name,
                *[_points(found[rate] for found in of_name) for rate in RATES],
                *[_ratio(judged, best, name, rate) for rate in RATES],
                *[number(geometric_mean(f[rate].reserved for f in of_name)) for rate in RATES[1:3]],
                _worst(found[0.05] for found in of_name),
            ]
        )
    page.table(
        f"All {len(judged)} sets: mean distance from the rate in points, pinball of {best} / this"
        " (± standard errors by cluster; below 1: ours is better), reserved for each token needed,"
        " worst group at 5 %",
        [
            "budgets",
            *[f"{rate:.0%}" for rate in RATES],
            *[f"/ at {rate:.0%}" for rate in RATES],
            "reserved 5%",
            "2%",
            "worst 5%",
        ],
        rows,
    )


def _by_files(judged: Sequence[Judged], best: str, page: Page) -> None:
    of_files = [one for one in judged if one.found.name.startswith("files")]
    rows = []
    for one in of_files:
        test, cut = one.calls, one.scores[best][0.05].cut
        cells = []
        for count in FILES:
            share = float(cut[[len(call.deliverables) == count for call in test]].mean())
            cells.append(percent(share))
            page.goal(f"{one.found.name}: {count} file(s) at 5 %, %", 100 * share, 8, 2)
        verbose = cut[["cedar" in call.deliverables[0] for call in test]].mean()
        if one.found.variables:
            page.goal("files by project: cedar at 5 %, points", 100 * abs(verbose - 0.05), 2)
        rows.append([one.found.name, *cells, percent(float(verbose))])
    if rows:
        page.table(
            "700 tokens a file, at 5 %: cut off in % by files asked for, and in the project that"
            " writes twice as much",
            ["set", *[str(count) for count in FILES], "cedar"],
            rows,
        )


def _goals(judged: Sequence[Judged], best: str, page: Page) -> None:
    for rate, most in MOST_POINTS.items():
        distance = 100 * mean(one.scores[best][rate].distance for one in judged)
        page.goal(f"mean distance from {rate:.0%}, points", distance, most)
    for rate in (0.05, 0.02) if RICH in judged[0].scores else ():
        ratios = [one.scores[best][rate].loss / one.scores[RICH][rate].loss for one in judged]
        page.goal(f"pinball / {RICH} at {rate:.0%}", geometric_mean(ratios), 0.90)
    reserved = geometric_mean(one.scores[best][0.05].reserved for one in judged)
    page.goal("reserved for each token needed at 5 %", reserved, 2.5)
    page.goal("point factor of the worst set", max(one.factor for one in judged), 2.4)
    worst = [one.scores[best][rate].worst / rate for one in judged for rate in MOST_POINTS]
    page.goal("worst group as a multiple of its rate", max(w for w in worst if w == w), 3)


def main() -> None:
    """Run all parts, or some."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--public", type=Path, default=Path("../shared/data/public"))
    parser.add_argument("--referee", type=Path, help="a Python that has lightgbm")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument("--set", nargs="+", default=[""], help="words of the sets' names")
    parser.add_argument("--format", choices=["text", "markdown"], default="text")
    options = parser.parse_args()
    page = Page(is_markdown=options.format == "markdown")
    public = public_sets(options.public)
    if not public:
        print(f"no public traces in {options.public}: generated calls only")
    sets = [
        found
        for found in (*public, *generated_sets())
        if any(word in found.name for word in options.set)
    ]
    python = options.referee if has_lightgbm(options.referee) else None
    if python is None:
        print("no LightGBM (--referee PYTHON): its rows are left out")
    with tempfile.TemporaryDirectory(prefix="tokenest-bench-") as name:
        bench = Benchmark(sets, Path(name), python, page)
        parts: dict[str, Callable[[], None]] = {
            "peers": bench.peers,
            "few": bench.few,
            "censored": lambda: censored(
                [found for found in sets if found.name in LONG_TRACES], bench.pipeline, page
            ),
            "cold": lambda: from_nothing(bench.pipeline(), page, memory=bench.memory),
            "loop": lambda: closed_loop(bench.pipeline(), page),
            "shift": lambda: shift(bench.pipeline(), page, memory=bench.memory),
        }
        for part in options.only:
            started = time.monotonic()
            parts[part]()
            print(f"({part}: {time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)
    sys.exit(not page.verdict())


if __name__ == "__main__":
    main()
