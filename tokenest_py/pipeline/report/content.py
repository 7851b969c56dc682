"""What the report says: the rows of each question, and the four answers of the first screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.database import read
from tokenest_py.pipeline.printable import printable
from tokenest_py.pipeline.report.queries import HEADLINE, SECTIONS, Question
from tokenest_py.pipeline.report.words import count, factor, percent

if TYPE_CHECKING:
    import duckdb

__all__ = ["Answer", "Report", "Section", "read_report"]

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Section:
    """A question with the rows that answer it."""

    question: Question
    rows: Rows


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the first screen: the question, the answer in a word, and the evidence.

    state is good, bad, unclear or plain; it chooses the colour, never the meaning alone.
    """

    question: str
    figure: str
    state: str
    lines: tuple[str, ...]
    sql: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report shows, in the order in which it shows it."""

    title: str
    period: str
    answers: tuple[Answer, ...]
    sections: tuple[Section, ...]
    open_alerts: int
    tier_1: str
    verdict: str

    def rows_of(self, name: str) -> Rows:
        """Return the rows of a section; none when the database does not have its table."""
        return next((s.rows for s in self.sections if s.question.name == name), [])


def read_report(connection: duckdb.DuckDBPyConnection) -> Report:
    """Return the report of a database that `tokenest build` made.

    Raises DatabaseError when marts are missing that every build makes.
    """
    headline = {question.name: _answer_rows(connection, question) for question in HEADLINE}
    sections = tuple(Section(question, _answer_rows(connection, question)) for question in SECTIONS)
    alerts = next(s.rows for s in sections if s.question.name == "alerts")
    weeks = next(s.rows for s in sections if s.question.name == "trend")[:2]
    recent = headline["recent"][0] if headline["recent"] else {}
    open_alerts = [alert for alert in alerts if alert["is_open"]]
    return Report(
        title="Token budgets: safety and cost",
        period=_period(headline["landing"][0]),
        answers=(
            _safety(recent),
            _cost(recent),
            _change(headline, weeks),
            _next_steps(headline, recent, open_alerts),
        ),
        sections=sections,
        open_alerts=len(open_alerts),
        tier_1=recent.get("tier_1", "unknown"),
        verdict=recent.get("verdict", "insufficient data"),
    )


def _answer_rows(connection: duckdb.DuckDBPyConnection, question: Question) -> Rows:
    return [
        {name: printable(v) if isinstance(v, str) else v for name, v in row.items()}
        for row in read(connection, question.sql)
    ]


def _period(landed: dict[str, Any]) -> str:
    if not landed["events"]:
        return "No events have landed."
    left_out = landed["events_left_out"]
    without = f", {count(left_out, 'test row or copy', 'test rows and copies')} left out"
    return (
        f"{count(landed['events'], 'event')} from {landed['first_seen']:%Y-%m-%d} to"
        f" {landed['last_seen']:%Y-%m-%d}{without if left_out else ''}."
    )


def _safety(recent: dict[str, Any]) -> Answer:
    question = "Are we safe?"
    sql = HEADLINE[0].sql
    if recent.get("truncation_rate") is None:
        return Answer(question, "unknown", "unclear", ("No call says how it stopped.",), sql)
    rate, target = recent["truncation_rate"], recent["target_truncation"]
    interval = f"{percent(recent['truncation_lower'])} to {percent(recent['truncation_upper'])}"
    calls = count(recent["n_stop_known"], "recent call")
    evidence = f"{recent['n_truncated']} of {calls} cut off; 95 % interval {interval}"
    lines = [f"{evidence}; target at most {percent(target)}."]
    if recent["underestimation_rate"] is not None:
        lines.append(
            f"{percent(recent['underestimation_rate'])} needed more than predicted"
            f" (target at most {percent(recent['target_underestimation'])}):"
            " a risk only where the ceiling follows the prediction."
        )
    if rate > target:
        state, word = "bad", "No"
        if recent["truncation_lower"] <= target:
            lines.append("The interval still holds the target: it could be chance.")
    elif recent["truncation_upper"] > target:
        state, word = "unclear", "Probably"
        lines.append("The interval reaches beyond the target: too few calls to be sure.")
    else:
        state, word = "good", "Yes"
    return Answer(question, f"{word}: {percent(rate)} truncated", state, tuple(lines), sql)


def _cost(recent: dict[str, Any]) -> Answer:
    question = "What does it cost?"
    sql = HEADLINE[0].sql
    if not recent.get("tokens_used"):
        line = "No recent call records its ceiling (actual_max_tokens, selected_budget)."
        return Answer(question, "unknown", "unclear", (line,), sql)
    used, reserved = recent["tokens_used"], recent["tokens_reserved"]
    half, tenth = factor(recent["p50_ceiling_ratio"]), factor(recent["p90_ceiling_ratio"])
    not_billed = "Room is not billed; it counts against rate limits and reserved capacity."
    lines = (
        f"{reserved:,.0f} tokens reserved, {used:,.0f} used. {not_billed}",
        f"Half of the calls reserve more than {half}, a tenth more than {tenth} of what they use.",
    )
    within = recent["p90_ceiling_ratio"] < recent["target_p90_ceiling_ratio"]
    figure = f"{factor(recent['reserved_ratio'])} reserved for each token used"
    return Answer(question, figure, "plain" if within else "unclear", lines, sql)


_STATES = {"better": "good", "worse": "bad"}


def _change(headline: dict[str, Rows], weeks: Rows) -> Answer:
    lines = []
    figure, state = "Nothing to compare yet", "plain"
    if headline["version"] and headline["version"][0]["previous_version"]:
        version = headline["version"][0]
        change = version["version_change"]
        figure = f"Newest coefficients: {change}"
        state = _STATES.get(change, "plain")
        lines.append(
            f"{version['version_name']} against {version['previous_version']}: truncated"
            f" {percent(version['previous_truncation_rate'])} →"
            f" {percent(version['truncation_rate'])}, underestimated"
            f" {percent(version['previous_underestimation_rate'])} →"
            f" {percent(version['underestimation_rate'])}."
        )
    if len(weeks) > 1:
        if not lines:
            figure = (
                f"Truncated {percent(weeks[1]['truncation_rate'])} →"
                f" {percent(weeks[0]['truncation_rate'])} in the newest week"
            )
        lines.append(
            f"Week of {weeks[0]['period_start']:%Y-%m-%d}: {percent(weeks[0]['truncation_rate'])}"
            f" truncated of {count(weeks[0]['n'], 'call')}; the one before:"
            f" {percent(weeks[1]['truncation_rate'])} of {weeks[1]['n']:,}."
        )
    lines += [f"Newest runs against the first ones: {row['drift']}." for row in headline["drift"]]
    return Answer("What changed?", figure, state, tuple(lines), HEADLINE[2].sql)


def _next_steps(headline: dict[str, Rows], recent: dict[str, Any], alerts: Rows) -> Answer:
    steps = []
    by_action: dict[str, list[str]] = {}
    for alert in alerts:
        by_action.setdefault(alert["action"], []).append(alert["subject"])
    for action, subjects in by_action.items():
        more = f" and {len(subjects) - 3} more" if len(subjects) > 3 else ""
        steps.append(f"{action}: {', '.join(subjects[:3])}{more}.")
    if recent.get("verdict") == "tune":
        steps.append(f"Recalibrate {recent['direction']}: {recent['reason']}.")
    elif recent.get("verdict") == "insufficient data":
        steps.append(f"Collect before tuning: {recent['reason']}.")
    if headline["gap"]:
        gap = headline["gap"][0]
        steps.append(
            f"Collect {gap['category']} / {gap['complexity']} (deliverables:"
            f" {gap['deliverable_bucket']}): {gap['needed_for_minimum']} clean calls are missing."
        )
    quarantined = headline["landing"][0]["quarantined"]
    if quarantined:
        steps.append(f"Look at {count(quarantined, 'quarantined line')}: marts.rejected_lines.")
    figure = f"{count(len(alerts), 'open alert')}" if alerts else "No open alert"
    critical = any(alert["severity"] == "critical" for alert in alerts)
    state = "bad" if critical else "unclear" if alerts else "good"
    return Answer("What to do next?", figure, state, tuple(steps), SECTIONS[0].sql)
