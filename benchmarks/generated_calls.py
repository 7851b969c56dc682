"""Made-up calls with a known law, the life of one call, and the loop that starts from nothing.

The one place for calls that are drawn: the benchmark of the budgets and the tests import it. All
draws are fixed by their seed. A `Call` is what the application knows before it asks, and the
tokens that the answer needs; a `Recorder`-like record of it exists only once a ceiling was sent.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from tokenest_py.runtime.providers import sized_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tokenest_py import Budget, Estimator, TokenEstimate

START = datetime(2026, 1, 1, tzinfo=UTC)
RATES = (0.10, 0.05, 0.02, 0.01)


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call before it is sent, and the tokens that its answer needs."""

    number: int
    run_id: str
    category: str
    need: int
    complexity: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    attempt: int | None = None
    deliverables: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    occurred_at: str = ""  # else `number` seconds after START

    def __post_init__(self) -> None:
        """Give a generated call its time."""
        if not self.occurred_at:
            moment = (START + timedelta(seconds=self.number)).isoformat()
            object.__setattr__(self, "occurred_at", moment.replace("+00:00", "Z"))


class Observes(Protocol):
    """An estimator that remembers what it has seen."""

    def observe(
        self, budget: Budget, *, output_tokens: int, stop_reason: str, run_id: str
    ) -> object:
        """Take up the outcome of a call."""


# --- the life of a call -----------------------------------------------------------------------


def estimate(estimator: Estimator, call: Call) -> TokenEstimate:
    """What the runtime expects of a call."""
    asked: dict[str, Any] = {"labels": call.labels} if call.labels else {}
    asked |= {"model": call.model, "input_tokens": call.input_tokens}
    return estimator.estimate(call.deliverables, call.category, call.complexity, **asked)


def size(estimator: Estimator, call: Call, rate: float) -> Budget:
    """The budget that the runtime gives a call."""
    return estimator.budget(
        estimate(estimator, call),
        model=call.model,
        input_tokens=call.input_tokens,
        max_truncation=rate,
        run_id=call.run_id,
    )


def record(call: Call, budget: Budget | None = None) -> dict[str, Any]:
    """The line that telemetry has of a call: cut off where it needs more than its budget.

    Without a budget nobody set a ceiling.
    """
    fields = {
        "event_id": f"call-{call.number:07}",
        "occurred_at": call.occurred_at,
        "run_id": call.run_id,
        "phase_id": f"phase-{call.number:07}",
        "attempt": call.attempt,
        "category": call.category,
        "complexity": call.complexity,
        "model": call.model,
        "labels": dict(call.labels) or None,
        "deliverables": list(call.deliverables) or None,
        "input_tokens": call.input_tokens,
    }
    if budget is None:
        outcome = _outcome(call.need, None)
    else:
        sized = sized_fields(None, budget)
        outcome = {name: value for name, value in sized.items() if value is not None}
        outcome |= _outcome(call.need, budget.max_tokens)
    return {name: value for name, value in (fields | outcome).items() if value is not None}


def _outcome(need: int, ceiling: int | None) -> dict[str, Any]:
    cut = ceiling is not None and need > ceiling
    return {
        "actual_output_tokens": ceiling if cut else need,
        "stop_reason": "max_tokens" if cut else "end_turn",
        "truncated": cut,
        "success": not cut,
    }


def observe(estimator: Observes, call: Call, budget: Budget) -> None:
    """Tell the running estimator what became of a call that it sized."""
    outcome = _outcome(call.need, budget.max_tokens)
    estimator.observe(
        budget,
        output_tokens=outcome["actual_output_tokens"],
        stop_reason=outcome["stop_reason"],
        run_id=call.run_id,
    )


# --- laws -------------------------------------------------------------------------------------

FILES = (1, 2, 5, 12)
PROJECTS = {"atlas": 1.0, "birch": 1.0, "cedar": 2.0}  # cedar writes twice as much
TOKENS_A_FILE = 700
SPREAD = 0.4


