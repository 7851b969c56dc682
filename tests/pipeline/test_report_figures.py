"""The figures of the report are whole: what a table leaves out is counted all the same."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from dbt_project import ROOT, Project, line
from tokenest_py.pipeline.calibration.scoring import wilson
from tokenest_py.pipeline.report.content import _change, _period, _safety
from tokenest_py.pipeline.report.queries import COPY, SECTIONS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

KINDS = 110
MODELS = 50
PRICE = 1.5  # US dollars for 1,000 tokens
PAID = 40  # as many rows as the table of costs shows of older weeks
ALL_OF_VIEW = {"alerts", "predictions"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Kinds of which every call is cut off, one with two ceilings, and calls without a label."""
    project = Project(tmp_path_factory.mktemp("whole"))

    def call(name: str, number: int, output: int, ceiling: int | None, **fields: object) -> bytes:
        return line(
            event_id=f"{name}-{number}",
            phase_id=f"{name}-{number}",
            run_id=f"run-{number % 9}",
            occurred_at=f"2026-01-05T{number % 24:02}:{number // 24:02}:00Z",
            model=f"house-{number % MODELS}",
            actual_max_tokens=ceiling,
            actual_output_tokens=output,
            predicted_output_tokens=None,
            deliverables=None,
            truncated=output == ceiling,
            stop_reason="max_tokens" if output == ceiling else "end_turn",
            success=None if name == "two" else ceiling is None or output < ceiling,
            **fields,
        )

    lines = [
        call(f"kind{kind}", number, 1000, 1000, category=f"kind {kind}", complexity="low")
        for kind in range(KINDS)
        for number in range(6)
    ]
    for number in range(400):
        ceiling = 500 if number % 4 == 0 else 8000
        output = min(100 + 2 * number, ceiling)
        lines.append(call("two", number, output, ceiling, category="two", complexity="low"))
    for number in range(200):
        ceiling, output = (3000, 1500) if number < 30 else (600 + number, 100 + number)
        lines.append(call("small", number, output, ceiling, category="small", complexity="low"))
    lines += [call("bare", number, 90, 900, category=None, complexity=None) for number in range(60)]
    # of each tenth model no call says its ceiling
    lines += [
        call("tenth", number, 90, 900 if number % 10 else None, category="tenth")
        for number in range(60)
    ]
    project.telemetry().write_bytes(b"".join(lines))
    project.build()
    return project


@pytest.fixture(scope="module")
def content(built: Project) -> dict[str, Any]:
    """The report as JSON."""
    found: dict[str, Any] = json.loads(built.tokenest("report", "--format", "json").stdout)
    return found


def test_all_open_alerts_and_all_groups_are_counted(
    built: Project, content: dict[str, Any]
) -> None:
    """More than a table shows: an alert a kind, on two ceilings, on all calls and their week."""
    ((is_open,),) = built.rows("select count(*) from marts.alerts where is_open")
    assert is_open == KINDS + 3 == content["open_alerts"]
    todo = content["answers"][3]
    assert todo["answer"] == f"{is_open} open alerts"
    ((raised,),) = built.rows(
        "select count(*) from marts.advice where figure = 'ceiling' and verdict = 'raise'"
    )
    assert raised == KINDS
    assert todo["lines"][0].endswith(f" and {KINDS - 3} more: tokenest promote.")


def test_the_newest_week_is_summed_up_whole(content: dict[str, Any]) -> None:
    """Of each of its models there is a row."""
    assert len(content["sections"]["costs"]["rows"]) == MODELS


def test_an_alert_on_all_calls_has_no_verdict_on_those_without_labels(built: Project) -> None:
    """Calls without labels are to stay as they are; all calls together are many groups."""
    ((subject, verdict),) = built.rows(
        "select subject, verdict from marts.advice where labels = '{}'"
    )
    assert (subject, verdict) == ("all others", "leave")  # as `tokenest advise` names them
    ((action,),) = built.rows(
        "select action from marts.alerts"
        " where rule_name = 'truncation_over_target' and subject = 'all'"
    )
    assert action == "See the verdicts on the ceilings (marts.advice)"


def test_the_ceiling_now_is_one_that_was_sent(built: Project) -> None:
    """Half of the calls of a model had 500, and half 8,000: no call had 4,250."""
    rows = built.rows(
        "select distinct now_max_tokens from report.rpt_copy where subject like 'two%'"
    )
    assert rows
    assert {now for (now,) in rows} <= {500, 8000}


