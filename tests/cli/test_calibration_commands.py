"""calibrate, backtest, promote and rollback on built databases, as their users meet them."""

from __future__ import annotations

import json
import random
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import vintages
from dbt_project import BIN, Project, event
from tokenest_py.pipeline.calibration.backtest import read_calls, rounds_of
from tokenest_py.pipeline.calibration.report import apply_patch
from tokenest_py.pipeline.calibration.scoring import replay
from tokenest_py.pipeline.calibration.tables import read_table
from tokenest_py.pipeline.database import open_database
from tokenest_py.runtime.table import PACKAGED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    Attack: TypeAlias = Callable[[list[dict[str, Any]]], None]

pytestmark = pytest.mark.slow

# What the gates compute as models/backtest does.
SCORED = (
    "truncation_low", "truncation_high", "wilson_low", "wilson_high", "reserved_ratio",
    "pinball_loss",
)  # fmt: skip
START = datetime(2026, 1, 1, tzinfo=UTC)


def calls(count: int) -> list[dict[str, Any]]:
    """Calls of two categories under ceilings that some of them reach."""
    chance = random.Random(4)
    records = []
    for number in range(count):
        category, centre = chance.choice([("judge", 60), ("documentation", 1500)])
        tokens = max(1, round(centre * chance.lognormvariate(0, 0.5)))
        ceiling = centre * 4
        cut = tokens > ceiling
        records.append(
            event(
                event_id=f"e{number}",
                phase_id=f"p{number}",
                occurred_at=(START + timedelta(minutes=number)).isoformat(),
                category=category,
                predicted_output_tokens=centre,
                actual_output_tokens=min(tokens, ceiling),
                actual_max_tokens=ceiling,
                input_tokens=1000,
                stop_reason="max_tokens" if cut else "end_turn",
                truncated=cut,
                success=not cut,
            )
        )
    return records


def build(project: Project, count: int) -> Project:
    """A database of so many calls."""
    text = "".join(json.dumps(record) + "\n" for record in calls(count))
    project.telemetry().write_text(text, encoding="utf-8")
    project.build("coefficients", "int_drift_signals", "int_rate_costs", "int_left_out",
                  "rpt_landing", "cmd_backtest_calls", "cmd_promote_exported",
                  "cmd_promote_landed")  # fmt: skip
    return project


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Enough calls to calibrate and to hold some back."""
    return build(Project(tmp_path_factory.mktemp("many")), 1500)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Too few calls to promise anything."""
    return build(Project(tmp_path_factory.mktemp("few")), 40)


