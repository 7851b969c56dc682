"""The report as an HTML page, as Markdown, and as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tokenest_py.pipeline.printable import plain
from tokenest_py.pipeline.report.charts import draw_charts
from tokenest_py.pipeline.report.pictures import alternative as in_words
from tokenest_py.pipeline.report.pictures import draw
from tokenest_py.pipeline.report.words import cell, percent

if TYPE_CHECKING:
    from jinja2 import Environment

    from tokenest_py.pipeline.report.content import Report, Section

__all__ = ["as_html", "as_json", "as_markdown"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its name in the mart, its heading, and its kind (number, time, text)."""

    name: str
    label: str
    kind: str


def as_html(report: Report) -> str:
    """Return one page that needs no network and no script; all text in it is escaped."""
    from markupsafe import Markup

    # The drawings are checked to be nothing but drawings (charts._checked).
    charts = {name: Markup(svg) for name, svg in draw_charts(report).items()}
    return (
        _environment(autoescape=True)
        .get_template("page.html.j2")
        .render(
            report=report,
            charts=charts,
            drawings=[Markup(draw(ceiling)) for ceiling in report.ceilings[:6]],
            in_words=in_words,
            state=_state,
            states=STATE_COLUMNS,
            alternative=_alternative,
        )
    )


def as_markdown(report: Report) -> str:
    """Return the same content as Markdown; text of the telemetry cannot become markup."""
    text = (
        _environment(autoescape=False)
        .get_template("page.md.j2")
        .render(report=report, md=_markdown_text)
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def as_json(report: Report) -> str:
    """Return the same content as one JSON object: title, period, ceilings, answers, sections."""
    content = {
        "title": report.title,
        "period": report.period,
        "lead": report.lead.sentence if report.lead else None,
        "open_alerts": report.open_alerts,
        "ceilings": [ceiling.row | {"sentence": ceiling.sentence} for ceiling in report.ceilings],
        "copy": report.copy.rows,
        "answers": [
            {
                "question": answer.question,
                "answer": answer.figure,
                "state": answer.state,
                "lines": answer.lines,
                "sql": answer.sql,
            }
            for answer in report.answers
        ],
        "sections": {
            section.question.name: {
                "title": section.question.title,
                "note": section.question.note,
                "sql": section.question.sql,
                "rows": section.rows,
            }
            for section in report.sections
        },
    }
    return json.dumps(content, indent=2, ensure_ascii=False, default=plain) + "\n"


def _environment(*, autoescape: bool) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(cell=cell, columns=_columns, limit=_limit, nothing=_nothing)
    return environment


HIDDEN_COLUMNS = {
    "alerts": {"is_open", "unit"},
    "verdicts": {"truncation_lower", "truncation_upper", "target_truncation"},
}


def _columns(section: Section) -> list[Column]:
    hidden = HIDDEN_COLUMNS.get(section.question.name, set())
    names = [name for name in section.rows[0] if name not in hidden]
    return [
        Column(name, name.replace("_", " "), _kind([row[name] for row in section.rows]))
        for name in names
    ]


def _limit(section: Section) -> str:
    """Return what to say of a table that may go on."""
    most = section.question.most
    if not most or len(section.rows) < most:
        return ""
    return f"These are the first {len(section.rows):,} rows; there may be more."


def _nothing(section: Section) -> str:
    return {
        "alerts": "No rule is broken.",
        "phases": "No truncated call.",
        "saved": "No truncated call.",
        "rejects": "Nothing is in quarantine.",
    }.get(section.question.name, "Nothing to show yet.")


def _kind(values: list[object]) -> str:
    for value in values:
        if isinstance(value, bool | str):
            return "text"
        if isinstance(value, int | float | Decimal):
            return "number"
        if isinstance(value, datetime):
            return "time"
    return "text"


STATE_COLUMNS = {"verdict", "status", "version_change", "severity", "tier_1", "tier_2"}
_STATE_CLASSES = {
    "bad": {"raise", "not met", "worse", "critical", "fail"},
    "unclear": {"lower", "collect", "warning", "unknown"},
}


def _state(value: object) -> str:
    for name, values in _STATE_CLASSES.items():
        if value in values:
            return f"state-{name}"
    return ""


def _alternative(section: Section) -> str:
    """Return what a chart shows, in words, for those who do not see it."""
    rows = section.rows
    match section.question.name:
        case "room":
            parts = [
                f"{r['stratum']}: {percent(r['truncation_rate'])} of {r['n']} calls cut off"
                for r in rows[:8]
            ]
            return "Scatter plot. " + "; ".join(parts)
        case "predictions":
            cut = sum(r["is_truncated"] for r in rows)
            under = sum(r["actual_output_tokens"] > r["predicted_output_tokens"] for r in rows)
            return (
                f"Scatter plot of {len(rows)} calls: {under} needed more than predicted,"
                f" {cut} were cut off and are lower bounds."
            )
        case _:
            parts = [
                f"week of {r['period_start']:%Y-%m-%d}: {percent(r['underestimation_rate'])}"
                f" underestimated, {percent(r['truncation_rate'])} cut off, {r['n']} calls"
                for r in rows[:6]
            ]
            return "Rates by week. " + "; ".join(parts)


_MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def _markdown_text(text: str) -> str:
    return _MARKDOWN_SPECIAL.sub(r"\\\1", " ".join(text.split()))