def test_now_and_then_are_of_the_same_calls(built: Project) -> None:
    """What reserves nothing now stood in the sum of then, and the two were set side by side."""
    rows = built.rows(
        "select reserved_tokens, reserved_then_tokens, used_tokens, used_then_tokens"
        " from intermediate.int_ceiling_outcomes where labels like '%tenth%'"
    )
    assert {now is None for now, *_ in rows} == {True, False}
    for now, then, used, used_then in rows:
        assert (now is None) == (then is None)
        assert used == used_then


def test_who_records_no_success_sees_what_a_higher_ceiling_saves(built: Project) -> None:
    """Nothing of `sized()` says a success; every quantile was null."""
    assert built.rows(
        "select count(*) from marts.calls where category = 'two' and is_success is not null"
    ) == [(0,)]
    rows = built.rows(
        "select new_ceiling, n_finished from marts.what_if where category = 'two' and quantile = 1"
    )
    assert rows == [(898.0, 350)]


def test_the_tiers_are_of_periods_that_are_named(built: Project) -> None:
    """Weeks and blocks of runs stood there as `all`, each a row."""
    rows = built.rows("select scope from report.rpt_verdicts where stratum = 'all' order by scope")
    assert len(rows) == len(set(rows)) > 1


def test_the_report_says_since_when_calls_are_recent(tmp_path: Path) -> None:
    """The window ends where the third file ends, and not with the newest event."""
    project = Project(tmp_path)
    for month in (1, 2, 5):
        path = project.telemetry(f"{month}.ndjson")
        path.write_bytes(line(event_id=f"{month}", occurred_at=f"2026-0{month}-05T12:00:00Z"))
    project.build("rpt_recent")
    ((since, n),) = project.rows("select first_seen, n_stop_known from report.rpt_recent")
    assert (f"{since:%Y-%m-%d %H}", n) == ("2026-01-05 12", 3)
    landed = {"events": 3, "events_left_out": 0, "first_seen": since, "last_seen": since}
    said = _period(landed, {"first_seen": since})
    assert said.endswith("2026-01-05. Recent means since 2026-01-05 (var recent_days).")
    assert _period(landed, {}).endswith("2026-01-05.")  # of a build before this was said


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (1, "Too few calls to say: 0.0 % truncated"),
        (48, "Too few calls to say: 0.0 % truncated"),
        (49, "Probably: 0.0 % truncated"),
        (1000, "Yes: 0.0 % truncated"),
    ],
)
def test_few_calls_are_not_probably_safe(known: int, said: str) -> None:
    """As many calls have to be there as show a quantile at the target."""
    upper = 3.84 / (known + 3.84)
    recent = {
        "truncation_rate": 0.0, "truncation_lower": 0.0, "truncation_upper": upper,
        "target_truncation": 0.02, "n_stop_known": known, "n_truncated": 0,
    }  # fmt: skip
    answer = _safety(recent, [], is_coding=False)
    assert answer.figure == said
    assert (answer.state == "good") == said.startswith("Yes")


@pytest.mark.parametrize(
    ("cut_off", "said", "state"),
    [
        (10, "In the newest week yes: 1.0 % truncated", "unclear"),
        (20, "No: 8.8 % truncated", "bad"),
    ],
)
def test_a_newest_week_that_holds_is_seen(cut_off: int, said: str, state: str) -> None:
    """Ceilings were raised a week ago: the weeks before stay recent, and are not how it is now."""
    recent = {
        "truncation_rate": 0.088, "truncation_lower": 0.077, "truncation_upper": 0.101,
        "n_truncated": 185, "n_stop_known": 2100, "target_truncation": 0.02,
    }  # fmt: skip
    week = {
        "period_start": datetime(2026, 10, 19, tzinfo=UTC), "truncation_rate": cut_off / 1050,
        "truncation_lower": wilson(cut_off, 1050, -1), "truncation_upper": wilson(cut_off, 1050, 1),
        "n_stop_known": 1050,
    }  # fmt: skip
    answer = _safety(recent, [week], is_coding=False)
    assert (answer.figure, answer.state) == (said, state)


def test_small_ceilings_say_nothing_against_the_commonest(built: Project) -> None:
    """50 of 400 calls were cut off at 500 tokens, none at 8,000: what they need is known."""
    ((n_truncated, verdict, reason, proposed),) = built.rows(
        "select n_truncated, verdict, reason, proposed from marts.advice"
        " where subject = 'two / low'"
    )
    assert (n_truncated, verdict) == (50, "lower")
    assert reason.startswith(
        "smaller ceilings cut off 50 of 400, and the commonest is too large: frees "
    )
    assert 800 < proposed < 2000


