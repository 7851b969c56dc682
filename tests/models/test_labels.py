"""A label more is one word in var labels: cells, exported rows and the runtime follow it."""

from __future__ import annotations

import json
import random
import re
import shutil
import sys
from typing import Any

import duckdb
import pytest

from dbt_project import OTHER_VARS, ROOT, Project, line
from tokenest_py import Estimator
from tokenest_py.runtime.text import vocabulary_key

pytestmark = pytest.mark.slow

MODELS = ("coefficients", "calls")
CENTRES = {"web": 400, "batch": 3000, None: 1000}
BEHIND = ["category", "complexity", "project"]


def telemetry() -> bytes:
    """Calls of two projects that need very different lengths, and calls of none."""
    draw = random.Random(3)
    lines = []
    for number in range(900):
        project = draw.choice(list(CENTRES))
        lines.append(
            line(
                event_id=f"e-{number}",
                occurred_at=f"2026-01-{1 + number % 28:02}T00:00:00Z",
                phase_id=f"p-{number}",
                category=draw.choice(["chat", "extraction"]),
                model=draw.choice(["model-a", "model-b"]),
                input_tokens=draw.choice([900, 5000]),
                labels=None
                if project is None
                else {"project": f" {project.upper()}", "order": "x"},
                actual_output_tokens=int(CENTRES[project] * draw.lognormvariate(0, 0.4)),
                actual_max_tokens=20_000,
                deliverables=None,
            )
        )
    return b"".join(lines)


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A build with one label more than the default. Copy it, do not change it."""
    project = Project(tmp_path_factory.mktemp("behind"))
    project.telemetry().write_bytes(telemetry())
    project.build(*MODELS, labels=BEHIND)
    return project


@pytest.fixture(scope="module")
def in_front(tmp_path_factory: pytest.TempPathFactory, behind: Project) -> Project:
    """A build with the labels in another order, over a copy of the build before it."""
    project = Project(tmp_path_factory.mktemp("in_front"))
    shutil.copytree(behind.folder, project.folder, dirs_exist_ok=True)
    project.build(*MODELS, **OTHER_VARS)
    return project


@pytest.fixture(params=["behind", "in_front"])
def built(request: pytest.FixtureRequest) -> Project:
    """One of the two."""
    found: Project = request.getfixturevalue(request.param)
    return found


def exported(project: Project) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header of the file, and its budgets."""
    header, *rows = map(json.loads, project.coefficients.read_text().splitlines())
    return header, [row for row in rows if row["kind"] == "budget"]


def test_each_project_gets_its_own_budget(built: Project) -> None:
    """The same call under another project gets another ceiling, near to what its calls needed."""
    estimator = Estimator.load(built.coefficients, strict=True)

    def ceiling(name: str) -> int:
        estimate = estimator.estimate(None, "chat", "low", labels={"project": name})
        return estimator.budget(estimate, max_truncation=0.05).max_tokens

    assert 600 < ceiling("web") < 1200
    assert 4500 < ceiling("batch") < 7500
    assert ceiling("Web ") == ceiling("web")


def test_the_runtime_answers_what_the_table_says(built: Project) -> None:
    """Each exported budget comes back for the call that it is about."""
    estimator = Estimator.load(built.coefficients, strict=True)
    sizes = {39: 900, 49: 5000, None: None}
    _, rows = exported(built)
    levels = {tuple(sorted(row["labels"])) for row in rows}
    assert ("category", "complexity", "project") in levels
    checked = 0
    for row in rows:
        labels = dict(row["labels"])
        if not {"category", "complexity"} <= set(labels):
            continue  # the runtime keeps those above the floors
        estimate = estimator.estimate(
            None, labels.pop("category"), labels.pop("complexity"), labels=labels
        )
        found = estimator.budget(
            estimate,
            model=row.get("model"),
            input_tokens=sizes[row.get("input_bin")],
            max_truncation=row["max_truncation"],
        )
        assert (found.max_tokens, found.source, found.n) == (
            row["value"],
            "quantile cell",
            row["n"],
        )
        checked += 1
    assert checked > 50


def test_the_header_and_the_marts_follow(built: Project) -> None:
    """The levels stand in the order of the var, and the contracts are those of the default."""
    header, _ = exported(built)
    assert sorted(header["levels"][:3]) == ["category", "complexity", "project"]
    assert header["levels"][3:] == ["estimate_bin", "model", "input_bin"]
    ((projects, deepest),) = built.rows(
        """
        select count(distinct labels ->> '$.project'), max(cell_level)
        from intermediate.int_budget_quantiles
        """
    )
    assert (projects, deepest) == (2, 6)
    assert built.rows(
        "select count(*) > 0 from intermediate.int_budget_quantiles where is_label_level"
    ) == [(True,)]


def test_a_label_behind_changes_no_figure_of_the_wider_cells(
    behind: Project, project: Project
) -> None:
    """What the default, category and complexity, exports for them stays."""
    project.telemetry().write_bytes(behind.telemetry().read_bytes())
    project.build(*MODELS)
    assert json.loads(project.coefficients.read_text().splitlines()[0])["levels"][:2] == BEHIND[:2]
    figures = [
        each.rows(
            """
            select category, complexity, max_truncation, n, budget_tokens, is_exported
            from intermediate.int_budget_quantiles
            where cell_level <= 2
            order by all
            """
        )
        for each in (project, behind)
    ]
    assert figures[0] == figures[1]


def test_a_word_is_lowered_as_the_runtime_lowers_it() -> None:
    """Every character, and those that Python lowers by where they stand or to two."""
    words = [chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    macro = (ROOT / "macros/formulas/keys.sql").read_text(encoding="utf-8")
    [expression] = re.findall(r"macro vocabulary_key\(word\) -%}\s+(.+)\n", macro)
    words += [" \u0130NCELEME", "\u039f\u0394\u039f\u03a3 ", "a\u03a3", " ", ""]
    with duckdb.connect() as connection:
        lowered = connection.execute(
            f"select coalesce({expression.replace('{{ word }}', 'word')}, '')"
            " from (select unnest(?) as word)",
            [words],
        ).fetchall()
    assert [key for (key,) in lowered] == [vocabulary_key(word) for word in words]
    labelled = Estimator.load().estimate(
        (), "\u0130NCELEME", "\u039f\u0394\u039f\u03a3", labels={"project": "\u0130\u03a3"}
    )
    assert (labelled.category, labelled.complexity) == ("inceleme", "\u03bf\u03b4\u03bf\u03c3")
    assert dict(labelled.labels) == {"project": "i\u03c3"}
