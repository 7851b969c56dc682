"""What the report says: the rows of each question, and the four answers of the first screen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from tokenest_py.pipeline.calibration.gates import calls_needed
from tokenest_py.pipeline.database import read
from tokenest_py.pipeline.printable import printable
from tokenest_py.pipeline.report.queries import COPY, HEADLINE, SECTIONS, Question
from tokenest_py.pipeline.report.words import count, factor, money, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

__all__ = ["Answer", "Ceiling", "Report", "Section", "read_report"]

Rows = list[dict[str, Any]]
Ceilings: TypeAlias = "tuple[Ceiling, ...]"


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
class Ceiling:
    """What is proposed for one group of calls, or for all of them, in one sentence.

    state is good, bad, unclear or plain, as that of an answer.
    """

    subject: str
    sentence: str
    state: str
    row: dict[str, Any]
    bins: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report shows, in the order in which it shows it."""

    title: str
    period: str
    lead: Ceiling | None
    ceilings: tuple[Ceiling, ...]
    copy: Section
    answers: tuple[Answer, ...]
    sections: tuple[Section, ...]
    open_alerts: int

    def rows_of(self, name: str) -> Rows:
        """Return the rows of a section; none when the report does not show it."""
        return next((s.rows for s in self.sections if s.question.name == name), [])


def read_report(
    connection: duckdb.DuckDBPyConnection, sections: Sequence[Question] = SECTIONS
) -> Report:
    """Return the report of a database that `tokenest build` made.

    Args:
        connection: The database.
        sections: What stands below the first screen, which needs those of ANSWERED_FROM.

    Raises DatabaseError when marts are missing that every build makes.
    """
    headline = {question.name: _answer_rows(connection, question) for question in HEADLINE}
    every = tuple(Section(question, _answer_rows(connection, question)) for question in sections)
    landed = headline["landing"][0]
    # deliverables and plans are the work of coding agents; others see nothing of them
    is_coding = bool(landed["with_deliverables"] or landed["attempts"])
    if not is_coding:
        headline["gap"] = []
    rows = {section.question.name: section.rows for section in every}
    weeks = [week for week in rows["trend"] if week["truncation_rate"] is not None][:2]
    recent = headline["recent"][0] if headline["recent"] else {}
    open_alerts = [alert for alert in rows["alerts"] if alert["is_open"]]
    rises = len(weeks) > 1 and weeks[0]["truncation_rate"] > weeks[1]["truncation_rate"]
    rises = rises or any(_cuts_off_more(version) for version in headline["version"])
    lead, ceilings = read_ceilings(headline["ceilings"], headline["demand"])
    answers = (
        _safety(recent, weeks, is_coding=is_coding),
        _cost(recent, rows["costs"]),
        _change(headline, weeks, is_coding=is_coding),
        _next_steps(headline, ceilings, open_alerts),
    )
    return Report(
        title="Token budgets: safety and cost",
        period=_period(landed, recent),
        lead=lead,
        ceilings=ceilings,
        copy=Section(COPY, headline["copy"]),
        answers=tuple(
            replace(answer, state="plain") if rises and answer.state == "good" else answer
            for answer in answers
        ),
        sections=tuple(
            section
            for section in every
            if (is_coding or not section.question.is_coding)
            and (section.rows or section.question.name == "alerts")
        ),
        open_alerts=len(open_alerts),
    )


def _answer_rows(connection: duckdb.DuckDBPyConnection, question: Question) -> Rows:
    return [
        {name: printable(v) if isinstance(v, str) else v for name, v in row.items()}
        for row in read(connection, question.sql)
    ]


def _period(landed: dict[str, Any], recent: dict[str, Any]) -> str:
    if not landed["events"]:
        return "No events have landed."
    left_out = landed["events_left_out"]
    without = f", {count(left_out, 'test row or copy', 'test rows and copies')} left out"
    since = recent.get("first_seen")  # a build of an earlier version does not say it
    begin = f" Recent means since {since:%Y-%m-%d} (var recent_days)." if since else ""
    return (
        f"{count(landed['events'], 'event')} from {landed['first_seen']:%Y-%m-%d} to"
        f" {landed['last_seen']:%Y-%m-%d}{without if left_out else ''}.{begin}"
    )