def test_no_share_that_is_freed_is_below_zero(built: Project) -> None:
    """The commonest ceiling is 3,000, the mean of all near 1,100, and calls need 1,500."""
    ((verdict, reason, freed),) = built.rows(
        "select verdict, reason, freed_tokens from report.cmd_advise"
        " where call_group = 'small / low' and max_truncation = 0.02"
    )
    assert (verdict, freed < 0) == ("lower", True)
    # of 200 calls in 24 hours the newest 100 are those of 13 hours
    now = [3000 if number < 30 else 600 + number for number in range(200) if number % 24 >= 11]
    more = round(-100 * freed / (200 * sum(now) / len(now)))
    assert reason == f"in the place of all ceilings it reserves {more} % more"


def test_a_table_that_may_go_on_says_so(built: Project) -> None:
    """The limit of each view is that of its question, and stands below a table that reaches it."""
    for question in (COPY, *SECTIONS):
        sql = (ROOT / f"models/report/page/{question.view}.sql").read_text(encoding="utf-8")
        limits = [int(most) for most in re.findall(r"row_no <= (\d+)", sql)]
        expected = [] if question.name in ALL_OF_VIEW else [question.most] * bool(question.most)
        assert question.name in ALL_OF_VIEW or limits == expected, question.name
    text = built.tokenest("report", "--format", "md").stdout
    assert "These are the first 80 rows; there may be more." in text


def test_files_add_up(content: dict[str, Any]) -> None:
    """The note names each verdict on a line, and each has a column."""
    lines = next(question for question in SECTIONS if question.name == "lines")
    total, parts = lines.note.split(", ")[0].split(" = ")
    for row in content["sections"]["lines"]["rows"]:
        assert row[total] == sum(row[part] for part in parts.split(" + "))
    assert "other" in parts


def test_weeks_are_named_with_the_calls_that_decide() -> None:
    """A rate stands beside its own calls, and a week long ago is not called the one before."""
    weeks = [
        {"period_start": datetime(2026, month, 5, tzinfo=UTC), "truncation_rate": rate, "n": 90,
         "n_stop_known": known}
        for month, rate, known in ((1, 0.5, 2), (10, 0.25, 4))
    ][::-1]  # fmt: skip
    [week] = _change({"version": [], "drift": []}, weeks, is_coding=False).lines
    assert week == (
        "Week of 2026-10-05: 25.0 % truncated of 4 calls; week of 2026-01-05: 50.0 % of 2."
    )


@pytest.mark.parametrize(
    ("change", "rate", "figure", "state"),
    [
        ("worse", 0.015, "more is cut off, within the target", "unclear"),
        ("worse", 0.03, "worse", "bad"),
        ("worse", 0.0, "worse", "bad"),  # in what needed more than predicted
        ("better", 0.03, "more is cut off", "unclear"),
        ("no clear change", 0.015, "no clear change", "plain"),
    ],
)
def test_a_table_that_keeps_its_promise_is_not_worse(
    change: str, rate: float, figure: str, state: str
) -> None:
    """Ceilings lowered to a target of 2 % cut off more than those before, as was asked for."""
    version = {"version_name": "v b", "previous_version": "v a", "version_change": change,
               "truncation_rate": rate, "previous_truncation_rate": 0.001}  # fmt: skip
    headline = {"version": [version], "recent": [{"target_truncation": 0.02}], "drift": []}
    answer = _change(headline, [], is_coding=False)
    assert (answer.figure, answer.state) == (f"Newest coefficients: {figure}", state)


@pytest.mark.parametrize(("is_coding", "figure"), [(True, "worse"), (False, "no clear change")])
def test_a_median_that_moved_makes_no_table_worse(*, is_coding: bool, figure: str) -> None:
    """Without deliverables the estimate is a median: what needs more says nothing of ceilings."""
    version = {"version_name": "v b", "previous_version": "v a", "version_change": "worse",
               "truncation_change": "no clear change",
               "truncation_rate": 0.051, "previous_truncation_rate": 0.046}  # fmt: skip
    headline = {"version": [version], "recent": [{"target_truncation": 0.02}], "drift": []}
    answer = _change(headline, [], is_coding=is_coding)
    assert answer.figure == f"Newest coefficients: {figure}"
