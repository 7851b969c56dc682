"""One verdict a subject: whatever has happened, no two tables advise opposite things."""

from __future__ import annotations

import json
import random
import re
from html import unescape
from typing import Any

import pytest

from dbt_project import Project, event, line

pytestmark = pytest.mark.slow

HISTORIES = 24
NEITHER = {"raise": "lower", "lower": "raise"}


def history(number: int) -> list[dict[str, Any]]:
    """Calls of one category: at random few or many, cut off or roomy, longer lately, silent."""
    chance = random.Random(number)
    median = chance.choice([40, 300, 2_000])
    ceiling = round(median * chance.choice([0.8, 1.5, 3, 12]))
    count = chance.choice([3, 12, 60, 250])
    grows = chance.choice([1, 1, 1, 2.5])
    says = chance.random() < 0.85
    knows_ceiling = chance.random() < 0.85
    files = chance.choice([None, ["src/a.py"], ["src/a.py", "tests/test_a.py"]])
    found = []
    for call in range(count):
        is_late = call > 0.7 * count
        need = round(median * chance.lognormvariate(0, 0.6) * (grows if is_late else 1)) + 1
        is_cut = knows_ceiling and need > ceiling
        found.append(
            event(
                event_id=f"{number}-{call}",
                occurred_at=f"2026-0{4 if is_late else 1}-{1 + call % 28:02}T{call % 24:02}:00:00Z",
                run_id=f"r-{number}-{call}",
                phase_id=f"p-{call}",
                category=f"kind {number}",
                complexity=chance.choice(["low", "high"]) if number % 3 else None,
                deliverables=files,
                predicted_output_tokens=chance.choice([None, median, 9 * median]),
                actual_max_tokens=ceiling if knows_ceiling else None,
                actual_output_tokens=min(need, ceiling) if is_cut else need,
                stop_reason=("max_tokens" if is_cut else "end_turn") if says else None,
                truncated=is_cut if says else None,
                success=not is_cut,
            )
        )
    return found


def followed() -> list[dict[str, Any]]:
    """Calls of one category at 2000, then, as advised, at 5072, which cut off one of 120."""
    chance = random.Random(7)
    found = []
    for call in range(270):
        ceiling = 2_000 if call < 150 else 5_072
        need = round(1_500 * chance.lognormvariate(0, 0.5))
        need = 5_200 if call == 200 else min(need, 4_900)
        found.append(
            event(
                event_id=f"followed-{call}",
                occurred_at=f"2026-04-{1 + call // 10:02}T{call % 10:02}:00:00Z",
                phase_id=f"p-{call}",
                category="followed",
                complexity=None,
                deliverables=None,
                predicted_output_tokens=None,
                actual_max_tokens=ceiling,
                actual_output_tokens=min(need, ceiling),
                stop_reason="max_tokens" if need > ceiling else "end_turn",
                truncated=need > ceiling,
                success=need <= ceiling,
            )
        )
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """All of the histories in one build."""
    project = Project(tmp_path_factory.mktemp("advice"))
    records = [record for number in range(HISTORIES) for record in history(number)]
    records += followed()
    text = "".join(json.dumps(record) + "\n" for record in records)
    project.telemetry().write_text(text, encoding="utf-8")
    project.build()
    return project


def verdicts(project: Project, figure: str) -> dict[str, str]:
    """The verdict of each subject, by its labels."""
    rows = project.rows("select labels, verdict from marts.advice where figure = ?", figure)
    return dict(rows)


def test_the_histories_differ(built: Project) -> None:
    """Every verdict is given, so that the rest of this file says something."""
    assert set(verdicts(built, "ceiling").values()) == {"raise", "lower", "leave", "collect"}
    assert len(set(verdicts(built, "estimate").values())) >= 2


def test_a_verdict_is_what_its_figures_say(built: Project) -> None:
    """Raise is above the present, lower below it; what was cut off too often is never lowered."""
    for verdict, present, proposed, rate, target, command in built.rows(
        "select verdict, present, proposed, truncation_rate, max_truncation, command"
        " from marts.advice where figure = 'ceiling'"
    ):
        if verdict == "raise":
            assert proposed > present
            assert command == "tokenest promote"
        if verdict == "lower":
            assert proposed < present
            assert rate <= target
        assert (verdict == "leave") == (command is None)


def test_who_did_as_advised_is_left_alone(built: Project) -> None:
    """Older calls were cut off by a smaller ceiling: that of now is near, and it holds."""
    [(cut_off, present, verdict)] = built.rows(
        "select n_truncated, present, verdict from marts.advice where subject = 'followed'"
    )
    assert (cut_off > 30, present, verdict) == (True, 5_072, "leave")
    alerts = "select n_breaches, is_open from marts.alerts where subject = 'followed / unknown'"
    assert built.rows(alerts) == [(cut_off, False)]


