"""One verdict a subject: whatever has happened, no two tables advise opposite things."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from dbt_project import Project, event

pytestmark = pytest.mark.slow

TABLES = ["+alerts", "+cmd_advise", "+cmd_export_ceilings"]
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


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """All of the histories in one build."""
    project = Project(tmp_path_factory.mktemp("advice"))
    records = [record for number in range(HISTORIES) for record in history(number)]
    text = "".join(json.dumps(record) + "\n" for record in records)
    project.telemetry().write_text(text, encoding="utf-8")
    project.dbt_build("-s", *TABLES)
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
