"""Budgets that know what is asked for: the number of files, and the project that writes more."""

from __future__ import annotations

import json
import math
import random
from typing import NamedTuple

import pytest

from dbt_project import Project, event
from tokenest_py import Budget, Estimator

pytestmark = pytest.mark.slow  # its labels take a plan of their own

FILES = (1, 2, 5, 12)
PROJECTS = {"atlas": 1.0, "birch": 1.0, "cedar": 2.0}  # cedar writes twice as much
RATE = 0.05


class Call(NamedTuple):
    """A generated call: 700 tokens a file, spread."""

    files: int
    project: str
    need: int


def calls(count: int, seed: int) -> list[Call]:
    """Calls of all projects and numbers of files."""
    chance = random.Random(seed)
    drawn = []
    for _ in range(count):
        files, project = chance.choice(FILES), chance.choice(list(PROJECTS))
        middle = 700 * files * PROJECTS[project]
        drawn.append(Call(files, project, round(chance.lognormvariate(math.log(middle), 0.4))))
    return drawn


def deliverables(files: int) -> list[str]:
    """The files of a call."""
    return [f"src/module_{number}.py" for number in range(files)]


@pytest.fixture(scope="module")
def estimator(tmp_path_factory: pytest.TempPathFactory) -> Estimator:
    """The runtime with a table that tells projects apart."""
    project = Project(tmp_path_factory.mktemp("files"))
    with project.telemetry().open("w", encoding="utf-8") as file:
        for number, call in enumerate(calls(6000, 1)):
            record = event(
                event_id=f"e-{number:05}",
                occurred_at=f"2026-01-{1 + number // 240:02}T{number % 24:02}:00:00Z",
                phase_id=f"p-{number}",
                labels={"project": call.project},
                deliverables=deliverables(call.files),
                model="m",
                actual_output_tokens=call.need,
                actual_max_tokens=64_000,
            )
            file.write(json.dumps(record) + "\n")
    project.build("coefficients", labels=["category", "complexity", "project"])
    return Estimator.load(project.coefficients, strict=True)


def budget(estimator: Estimator, call: Call) -> Budget:
    """The budget of a call at 5 %."""
    estimate = estimator.estimate(
        deliverables(call.files), "implementation", "low", labels={"project": call.project}
    )
    return estimator.budget(estimate, model="m", max_truncation=RATE)


def cut_off(estimator: Estimator, judges: list[Call]) -> float:
    """The share of calls that need more than their budget."""
    return sum(call.need > budget(estimator, call).max_tokens for call in judges) / len(judges)


@pytest.mark.parametrize("files", FILES)
def test_each_number_of_files_keeps_the_rate(estimator: Estimator, files: int) -> None:
    """Between 2 and 8 % at 5 %, where one budget for all cuts off half of the 12 files."""
    judges = [call for call in calls(20_000, 2) if call.files == files]
    assert 0.02 <= cut_off(estimator, judges) <= 0.08


@pytest.mark.parametrize("project", PROJECTS)
def test_each_project_keeps_the_rate(estimator: Estimator, project: str) -> None:
    """The verbose one too: within two points."""
    judges = [call for call in calls(20_000, 3) if call.project == project]
    assert cut_off(estimator, judges) == pytest.approx(RATE, abs=0.02)


def test_more_files_get_more(estimator: Estimator) -> None:
    """And without deliverables nothing of this is asked."""
    sizes = [budget(estimator, Call(files, "atlas", 0)).max_tokens for files in FILES]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] > 5 * sizes[0]
    without = estimator.budget(estimator.estimate(None, "implementation", "low"), model="m")
    assert without.cell == ("implementation", "low", None, None, "m")