def test_a_ceiling_that_is_enough_is_above_its_rate_now_and_then(project: Project) -> None:
    """Three of the first 113 calls under the ceiling that was advised: 2.7 %, and by chance."""
    needs = [300 + number for number in range(584)] + [1_200] * 16  # 16 of 600 at 1000
    later = [300 + 6 * number for number in range(106)] + [1_020, 1_030, 1_040, 1_060] + [1_200] * 3
    project.telemetry().write_bytes(
        b"".join(
            line(
                event_id=f"{day}-{number}", phase_id=f"p-{number}", success=need <= ceiling,
                occurred_at=f"2026-05-{day:02}T09:{number % 60:02}:00Z",
                actual_max_tokens=ceiling, actual_output_tokens=min(need, ceiling),
                stop_reason="max_tokens" if need > ceiling else "end_turn",
                truncated=need > ceiling,
            )
            for day, ceiling, calls in ((5, 1_000, needs), (12, 1_100, later))
            for number, need in enumerate(calls)
        )
    )  # fmt: skip
    project.build()
    said = "select verdict, reason from marts.advice where figure = 'ceiling'"
    near = "smaller ceilings cut off 16 of 713, and the commonest is near what such calls need"
    assert project.rows(said) == [("leave", near)]


def test_what_is_older_than_the_window_is_not_cut_off_now(project: Project) -> None:
    """A prompt of four months ago asked for three times as long answers, and cut off half."""
    chance = random.Random(5)

    def call(number: int, *, day: str, most: int, ceiling: int) -> bytes:
        need = round(chance.uniform(100, most))
        return line(
            event_id=f"{day}-{number}", phase_id=f"p-{number}", occurred_at=f"{day}T09:00:00Z",
            actual_max_tokens=ceiling, actual_output_tokens=min(need, ceiling),
            stop_reason="max_tokens" if need > ceiling else "end_turn", success=True,
            truncated=need > ceiling,
        )  # fmt: skip

    long = [call(n, day="2026-01-05", most=6_000, ceiling=3_000) for n in range(300)]
    short = [call(n, day="2026-05-05", most=1_900, ceiling=2_000) for n in range(250)]
    project.telemetry().write_bytes(b"".join(long + short))
    project.build()
    said = "select verdict, reason from marts.advice where figure = 'ceiling'"
    assert project.rows(said) == [("leave", "it is near what such calls need")]


def test_few_calls_are_not_too_much_that_is_cut_off(project: Project) -> None:
    """An agent tries again what was cut off: what its calls need is known, of too few of them."""
    tries = ((1, 500, "max_tokens"), (2, 700, "end_turn"))
    project.telemetry().write_bytes(
        b"".join(
            line(
                event_id=f"{phase}-{number}", phase_id=phase, attempt=number, stop_reason=stop,
                actual_max_tokens=500 * number, actual_output_tokens=tokens, success=number == 2,
                truncated=number == 1,
            )
            for phase in ("a", "b")
            for number, tokens, stop in tries
        )
    )  # fmt: skip
    project.build()
    said = "2 of 4 were cut off; too few calls: 49 that ended by themselves show 2 %"
    reasons = "select distinct reason from report.cmd_advise where max_truncation = 0.02"
    assert project.rows(reasons) == [(said,)]


def test_advise_and_export_say_the_same(built: Project) -> None:
    """The command's rows at the rate, the proposed ceilings, and what the runtime answers."""
    advised = {
        labels: (verdict, proposed)
        for labels, verdict, proposed in built.rows(
            "select labels, verdict, proposed from marts.advice where figure = 'ceiling'"
        )
    }
    assert advised == {
        labels: (verdict, proposed)
        for labels, verdict, proposed in built.rows(
            "select labels, verdict, proposed_tokens from report.cmd_advise"
            " where max_truncation = 0.02"
        )
    }
    exported = dict(
        built.rows(
            "select name, max_tokens from report.cmd_export_ceilings"
            " where kind = 'group' and max_truncation = 0.02"
        )
    )
    for labels, (_, proposed) in advised.items():
        assert proposed is None or exported.get(labels, proposed) == proposed