def by_files(calls: int, seed: int = 1) -> list[Call]:
    """Calls that write files: 700 tokens each, and one project of three writes twice as much."""
    chance = random.Random(seed)
    names = list(PROJECTS)
    found = []
    for number in range(calls):
        project, count = chance.choice(names), chance.choice(FILES)
        centre = TOKENS_A_FILE * count * PROJECTS[project]
        found.append(
            Call(
                number,
                run_id=f"{project}-{number // 10}",
                category="implementation",
                complexity="low",
                model="model-a",
                need=_around(centre, SPREAD, chance),
                deliverables=tuple(f"src/{project}/part_{part}.py" for part in range(count)),
                labels={"project": project},
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Stratum:
    """Calls of one kind: lognormal need that grows with the prompt."""

    category: str
    complexity: str
    median: float
    sigma: float
    growth: float  # exponent of the prompt's size


STRATA = (
    Stratum("implementation", "low", 900, 0.6, 0.2),
    Stratum("implementation", "high", 3000, 0.8, 0.1),
    Stratum("testing", "low", 1400, 0.4, 0.3),
    Stratum("documentation", "low", 2200, 0.9, 0.0),
    Stratum("judge", "low", 60, 0.5, 0.1),
    Stratum("chat", "medium", 350, 1.0, 0.2),
)


def draw(stratum: Stratum, number: int, chance: random.Random, scale: float = 1.0) -> Call:
    """One call of a stratum."""
    prompt = max(1, round(chance.lognormvariate(7, 0.8)))
    centre = stratum.median * scale * (prompt / 1100) ** stratum.growth
    return Call(
        number,
        run_id=f"r{number // 10}",
        category=stratum.category,
        complexity=stratum.complexity,
        model="model-a",
        input_tokens=prompt,
        need=_around(centre, stratum.sigma, chance),
    )


def steady(calls: int, seed: int = 1) -> list[Call]:
    """Calls of all strata, mixed, whose law never changes."""
    chance = random.Random(seed)
    return [draw(chance.choice(STRATA), number, chance) for number in range(calls)]


def new_tenants(calls: int, seed: int = 2, *, tenants: int = 40) -> list[Call]:
    """A category a tenant: half are there from the start, the others arrive one by one.

    Tenants differ by orders of magnitude and in how often they call; calls of one run are alike.
    """
    chance = random.Random(seed)
    laws = [
        (
            f"tenant_{number:02}",
            _around(400, 1.2, chance),
            chance.uniform(0.3, 0.8),
            chance.lognormvariate(0, 1),
            0.0 if number < tenants // 2 else chance.random(),
        )
        for number in range(tenants)
    ]
    found: list[Call] = []
    run = 0
    while len(found) < calls:
        there = [law for law in laws if law[4] <= len(found) / calls]
        [(tenant, median, sigma, _, _)] = chance.choices(there, [law[3] for law in there])
        run += 1
        of_run = chance.gauss(0, sigma / 2)
        for _ in range(chance.randint(1, 12)):
            centre = median * math.exp(of_run)
            need = _around(centre, sigma, chance)
            prompt = max(1, round(chance.lognormvariate(6.5, 0.9)))
            found.append(
                Call(len(found), f"run-{run}", tenant, need, model="model-a", input_tokens=prompt)
            )
    return found[:calls]


def new_models(calls: int, seed: int = 3, *, models: int = 12) -> list[Call]:
    """Four categories, and a new model every now and then, which writes more or less than others.

    The newest models are asked most.
    """
    chance = random.Random(seed)
    kinds = {"answer": 250, "extract": 90, "plan": 900, "write": 2200}
    factors = [math.exp(chance.gauss(0, 0.6)) for _ in range(models)]
    found = []
    for number in range(calls):
        newest = min(models - 1, 3 + (models - 3) * number // calls)
        model = max(0, newest - int(chance.expovariate(0.5)))
        category = chance.choice(list(kinds))
        need = _around(kinds[category] * factors[model], 0.5, chance)
        prompt = max(1, round(chance.lognormvariate(7, 0.8)))
        found.append(
            Call(
                number,
                run_id=f"run-{number // 8}",
                category=category,
                model=f"model-{model:02}",
                input_tokens=prompt,
                need=need,
            )
        )
    return found


def drift(calls: int, seed: int = 4, *, jump: float = 1.6) -> list[Call]:
    """All strata, each on a walk of its own; at 70 % of the way all needs grow at once."""
    chance = random.Random(seed)
    walk = dict.fromkeys(STRATA, 0.0)
    found = []
    for number in range(calls):
        stratum = chance.choice(STRATA)
        walk[stratum] += chance.gauss(0, 0.3 / math.sqrt(calls / len(STRATA)))
        scale = math.exp(walk[stratum]) * (jump if number >= 0.7 * calls else 1.0)
        found.append(draw(stratum, number, chance, scale))
    return found


def _around(median: float, sigma: float, chance: random.Random) -> int:
    return max(1, round(chance.lognormvariate(math.log(median), sigma)))


# --- the loop that starts from nothing --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Round:
    """What fresh calls met after a promotion: the share cut off, by the rate asked for."""

    calls: int  # recorded so far
    truncated: dict[float, float]
    reserved: dict[float, float]  # tokens of budget for each token used


def cold_start(
    calibrate: Callable[[list[dict[str, Any]]], Estimator],
    law: Callable[[int, int], list[Call]] = steady,
    *,
    rate: float = 0.05,
    rounds: Sequence[int] = (200, 500, 1000, 2000, 3000),
    judges: int = 10_000,
    seed: int = 1,
    memory: bool = False,
) -> Iterator[Round]:
    """From the packaged table on: size calls, record them, calibrate, promote; judge each round.

    `calibrate` turns all records so far into the next estimator; `law(calls, seed)` draws calls.
    `memory` tells the estimator of each outcome at once. The judges are fresh draws that nothing
    ever learns from.
    """
    from tokenest_py import Estimator

    fresh = law(judges, seed + 1_000_000)
    estimator = Estimator.load()
    records: list[dict[str, Any]] = []
    for call in law(max(rounds), seed):
        budget = size(estimator, call, rate)
        records.append(record(call, budget))
        if memory:
            observe(estimator, call, budget)
        if len(records) in rounds:
            estimator = calibrate(records)
            yield judged(estimator, fresh, len(records))


def judged(estimator: Estimator, fresh: Sequence[Call], calls: int = 0) -> Round:
    """What fresh calls meet, at each rate, when nothing is observed between them."""
    needed = sum(call.need for call in fresh)
    truncated, reserved = {}, {}
    for rate in RATES:
        ceilings = [size(estimator, call, rate).max_tokens for call in fresh]
        cut = sum(call.need > ceiling for call, ceiling in zip(fresh, ceilings, strict=True))
        truncated[rate] = cut / len(fresh)
        reserved[rate] = sum(ceilings) / needed
    return Round(calls, truncated, reserved)
