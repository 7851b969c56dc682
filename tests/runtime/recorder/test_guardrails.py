"""The counters of predictions that the calls of a running process leave behind."""

from __future__ import annotations

import csv
import logging
from typing import TYPE_CHECKING, Any

import pytest

from dbt_project import ROOT
from tokenest_py import Recorder
from tokenest_py.runtime.recorder import guardrails

if TYPE_CHECKING:
    from pathlib import Path

CALL: dict[str, Any] = {
    "run_id": "r", "phase_id": "p", "deliverables": ["src/a.py"], "predicted_output_tokens": 1000,
    "actual_output_tokens": 1000, "stop_reason": "end_turn",
}  # fmt: skip
NONE = {"output_over_prediction": 0, "prediction_over_output": 0, "smape_over": 0}


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    """A recorder that is on."""
    return Recorder(tmp_path / "recorded", enabled=True)


def test_the_limits_are_those_of_the_alerts() -> None:
    """Row by row of the seed."""
    with (ROOT / "seeds" / "analysis" / "alert_rules.csv").open(encoding="utf-8") as file:
        rules = {row["name"]: row for row in csv.DictReader(file)}
    for name, limits in guardrails.LIMITS.items():
        assert limits == (float(rules[name]["threshold"]), float(rules[name]["allowed_share"]))


@pytest.mark.parametrize(
    ("changed", "counted"),
    [
        # 1200 / 1000 is 1.2, and not more
        ({"actual_output_tokens": 1200}, {}),
        ({"actual_output_tokens": 1201}, {"output_over_prediction": 1}),
        # 250 is a fourth; |250 - 1000| / 625 is 120 %
        ({"actual_output_tokens": 250}, {"smape_over": 1}),
        ({"actual_output_tokens": 249}, {"prediction_over_output": 1, "smape_over": 1}),
        # 2000 / 2000 is 100 %, and not more; 2001.5 would be
        ({"actual_output_tokens": 3000}, {"output_over_prediction": 1}),
        ({"actual_output_tokens": 3001}, {"output_over_prediction": 1, "smape_over": 1}),
        # what was cut off, or may have been, needed at least that
        ({"actual_output_tokens": 100, "stop_reason": "max_tokens"}, {}),
        ({"actual_output_tokens": 100, "stop_reason": None}, {}),
        ({"actual_output_tokens": 100, "stop_reason": None, "truncated": False},
         {"prediction_over_output": 1, "smape_over": 1}),
        ({"actual_output_tokens": 3001, "stop_reason": "max_tokens"},
         {"output_over_prediction": 1, "smape_over": 1}),
    ],
)  # fmt: skip
def test_a_call_breaks_rules(
    recorder: Recorder, changed: dict[str, Any], counted: dict[str, int]
) -> None:
    """At each limit and just behind it."""
    assert recorder.record(**CALL | changed)
    assert recorder.status().guardrails == {"predicted": 1} | NONE | counted


@pytest.mark.parametrize(
    "changed",
    [
        {"deliverables": None},
        {"deliverables": None, "deliverable_count": 0},
        {"predicted_output_tokens": None},
        {"predicted_output_tokens": 0},
        {"actual_output_tokens": 0},
    ],
)
def test_what_is_no_estimate_is_not_counted(recorder: Recorder, changed: dict[str, Any]) -> None:
    """Without deliverables half of the calls need more than their median."""
    assert recorder.record(**CALL | changed)
    assert recorder.status().guardrails == {"predicted": 0} | NONE


def test_a_fault_costs_no_event(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is acknowledged."""
    monkeypatch.setattr(guardrails, "LIMITS", None)
    assert recorder.record(**CALL)
    assert recorder.status().written == 1


def test_more_than_is_allowed_is_said_once_a_minute(
    recorder: Recorder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20 calls one may use more than 1.2 times its prediction; the second is too many."""
    now = 1000.0
    monkeypatch.setattr(guardrails, "monotonic", lambda: now)
    caplog.set_level(logging.WARNING, "tokenest")
    over = CALL | {"actual_output_tokens": 1500}
    for call in [over, *[CALL] * 19]:
        recorder.record(**call)
    assert not caplog.messages
    for _ in range(10):
        recorder.record(**over)
    assert caplog.messages == ["output_over_prediction: 2 of 21 predictions; see marts.advice"]
    now += guardrails.WARN_SECONDS
    recorder.record(**CALL)
    assert caplog.messages[1:] == ["output_over_prediction: 11 of 31 predictions; see marts.advice"]