def run(
    project: Project, *arguments: str, live: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's folder, where nobody can be asked."""
    environment = project.environment()
    if live is not None:
        environment["TOKENEST_COEFFICIENTS"] = str(live)
    return subprocess.run(
        [BIN / "tokenest", *arguments],
        cwd=project.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_calibrate_writes_a_report_and_a_patch(many: Project, tmp_path: Path) -> None:
    """Applied to the packaged table, the patch gives the proposed one."""
    done = run(many, "calibrate", "--output-dir", str(tmp_path), "--format", "json")
    assert done.returncode == 0, done.stderr
    methods = {row["method"] for row in json.loads(done.stdout)}
    assert methods == {"t5_exact", "t5_damped", "median", "median_shrunk", "moving_average"}
    report = (tmp_path / "calibration.md").read_text(encoding="utf-8")
    assert "1500 calls:" in report
    patch = json.loads((tmp_path / "calibration.json").read_text(encoding="utf-8"))
    packaged, proposed = read_table(PACKAGED), read_table(many.coefficients)
    assert (patch["from"], patch["to"]) == (packaged.coefficients_id, proposed.coefficients_id)
    applied = apply_patch(list(packaged.rows.values()), patch)
    assert sorted(map(str, applied)) == sorted(map(str, proposed.rows.values()))
    budget = next(c for c in patch["changes"] if c["key"]["kind"] == "budget")
    assert budget["evidence"]["n"] > 0


def test_reports_are_kept_by_date(many: Project, tmp_path: Path) -> None:
    """Twice of the same calls is one; its name says until when, and what was proposed."""
    for _ in range(2):
        assert run(many, "calibrate", "--output-dir", str(tmp_path)).returncode == 0
    proposed = read_table(many.coefficients).coefficients_id
    kept = sorted((tmp_path / "calibrations").iterdir())
    assert [path.name for path in kept] == [
        f"20260102T005900Z-{proposed}.json",
        f"20260102T005900Z-{proposed}.md",
    ]
    for path in kept:
        assert path.read_bytes() == (tmp_path / f"calibration{path.suffix}").read_bytes()


def test_calibrate_says_what_few_calls_can_say(few: Project, tmp_path: Path) -> None:
    """40 calls show 5 % and 10 %, not 1 % and 2 %: those stay with the floors."""
    done = run(few, "calibrate", "--output-dir", str(tmp_path))
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "calibration.md").read_text(encoding="utf-8")
    assert "99 are needed. Too few: the floors stay." in report
    assert "49 are needed. Too few: the floors stay." in report


def test_backtest_uses_only_earlier_calls(many: Project) -> None:
    """Held-out truncation is near its rate; the origin's rule cuts off a third."""
    done = run(many, "backtest", "--rate", "0.05", "--rounds", "2", "--strata", "--format", "json",
               "--coefficients", str(many.coefficients))  # fmt: skip
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    overall = {row["subject"]: row for row in scores if row["stratification"] == "overall"}
    assert set(overall) == {"given table", "refitted", "floors", "one quantile", "origin x 1.2"}
    ours = overall["refitted"]
    assert ours["n"] == 600
    assert ours["wilson_low"] <= 0.05 <= ours["wilson_high"]
    assert overall["origin x 1.2"]["truncation_low"] > 0.2
    assert ours["pinball_loss"] < 0.6 * overall["origin x 1.2"]["pinball_loss"]
    assert {row["category"] for row in scores} == {"all", "judge", "documentation"}
    with open_database(many.database) as connection:
        parts = rounds_of(read_calls(connection), share=0.4, rounds=2)
    held_back = [call for part in parts for call in part]
    by_gates = replay(read_table(many.coefficients), held_back, [0.05]).scores
    in_sql = {row["category"]: row for row in scores if row["subject"] == "given table"
              and row["stratification"] in {"overall", "category"}}  # fmt: skip
    assert {score.category for score in by_gates} == in_sql.keys()
    for score in by_gates:
        row = in_sql[score.category]
        assert (score.n, score.n_truncated, score.n_undecidable) == (
            row["n"], row["n_truncated"], row["n_undecidable"]
        )  # fmt: skip
        assert (*score.truncation, *score.interval, score.reserve_ratio, score.pinball_loss) == (
            pytest.approx([row[name] for name in SCORED])
        )


def test_backtest_before_the_first_promotion_has_no_given_table(
    few: Project, tmp_path: Path
) -> None:
    """TOKENEST_COEFFICIENTS names what promote will write; a file that is asked for must exist."""
    live = tmp_path / "live.ndjson"
    options = ("--rounds", "1", "--format", "json")
    done = run(few, "backtest", *options, live=live)
    assert done.returncode == 0, done.stderr
    assert "given table" not in {row["subject"] for row in json.loads(done.stdout)}
    asked = run(few, "backtest", *options, "--coefficients", str(live))
    assert (asked.returncode, str(live) in asked.stderr) == (1, True)


def test_backtest_of_next_to_nothing_exits_4(tmp_path: Path) -> None:
    """One call cannot be held back."""
    done = run(build(Project(tmp_path), 1), "backtest")
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].startswith("tokenest: 1 call is too few")


def test_promote_fails_its_gates_on_few_calls(few: Project, tmp_path: Path) -> None:
    """Exit 3, each failed gate by name, and nothing published."""
    live = tmp_path / "live.ndjson"
    done = run(few, "promote", "--yes", "--rounds", "1", live=live)
    assert done.returncode == 3, done.stderr
    assert "evidence" in done.stderr.splitlines()[-1]
    assert not live.exists()


def limits_of_one(rows: list[dict[str, Any]]) -> None:
    """Fault 1: no call may ask for more than one token."""
    rows.append({"kind": "model_limit", "model": "some-model", "name": "max_output", "value": 1})
    vintages.set_value(rows, 1, kind="constant", name="max_budget")
    vintages.set_value(rows, 1, kind="constant", name="min_budget")


def no_budgets(rows: list[dict[str, Any]]) -> None:
    """Fault 3: what is calibrated has gone, and nothing else."""
    rows[:] = [row for row in rows if row["kind"] != "budget"]


def unmeasured(rows: list[dict[str, Any]]) -> None:
    """Budgets that claim no evidence."""
    for row in rows:
        if row["kind"] == "budget":
            row["value"] = max(1, int(row["value"] * 0.75))
            del row["n"]


