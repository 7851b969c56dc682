"""The description is what the service does: its paths, its members, and its answers."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from collected import make_run
from dbt_project import ROOT
from recorded import EVENT
from serving import serving
from tokenest_py.service.app import ROUTES
from tokenest_py.service.openapi import describe

if TYPE_CHECKING:
    from pathlib import Path


def test_the_page_is_what_the_program_prints() -> None:
    """`make reference` has been run since."""
    page = ROOT / "docs" / "reference" / "openapi.json"
    assert json.loads(page.read_text()) == describe()


def test_every_endpoint_is_described() -> None:
    """With every method, and no other."""
    served = {
        (r.path, method.lower()) for r in ROUTES for method in (r.methods or set()) - {"HEAD"}
    }
    described = {
        (path, method)
        for path, methods in describe()["paths"].items()
        for method in methods
        if method != "parameters"
    }
    assert described == served


def fault(name: str, value: object) -> str:
    """What the schema of this name finds wrong with an answer; nothing where it fits."""
    whole = describe()
    schema = {"$ref": f"#/components/schemas/{name}", "components": whole["components"]}
    validator = import_module("jsonschema").Draft202012Validator(schema)
    return "; ".join(error.message for error in validator.iter_errors(value))


@pytest.mark.slow
def test_every_answer_is_as_described(tmp_path: Path) -> None:
    """Asked one after the other, on a run of its own."""
    make_run(tmp_path / "runs", {"p1": "pass", "p2": "pass"})
    with serving(tmp_path, "--runs", str(tmp_path / "runs")) as service:

        def ask(name: str, method: str, path: str, body: object = None) -> dict[str, Any]:
            answer = service.ask(method, path, body)
            assert fault(name, answer.json) == "", (method, path)
            return answer.json

        assert ask("Ceilings", "GET", "/openapi.json") == describe()
        ask("Health", "GET", "/health?run=r")
        ask("Records", "POST", "/v1/events", EVENT)
        ask("Records", "POST", "/v1/events", {"actual_output_tokens": "5"})
        ask("Estimate", "POST", "/v1/estimate", {"deliverables": ["a.py"]})
        ask("Budget", "POST", "/v1/budget", {"provider": "openai", "labels": {"a": "b"}})
        ask("Error", "POST", "/v1/budget", {"nothing": 1})
        ask("Error", "GET", "/v1/ceilings")
        ask("Otlp", "POST", "/v1/traces", {})
        runs = ask("Runs", "GET", "/v1/runs")
        asked = {"runs": ["r"], "session_id": "s", "holder": "h", "identity": runs["identity"]}
        assert fault("LeaseQuestion", asked) == ""
        lease = ask("Lease", "POST", "/v1/leases", asked)
        path = f"/v1/runs/r/leases/{lease['lease_id']}"
        ask("Renewed", "PUT", path, {})
        ask("Run", "GET", "/v1/runs/r")
        attempt = {
            "record_type": "attempt", "event_id": "a", "occurred_at": "2026-05-01T10:00:00Z",
            "run_id": "r", "phase_id": "p1", "attempt": 1, "session_id": "s",
            "category": "implementation", "complexity": "low", "deliverable_count": 1,
            "selected_budget": 8192, "success": True, "truncated": False, "exit_code": 0,
            "duration_seconds": 1.5, "events": 2,
        }  # fmt: skip
        assert fault("Attempt", attempt) == ""
        written = ask("Attempt", "POST", path, attempt)
        assert written == attempt | {"run_verdict": "promising"}
        assert ask("Attempt", "POST", path, attempt) == written  # sent again
        ask("Error", "POST", path, attempt | {"event_id": "b"})
        ask("Run", "GET", "/v1/runs/r")
        lease = ask("Lease", "POST", "/v1/leases", asked)
        ask("Empty", "DELETE", f"/v1/runs/r/leases/{lease['lease_id']}")
        ask("Lease", "POST", "/v1/leases", asked | {"phase_id": "p2"})
        ask("Lease", "POST", "/v1/leases", asked)
        ask("Runs", "GET", "/v1/runs")


def test_the_check_above_can_see() -> None:
    """A member that is missing, one too many, and one of another type."""
    good = {"accepted": 1, "rejected": 0, "records": []}
    assert fault("Records", good) == ""
    for wrong in (good | {"more": 1}, good | {"accepted": "1"}, {"accepted": 1, "rejected": 0}):
        assert fault("Records", wrong)