def _safety(recent: dict[str, Any], weeks: Rows, *, is_coding: bool) -> Answer:
    question = "Are we safe?"
    sql = HEADLINE[0].sql
    if recent.get("truncation_rate") is None:
        return Answer(question, "unknown", "unclear", ("No recent call says how it stopped.",), sql)
    rate, target = recent["truncation_rate"], recent["target_truncation"]
    interval = f"{percent(recent['truncation_lower'])} to {percent(recent['truncation_upper'])}"
    calls = count(recent["n_stop_known"], "recent call")
    evidence = f"{recent['n_truncated']} of {calls} cut off; 95 % interval {interval}"
    lines = [f"{evidence}; target at most {percent(target)}."]
    if is_coding and recent["underestimation_rate"] is not None:
        lines.append(
            f"{percent(recent['underestimation_rate'])} needed more than predicted"
            f" (target at most {percent(recent['target_underestimation'])}):"
            " a risk only where the ceiling follows the prediction."
        )
    if recent["truncation_lower"] > target:
        state, word = "bad", "No"
        if weeks and weeks[0]["truncation_upper"] <= target:  # whoever did as advised
            state, word, rate = "unclear", "In the newest week yes", weeks[0]["truncation_rate"]
            bounds = percent(weeks[0]["truncation_lower"]), percent(weeks[0]["truncation_upper"])
            lines.append(
                f"Week of {weeks[0]['period_start']:%Y-%m-%d}: {percent(rate)} of"
                f" {count(weeks[0]['n_stop_known'], 'call')}; 95 % interval"
                f" {' to '.join(bounds)}."
            )
    elif rate > target:
        state, word = "unclear", "Perhaps not"
        lines.append("The interval still holds the target: it could be chance.")
    elif (recent["n_stop_known"] + 1) * target < 1:  # as many as a quantile needs
        state, word = "unclear", "Too few calls to say"
    elif recent["truncation_upper"] > target:
        state, word = "unclear", "Probably"
        lines.append("The interval reaches beyond the target: too few calls to be sure.")
    else:
        state, word = "good", "Yes"
    return Answer(question, f"{word}: {percent(rate)} truncated", state, tuple(lines), sql)


def _cost(recent: dict[str, Any], costs: Rows) -> Answer:
    question = "What does it cost?"
    sql = HEADLINE[0].sql
    money = _money(costs)
    used, reserved = recent.get("tokens_used"), recent.get("tokens_reserved")
    if not used or not reserved:
        line = "No recent call records its ceiling (actual_max_tokens, selected_budget)."
        if reserved:
            line = f"{reserved:,.0f} tokens reserved, none used: no recent call has any output."
        return Answer(question, "unknown", "unclear", (line, *money), sql)
    half, tenth = factor(recent["p50_ceiling_ratio"]), factor(recent["p90_ceiling_ratio"])
    not_billed = "Room is not billed; it counts against rate limits and reserved capacity."
    lines = (
        f"{reserved:,.0f} tokens reserved, {used:,.0f} used. {not_billed}",
        f"Half of the calls reserve at least {half}, a tenth at least {tenth} of what they use.",
        *money,
    )
    within = recent["p90_ceiling_ratio"] < recent["target_p90_ceiling_ratio"]
    figure = f"{factor(recent['reserved_ratio'])} reserved for each token used"
    return Answer(question, figure, "plain" if within else "unclear", lines, sql)


def _money(costs: Rows) -> list[str]:
    """What the newest week cost, where the prices of its models are known."""
    newest = [row for row in costs if row["week_start"] == costs[0]["week_start"]]
    priced = [row for row in newest if row["spent"] is not None]
    if not priced:
        return []
    spent, lost = (sum(row[name] for row in priced) for name in ("spent", "spent_on_cut_off"))
    unknown = len(newest) - len(priced)
    without = f"; {count(unknown, 'model has', 'models have')} no known price" if unknown else ""
    week = f"Week of {newest[0]['week_start']:%Y-%m-%d}"
    return [f"{week}: {money(spent)} USD, of it {money(lost)} for cut-off answers{without}."]


_STATES = {"better": "good", "worse": "bad"}