def surer(rows: list[dict[str, Any]]) -> None:
    """The same value, with more evidence than there is."""
    next(row for row in rows if row["kind"] == "multiplier")["n"] += 1


@pytest.mark.parametrize(
    ("attack", "options", "failed"),
    [
        (limits_of_one, [], "rules, truncation, loss"),
        (limits_of_one, ["--allow-rules"], "truncation, loss"),
        (no_budgets, [], "source, reserve, loss, coverage"),
        (unmeasured, [], "rules, source, truncation, loss"),
        (surer, [], "source"),
    ],
)
def test_promote_judges_the_file_itself(
    many: Project, tmp_path: Path, attack: Attack, options: list[str], failed: str
) -> None:
    """A table with a right hash that does harm, or does not say what the database says: exit 3."""
    live = tmp_path / "live.ndjson"
    live.write_bytes(many.coefficients.read_bytes())
    rows = list(read_table(live).rows.values())
    attack(rows)
    candidate = tmp_path / "candidate.ndjson"
    levels = json.loads(live.read_bytes().partition(b"\n")[0])["levels"]
    candidate.write_bytes(vintages.encode(rows, levels))
    done = run(many, "promote", "--yes", "--candidate", str(candidate), *options, live=live)
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stderr.splitlines()[-1] == (
        f"tokenest: not promoted: {failed} failed; {live} is as it was"
    )
    assert live.read_bytes() == many.coefficients.read_bytes()


def test_promote_refuses_a_place_where_anyone_may_write(many: Project, tmp_path: Path) -> None:
    """Before anything is judged."""
    live = tmp_path / "live.ndjson"
    live.write_bytes(many.coefficients.read_bytes())
    live.chmod(0o666)
    done = run(many, "promote", "--yes", live=live)
    assert done.returncode == 1
    assert done.stderr == (
        f"tokenest: {live} may be written by anyone (file of mode 0666);"
        f" run `chmod o-w {live}`, then promote\n"
    )


def test_promote_and_roll_back(many: Project, tmp_path: Path) -> None:
    """Shown, asked for, published, and taken back; a second time there is nothing to do."""
    live = tmp_path / "live.ndjson"
    arguments = ("promote", "--rate", "0.05", "--rounds", "1")
    asked = run(many, *arguments, live=live)
    assert asked.returncode == 2
    assert "say --yes" in asked.stderr
    assert not live.exists()
    done = run(many, *arguments, "--yes", "--reason", "first calls", live=live)
    assert done.returncode == 0, done.stdout + done.stderr
    header = json.loads(live.read_bytes().partition(b"\n")[0])
    assert header["provenance"].keys() == {"database", "landed", "newest_event", "code"}
    assert header["provenance"]["newest_event"] == "2026-01-02T00:59:00Z"
    log = live.with_name("live.ndjson.history") / "log.ndjson"
    [record] = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    assert record["reason"] == "first calls"
    assert record["provenance"] == header["provenance"]
    before, after = record["before"], record["after"]
    assert (before["n"], after["n"], before["calls"], after["calls"]) == (0, 1500, 600, 600)
    assert (before["confidence"], after["confidence"] > 0.9) == (None, True)
    assert after["pinball_loss"] < before["pinball_loss"]
    assert after["median_smape"] < before["median_smape"]
    assert read_table(live).rows == read_table(many.coefficients).rows
    assert live.stat().st_mode & 0o077 == 0
    again = run(many, *arguments, "--yes", live=live)
    assert (again.returncode, again.stdout) == (0, "")
    assert "nothing differs, nothing to promote; reports follow" in again.stderr
    back = run(many, "rollback", "--yes", live=live)
    assert back.returncode == 0, back.stderr
    assert read_table(live).coefficients_id == read_table(PACKAGED).coefficients_id
    again = run(many, "rollback", "--yes", live=live)
    assert again.returncode == 4
    assert "or all of it is taken back" in again.stderr
    live.write_text("damaged", encoding="utf-8")
    refused = run(many, *arguments, "--yes", live=live)
    assert refused.returncode == 1
    assert "run `tokenest rollback`, or move it away and promote" in refused.stderr
    assert live.read_text(encoding="utf-8") == "damaged"


def test_promote_needs_a_place(many: Project) -> None:
    """Where the runtime reads is the user's to say."""
    done = run(many, "promote", "--yes")
    assert done.returncode == 2
    assert "for --to: nothing says which file the runtime reads" in done.stderr
    assert "TOKENEST_COEFFICIENTS" in done.stderr
