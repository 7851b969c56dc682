"""The public names as a typed application uses them; mypy checks this file and nobody runs it."""

from __future__ import annotations

from typing import assert_type

from tokenest_py import (
    AUTO,
    Budget,
    Escalation,
    Estimator,
    Recorder,
    RecorderStatus,
    Sizer,
    Status,
    TokenEstimate,
    labels,
    sized,
    unsized,
)


class Client:
    """In the place of a client library's."""


def application(client: Client, response: object) -> None:
    """A client stays the client that it was, and a result is what its name says."""
    assert_type(sized(client, category="support", max_truncation=0.01, tenant="acme"), Client)
    assert_type(unsized(client), Client)
    assert_type(int(AUTO), int)
    estimator = Estimator.load(reload_after=60)
    assert_type(estimator.status(), Status)
    with labels(category="triage", run="nightly"):
        estimate = estimator.estimate(["src/a.py"], "implementation", labels={"project": "web"})
    assert_type(estimate, TokenEstimate)
    budget = estimator.budget(estimate, model="m", input_tokens=5)
    assert_type(budget, Budget)
    assert_type(budget.request_kwargs("openai"), dict[str, int])
    assert_type(estimator.after_response(budget, response), Escalation)
    recorder = Recorder.from_env()
    assert_type(recorder.record_response(estimate, response, budget=budget), bool)
    assert_type(recorder.status(), RecorderStatus)
    call = Sizer(estimator=estimator, recorder=recorder).begin({}, provider="cohere")
    assert_type(call.kwargs("cohere"), dict[str, int])
    assert_type(call.finish(response), Escalation)
