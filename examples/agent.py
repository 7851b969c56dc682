"""A stand-in for an agent: answers phases with the recorded outcomes beside this file.

It costs nothing and calls nobody. What it does with the environment and the recorder is what a
real agent does; docs/wiring.md shows that one.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from tokenest_py import Estimator, Recorder

OUTCOMES = Path(__file__).with_name("recorded_outcomes.ndjson")


def main() -> int:
    """Answer the phase whose file is the first argument; return the exit code."""
    phase = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    outcome = outcome_of(phase["phase_id"])
    print(f"{phase['phase_id']}: {phase['goal']}")
    time.sleep(outcome["seconds"])
    if outcome["output_tokens"] is None:
        print(outcome["error"], file=sys.stderr)
        return int(outcome["exit_code"])
    ceiling = int(os.environ["TOKENEST_MAX_TOKENS"])
    is_truncated = outcome["output_tokens"] > ceiling
    estimate = Estimator.load().estimate(
        phase["deliverables"], phase["category"], phase["complexity"]
    )
    Recorder.from_env().record(
        run_id=os.environ["TOKENEST_RUN_ID"],
        phase_id=os.environ["TOKENEST_PHASE_ID"],
        attempt=int(os.environ["TOKENEST_ATTEMPT"]),
        category=estimate.category,
        complexity=estimate.complexity,
        deliverables=phase["deliverables"],
        provider="recorded",
        model="recorded",
        coefficients_id=estimate.coefficients_id,
        estimator_version=estimate.estimator_version,
        predicted_output_tokens=estimate.estimated_tokens,
        selected_budget=ceiling,
        actual_max_tokens=ceiling,
        actual_output_tokens=min(outcome["output_tokens"], ceiling),
        stop_reason="max_tokens" if is_truncated else "end_turn",
        truncated=is_truncated,
        success=not is_truncated,
    )
    if is_truncated:
        print(f"the answer was cut off: stop_reason=max_tokens at {ceiling}", file=sys.stderr)
        return 1
    print("done")
    return 0


def outcome_of(phase_id: str) -> dict[str, Any]:
    """Return the recorded outcome of a phase."""
    lines = OUTCOMES.read_text(encoding="utf-8").splitlines()
    outcomes = {item["phase_id"]: item for item in map(json.loads, lines)}
    return outcomes.get(phase_id, outcomes["any other"])


if __name__ == "__main__":
    sys.exit(main())