def test_no_alert_contradicts_the_advice(built: Project) -> None:
    """An open alert on truncation repeats the verdict, and that is never to lower or to leave."""
    subjects = dict(
        built.rows("select subject, verdict from marts.advice where figure = 'ceiling'")
    )
    alerts = built.rows(
        "select rule_name, subject, action from marts.alerts where is_open"
        " and rule_name in ('truncation_over_target', 'truncation_in_week')"
    )
    assert len(alerts) > 3
    for _, subject, action in alerts:
        assert "rollback" not in action  # nothing was ever promoted
        verdict = subjects.get(subject.removesuffix(" / unknown"))
        if verdict is not None:
            assert verdict in {"raise", "collect"}, subject
            assert action.startswith(f"marts.advice says {verdict}: "), action


def test_multipliers_act_as_advised(built: Project) -> None:
    """The method that is exported, against replayed estimates: one action each."""
    advised = verdicts(built, "estimate")
    actions = {
        json.dumps({"category": category, "complexity": complexity}, separators=(",", ":")): action
        for category, complexity, action in built.rows(
            "select category, complexity, action from marts.multipliers"
            " where method = 'median_shrunk' and estimator_version = 'replayed'"
        )
    }
    assert advised == actions


BEGINS = {"raise": {"Promote", "Raise"}, "lower": {"Promote", "Lower"}, "leave": {"Leave"},
          "collect": {"Collect"}}  # fmt: skip


def ceilings(project: Project) -> dict[str, str]:
    """The verdict on the ceiling of each subject, by the name that people read."""
    return dict(project.rows("select subject, verdict from marts.advice where figure = 'ceiling'"))


@pytest.fixture(scope="module")
def pages(built: Project) -> dict[str, str]:
    """The report in each form, as the text that a person reads."""
    found = {}
    for form in ("html", "md", "json", "table"):
        done = built.tokenest("report", "--format", form)
        assert done.returncode == 0, done.stderr
        found[form] = done.stdout
    page = (built.folder / "exports" / "report.html").read_text(encoding="utf-8")
    page = page.partition("</style>")[2]
    found["html"] = " ".join(unescape(re.sub("<[^>]*>", " ", page)).split())
    return found


@pytest.mark.parametrize("form", ["html", "md", "json", "table"])
def test_no_page_advises_the_opposite(built: Project, pages: dict[str, str], form: str) -> None:
    """What a page says to raise or to lower is what marts.advice says, in every form."""
    advised, text = ceilings(built), pages[form]
    steps = re.findall(r"\b(Raise|Lower) (kind [^:]*?)(?: and \d+ more)?: +tokenest promote", text)
    assert {word.lower() for word, _ in steps} == {"raise", "lower"}
    for word, named in steps:
        assert {advised[subject] for subject in named.split(", ")} == {word.lower()}
    told = re.findall(r"marts\.advice says (\w+)", text)
    assert set(told) <= {"raise", "collect", "leave"}  # the last of an alert that is closed


def test_the_sentence_and_the_table_are_of_one_verdict(
    built: Project, pages: dict[str, str]
) -> None:
    """Of each group the sentence begins as its verdict does, and so does the row to copy."""
    advised, content = ceilings(built), json.loads(pages["json"])
    assert {row["subject"]: row["verdict"] for row in content["ceilings"]} == advised
    for row in content["ceilings"]:
        assert row["sentence"].split(":")[0] in BEGINS[row["verdict"]]
        assert f"- {row['subject']}: {row['sentence']}" in pages["md"]
    drawn = [row for row in content["ceilings"] if row["sentence"] in pages["html"]]
    assert len(drawn) > 3  # the page draws the largest groups, and names what is left out
    copied = built.rows(
        "select copied.subject, now_max_tokens, max_tokens, copied.verdict,"
        " case when count(*) over (partition by copied.subject) = 1 then advice.proposed end"
        " from report.rpt_copy as copied join marts.advice using (subject)"
    )
    assert any(of_group is not None for *_, of_group in copied)
    for subject, now, proposed, verdict, of_group in copied:
        assert advised[subject] == verdict
        assert of_group in {None, proposed}
        if now is not None and proposed is not None and verdict in NEITHER:
            assert (proposed > now) == (verdict == "raise"), subject


def test_advice_on_the_very_files_is_the_same(built: Project) -> None:
    """`tokenest advise`, which lands them by itself, against the tables of the build."""
    done = built.tokenest("advise", "telemetry/events.ndjson", "--format", "json")
    assert done.returncode == 0, done.stderr
    advised = verdicts(built, "ceiling")
    rows = json.loads(done.stdout)
    rows = rows["groups"] if isinstance(rows, dict) else rows
    told = {json.dumps(row["labels"], separators=(",", ":")): row["verdict"] for row in rows}
    assert told == advised