def _change(headline: dict[str, Rows], weeks: Rows, *, is_coding: bool) -> Answer:
    lines = []
    figure, state = "Nothing to compare yet", "plain"
    if headline["version"] and headline["version"][0]["previous_version"]:
        version = headline["version"][0]
        change = version["version_change"]
        if not is_coding:  # half of the calls need more than a median, the estimate of a chat
            change = version.get("truncation_change", change)
        figure = f"Newest coefficients: {change}"
        state = _STATES.get(change, "plain")
        is_promised = change == "worse" and _is_within_target(version, headline["recent"])
        if _cuts_off_more(version) and (is_promised or change == "better"):
            aim = ", within the target" if is_promised else ""
            figure, state = f"Newest coefficients: more is cut off{aim}", "unclear"
        lines.append(
            f"{version['version_name']} against {version['previous_version']}: truncated"
            f" {percent(version['previous_truncation_rate'])} →"
            f" {percent(version['truncation_rate'])}."
        )
    if len(weeks) > 1:
        if not lines:
            figure = (
                f"Truncated {percent(weeks[1]['truncation_rate'])} →"
                f" {percent(weeks[0]['truncation_rate'])} in the newest week"
            )
        lines.append(
            f"Week of {weeks[0]['period_start']:%Y-%m-%d}: {percent(weeks[0]['truncation_rate'])}"
            f" truncated of {count(weeks[0]['n_stop_known'], 'call')}; week of"
            f" {weeks[1]['period_start']:%Y-%m-%d}: {percent(weeks[1]['truncation_rate'])}"
            f" of {weeks[1]['n_stop_known']:,}."
        )
    if is_coding:
        lines += [f"Newest runs against the first: {row['drift']}." for row in headline["drift"]]
    return Answer("What changed?", figure, state, tuple(lines), HEADLINE[2].sql)


def _is_within_target(version: dict[str, Any], recent: Rows) -> bool:
    """Whether a table cuts off no more than it promises: a lower ceiling does so on purpose."""
    rate = version["truncation_rate"]
    return bool(recent) and rate is not None and rate <= recent[0]["target_truncation"]


def _cuts_off_more(version: dict[str, Any]) -> bool:
    now, before = version["truncation_rate"], version["previous_truncation_rate"]
    return now is not None and before is not None and now > before


def _next_steps(headline: dict[str, Rows], ceilings: Ceilings, alerts: Rows) -> Answer:
    steps = []
    n, needed = sum(row["n"] for row in headline["ceilings"] if row["is_total"]), calls_needed()
    asked_for = f", which asks for {needed:,} calls (now {n:,})" if n < needed else ""
    for verdict in ("raise", "lower"):
        found = [c for c in ceilings if c.row["verdict"] == verdict]
        if found:
            named = _some([c.subject for c in found], found[0].row["n_of_verdict"])
            steps.append(f"{verdict.capitalize()} {named}: tokenest promote{asked_for}.")
    by_action: dict[str, dict[str, None]] = {}  # several rules may name one subject
    for alert in alerts:
        by_action.setdefault(alert["action"], {})[alert["subject"]] = None
    steps += [f"{action}: {_some(list(subjects))}." for action, subjects in by_action.items()]
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


def _some(names: list[str], n: int | None = None) -> str:
    n = n or len(names)
    more = f" and {n - 3} more" if n > 3 else ""
    return f"{', '.join(names[:3])}{more}"


def read_ceilings(rows: Rows, bins: Rows) -> tuple[Ceiling | None, Ceilings]:
    """Return the sentence on all calls, and what is proposed for each group of them."""
    groups = [row for row in rows if row["verdict"]]
    verdicts = [row["verdict"] for row in groups]
    found = tuple(
        Ceiling(
            row["subject"],
            _sentence(row, row["verdict"]),
            _CEILING_STATES[row["verdict"]],
            row,
            tuple(one for one in bins if one["labels"] == row["labels"]),
        )
        for row in groups
    )
    totals = [row for row in rows if row["is_total"]]
    if not totals or not found:
        return None, found
    # of all calls together: what most has to be done decides
    verdict = min(verdicts, key=list(_CEILING_STATES).index)
    total = totals[0] | {"reason": next(r["reason"] for r in groups if r["verdict"] == verdict)}
    return Ceiling(
        "all calls", _sentence(total, verdict), _CEILING_STATES[verdict], total, ()
    ), found


_CEILING_STATES = {"raise": "bad", "lower": "unclear", "collect": "unclear", "leave": "plain"}


def _sentence(row: dict[str, Any], verdict: str) -> str:
    now = percent(row["truncation_rate"])
    if verdict not in {"raise", "lower"} or row["truncation_then"] is None:
        if verdict == "leave":
            return f"Leave: {factor(row['reserved_ratio'])} reserved at {now} cut off"
        return f"{verdict.capitalize()}: {row['reason']}"
    then = percent(row["truncation_then"])
    if row["most_truncation_then"] > row["truncation_then"]:
        then += f" to {percent(row['most_truncation_then'])}"
    reserved = f"{factor(row['reserved_ratio'])} → {factor(row['reserved_then_ratio'])}"
    return f"Promote: reserved {reserved} at {then} cut off (now {now})"
