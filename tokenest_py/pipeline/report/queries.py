"""The questions of the report: what each is called, what it means, and the view that answers it.

The report shows the SQL beside each answer; it runs as it stands in any DuckDB client.
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenest_py.pipeline.database import view_query

__all__ = ["ANSWERED_FROM", "COPY", "HEADLINE", "SECTIONS", "Question"]


@dataclass(frozen=True, slots=True)
class Question:
    """One part of the report: its anchor, its title, and what it means.

    `is_coding` parts speak of deliverables and of what is collected for them. `most` is how many
    rows the view gives at most, where a table would seem whole without a word.
    """

    name: str
    title: str
    note: str = ""
    is_coding: bool = False
    most: int = 0

    @property
    def view(self) -> str:
        """The model in models/report/page/ that answers it."""
        return f"rpt_{self.name}"

    @property
    def sql(self) -> str:
        """The SQL that reads the view."""
        return view_query(self.view)


COPY = Question(
    "copy",
    "Ceilings to copy",
    "Of the calls in the window: how many were cut off, and how many of the same calls the"
    " proposed ceilings would cut off, each under that of its own cell; tokenest backtest tries"
    " them on later calls.",
    most=40,
)

HEADLINE = (
    Question("recent", "Tiers of the recent calls"),
    Question("landing", "What has landed"),
    Question("version", "The newest coefficients against the ones before"),
    Question("drift", "Baseline against now"),
    Question("gap", "Where to collect next", is_coding=True),
    Question("ceilings", "Verdicts on the ceilings"),
    Question("demand", "What calls need"),
    COPY,
)

SECTIONS = (
    Question(
        "alerts",
        "Alerts",
        "Open ones first. A rule about single calls opens when more than its allowed share of the"
        " recent calls breaks it.",
    ),
    Question(
        "room",
        "Truncation against reserved room",
        "Recent calls by stratum: how many were cut off, with the 95 % interval, and how many"
        " tokens were reserved for each token used. Room is reserved, not billed. The dashed line"
        " is the chosen rate of truncation.",
        most=20,
    ),
    Question(
        "predictions",
        "Predicted against actual",
        "Above the line the call needed more than predicted. A truncated call is drawn as what it"
        " is, a lower bound: it needed at least that much.",
        is_coding=True,
    ),
    Question(
        "trend",
        "Calibration over time",
        "By week: the share of calls that needed more than predicted, and the share that was cut"
        " off, each with its 95 % interval; above, the number of calls.",
        most=26,
    ),
    Question(
        "verdicts",
        "Tiers",
        "Tier 1 is safety (underestimated and truncated calls), tier 2 is cost. Of successes alone"
        " truncation decides nothing: a call that was cut off seldom succeeds.",
        is_coding=True,
        most=60,
    ),
    Question(
        "versions",
        "Did the last promotion help?",
        "Each version of the coefficients against the one before: better or worse only where the"
        " intervals part.",
        most=20,
    ),
    Question(
        "budgets",
        "Every ceiling that the runtime answers",
        "For the cells that calls lay in, at each rate (marts.max_tokens); source says whether the"
        " very cell answers, a wider one, or what new ones needed so far.",
        most=80,
    ),
    Question(
        "costs",
        "Cost by model and week",
        "Tokens always, US dollars where seed model_prices knows the model. An answer that was cut"
        " off is paid for again by whoever asks again.",
        most=40,
    ),
    Question(
        "rates",
        "Which rate of truncation is cheapest",
        "What the budget for each rate costs a call beyond the output that it needs anyway, counted"
        " in output tokens: reserved room at its price, and answers that are paid for twice."
        " cost_ratio is that cost beside the one of the cheapest rate.",
        most=40,
    ),
    Question(
        "multipliers",
        "Multipliers",
        "By which factor predictions missed: the origin's rule (t5_exact) beside the method that is"
        " exported.",
        is_coding=True,
        most=40,
    ),
    Question(
        "phases",
        "Truncated phases",
        "What each of them needs at least.",
        most=20,
    ),
    Question(
        "saved",
        "What a higher ceiling would have saved",
        "At a ceiling raised to a quantile of the finished calls: truncated calls that are known to"
        " fit, those that may, and the room that it reserves in addition.",
        most=36,
    ),
    Question(
        "bands",
        "Distribution of errors",
        "By the size of the error (smape, in per cent) and by predicted / actual.",
        is_coding=True,
    ),
    Question(
        "success",
        "Success by complexity",
        "A rate from fewer calls than min_samples says little.",
        is_coding=True,
    ),
    Question(
        "gaps",
        "Where to collect next",
        "The sample that closes most gaps at once comes first.",
        is_coding=True,
        most=10,
    ),
    Question(
        "targets",
        "Collection targets",
        is_coding=True,
    ),
    Question(
        "lines",
        "Data quality: files and lines",
        "lines = accepted + duplicate + quarantined + blank + other, for every file.",
        most=30,
    ),
    Question(
        "rejects",
        "Data quality: quarantined lines",
        most=20,
    ),
    Question(
        "quality",
        "Data quality: events",
        "Test rows and copies of one call are in no figure above.",
    ),
)

# What the answers of the first screen are made of, beside the headline.
ANSWERED_FROM = tuple(each for each in SECTIONS if each.name in {"alerts", "trend", "costs"})
