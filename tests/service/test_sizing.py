"""`/v1/estimate`, `/v1/budget` and `/v1/ceilings`: what the Estimator and the export say."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

import vintages
from serving import Service, serving
from tokenest_py import Estimator
from tokenest_py.service.sizing import BUDGET, ESTIMATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

RATE = 0.05


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The table's file."""
    return vintages.write(
        tmp_path, lambda packaged: vintages.still(packaged) + vintages.learned(RATE)
    )


@pytest.fixture
def service(tmp_path: Path, table: Path) -> Iterator[Service]:
    """A service that answers from the table."""
    with serving(tmp_path, TOKENEST_COEFFICIENTS=str(table)) as running:
        yield running


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for the tests that only ask."""
    folder = tmp_path_factory.mktemp("asked")
    table = vintages.write(
        folder, lambda packaged: vintages.still(packaged) + vintages.learned(RATE)
    )
    with serving(folder, TOKENEST_COEFFICIENTS=str(table)) as running:
        yield running


QUESTIONS: list[dict[str, Any]] = [
    {},
    {"category": "chat", "model": "gpt-4o", "input_tokens": 900, "max_truncation": RATE},
    {"category": "new", "max_truncation": RATE, "max_tokens": 300},
    {"deliverables": ["Create src/a.py", "docs/b.md"], "complexity": "low", "assume": "modified"},
    {"deliverables": {"files": [{"path": "a.md", "action": "create"}]}, "task": "api reference"},
    {"category": "chat", "labels": {"project": "web"}, "reasoning_tokens": 100, "run_id": "r"},
    {"category": None, "model": None},
]


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_it_answers_what_the_estimator_answers(
    asked: Service, table: Path, question: dict[str, Any]
) -> None:
    """Estimate and budget, member by member."""
    estimator = Estimator.load(table)
    about = {name: value for name, value in question.items() if name in ESTIMATE}
    estimate = estimator.estimate(**about)
    shared = {"model", "input_tokens"}
    budget = estimator.budget(
        estimate,
        **{
            name: value
            for name, value in question.items()
            if name not in ESTIMATE or (name in shared and value is not None)
        },
    )
    answer = asked.ask("POST", "/v1/estimate", about).json
    assert {name: answer[name] for name in answer if name != "breakdown"} == {
        name: getattr(estimate, name) for name in answer if name != "breakdown"
    }
    assert answer["breakdown"] == list(estimate.recorded_breakdown)
    found = asked.ask("POST", "/v1/budget", question).json
    assert found["estimate"] == answer
    own = found.keys() - {"estimate", "record", "request"}
    assert {name: found[name] for name in own} == {name: getattr(budget, name) for name in own}
    record = found["record"]
    assert record["actual_max_tokens"] == record["selected_budget"] == budget.max_tokens


def test_posted_events_move_budgets_as_observe_does(service: Service, table: Path) -> None:
    """The record of the answer, with what became of the call, is all that has to be posted."""
    estimator = Estimator.load(table)
    question = {"category": "new", "max_truncation": RATE, "run_id": "r"}
    first = service.ask("POST", "/v1/budget", question).json
    for number in range(30):
        found = service.ask("POST", "/v1/budget", question).json
        budget = estimator.budget(estimator.estimate(None, "new"), max_truncation=RATE, run_id="r")
        assert (found["max_tokens"], found["seen_factor"]) == (
            budget.max_tokens, budget.seen_factor,
        )  # fmt: skip
        outcome = {"actual_output_tokens": 40 + number, "stop_reason": "stop"}
        assert service.ask("POST", "/v1/events", found["record"] | outcome).status == 200
        estimator.observe(budget, output_tokens=40 + number, stop_reason="stop", run_id="r")
    assert found["max_tokens"] < first["max_tokens"]
    assert len(service.lines()) == 30
    assert {line["budget_source"] for line in service.lines()} == {"so far"}


def test_an_event_that_is_sent_again_is_the_same_call(service: Service) -> None:
    """Whoever had no answer sends it once more; budgets follow it once."""
    question = {"category": "new", "max_truncation": RATE}
    record = service.ask("POST", "/v1/budget", question).json["record"]
    event = record | {"actual_output_tokens": 9000, "stop_reason": "length"}
    event |= {"event_id": "e", "occurred_at": "2026-05-01T10:00:00Z"}
    factors = []
    for _ in range(3):
        assert service.ask("POST", "/v1/events", event).status == 200
        factors.append(service.ask("POST", "/v1/budget", question).json["seen_factor"])
    assert factors[0] > 1
    assert factors == factors[:1] * 3


def test_a_part_of_an_answer_moves_nothing(service: Service) -> None:
    """Nobody knows what the whole one needed, or whether it was cut off."""
    question = {"category": "new", "max_truncation": RATE}
    asked = service.ask("POST", "/v1/budget", question).json
    part = asked["record"] | {"actual_output_tokens": 1, "quality_flags": ["partial_usage"]}
    assert service.ask("POST", "/v1/events", part).status == 200
    assert service.ask("POST", "/v1/budget", question).json == asked


def test_a_ceiling_of_ones_own_judges_no_rate(service: Service) -> None:
    """Its call is remembered all the same; an event without any ceiling too."""
    event = {"category": "new", "actual_output_tokens": 900, "stop_reason": "length"}
    for fields in ({"actual_max_tokens": 900}, {}, {"labels": {"Not a name": "x"}}):
        assert service.ask("POST", "/v1/events", event | fields).status == 200
    question = {"category": "new", "max_truncation": RATE}
    moved = service.ask("POST", "/v1/budget", question).json
    other = service.ask("POST", "/v1/budget", question | {"category": "another"}).json
    assert moved["max_tokens"] > other["max_tokens"]
    assert other["seen_factor"] == 1


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({"prompt": "x"}, "prompt is no member; there are deliverables, "),
        ({"input_tokens": "5"}, "input_tokens has to be of type integer"),
        ({"input_tokens": True}, "input_tokens has to be of type integer"),
        ({"input_tokens": 2**60}, "input_tokens has to be of type integer"),
        ({"max_truncation": 2}, "max_truncation=2.0 will not do"),
        ({"labels": {"model": "m"}}, "labels='model' will not do"),
        ({"model": "m" * 201}, "model has to have at most 200 characters"),
        ({"assume": "old"}, "assume='old' will not do"),
        ({"provider": "nobody"}, "provider='nobody' will not do"),
    ],
)
def test_what_will_not_do_is_named(asked: Service, question: dict[str, Any], says: str) -> None:
    """400, and one line."""
    answer = asked.ask("POST", "/v1/budget", question)
    assert answer.status == 400
    assert answer.json["message"].startswith(says)


def test_the_ceiling_has_the_providers_name(asked: Service) -> None:
    """`request` can be sent as it is."""
    question = {"category": "chat", "max_truncation": RATE, "provider": "openai"}
    assert asked.ask("POST", "/v1/budget", question).json["request"] == {
        "max_completion_tokens": 900
    }
    assert {"provider"} <= BUDGET.keys() - ESTIMATE.keys()


def test_a_promoted_table_is_taken_up(tmp_path: Path, table: Path) -> None:
    """Without a restart; a faulty one leaves the last good one, and /health says so."""
    with serving(
        tmp_path, bounds={"RELOAD_SECONDS": 0}, TOKENEST_COEFFICIENTS=str(table)
    ) as service:
        question = {"category": "chat", "max_truncation": RATE}
        assert service.ask("POST", "/v1/budget", question).json["max_tokens"] == 900
        other = [*vintages.learned(RATE)[:-2], vintages.budget(RATE, 1234, n=30, category="chat")]
        new = vintages.write(tmp_path, lambda packaged: vintages.still(packaged) + other, "new")
        new.replace(table)
        assert service.ask("POST", "/v1/budget", question).json["max_tokens"] == 1234
        table.write_text("broken\n")
        assert service.ask("POST", "/v1/budget", question).json["max_tokens"] == 1234
        coefficients = service.ask("GET", "/health").json["coefficients"]
        assert coefficients["source"] == "last good file"
        assert coefficients["fault"]


NODE = """
const url = process.argv[2];
const answer = await fetch(`${url}/v1/budget`, {
  method: "POST",
  headers: {"content-type": "application/json"},
  body: JSON.stringify({category: "chat", max_truncation: 0.05, provider: "anthropic"}),
});
const budget = await answer.json();
const posted = await fetch(`${url}/v1/events`, {
  method: "POST",
  headers: {"content-type": "application/json"},
  body: JSON.stringify({...budget.record, actual_output_tokens: 321, stop_reason: "end_turn"}),
});
console.log(JSON.stringify([budget.request, (await posted.json()).accepted]));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on this machine")
def test_a_program_of_node_asks_and_tells(service: Service, tmp_path: Path) -> None:
    """Fetch is all it needs."""
    script = tmp_path / "ask.mjs"
    script.write_text(NODE)
    done = subprocess.run(["node", script, service.url], capture_output=True, text=True, check=True)
    assert done.stdout == '[{"max_tokens":900},1]\n'
    [line] = service.lines()
    assert (line["actual_output_tokens"], line["actual_max_tokens"]) == (321, 900)


def test_without_a_database_there_are_no_ceilings(asked: Service) -> None:
    """And a wrong question is named first."""
    answer = asked.ask("GET", "/v1/ceilings")
    assert answer.status == 503
    assert "there is no database" in answer.json["message"]
    assert asked.ask("GET", "/v1/ceilings?for=nobody").status == 400
    assert asked.ask("GET", "/v1/ceilings?max_truncation=7").status == 400
    misspelt = asked.ask("GET", "/v1/ceilings?max_trucation=0.1")
    assert misspelt.status == 400
    assert misspelt.json["message"] == ("max_trucation is no member; there are for, max_truncation")
