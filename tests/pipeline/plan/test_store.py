"""Which plan is of the project as it is now."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from dbt_project import ROOT, plan_of
from planned import settings
from tokenest_py.errors import BuildError
from tokenest_py.pipeline.plan import store
from tokenest_py.pipeline.plan.plan import Plan
from tokenest_py.pipeline.plan.store import current_plan, plan_name, project_checksum
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder that looks like a project."""
    for name in ("dbt_project.yml", "models/staging/a.sql", "seeds/b.csv", "tests/dbt/c.sql"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_a_checksum_sees_content_names_and_vars(small: Path) -> None:
    """And nothing else that lies about."""
    found = [project_checksum(small, {})]
    (small / "models" / "notes.txt").write_text("of somebody")
    (small / "target").mkdir()
    (small / "target" / "made.sql").write_text("select 1")
    assert project_checksum(small, {}) == found[0]
    found.append(project_checksum(small, {"final": True}))
    (small / "models" / "staging" / "a.sql").write_text("select 2")
    found.append(project_checksum(small, {}))
    (small / "seeds" / "b.csv").rename(small / "seeds" / "d.csv")
    found.append(project_checksum(small, {}))
    assert len(set(found)) == 4


def test_without_dbt_and_without_a_plan_it_says_what_to_install(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with the reason."""
    monkeypatch.setattr(store, "versions", dict)
    monkeypatch.chdir(small)
    with pytest.raises(BuildError, match=r"there is none yet.*pip install 'tokenest\[pipeline\]'"):
        current_plan(Settings.read({}), {}, print)


@pytest.mark.slow
def test_a_plan_of_another_version_is_compiled_anew_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file and a stale one each cost one compilation, and then no more.

    The compilation, which test_open_vars.py tries, takes seconds: here it leaves a plan at once.
    """
    plan = plan_of({})
    monkeypatch.setattr(store, "compile_to", lambda _, path, __: plan.write(path))
    said: list[str] = []
    given = settings(DBT_TARGET_PATH=str(tmp_path))
    with contextlib.chdir(ROOT):
        plan.write(tmp_path / "plan-default.json")
        assert current_plan(given, {}, said.append) == plan
        assert said == []
        stale = (tmp_path / "plan-default.json").read_text().replace(plan.checksum, "0" * 64)
        (tmp_path / "plan-default.json").write_text(stale)
        assert current_plan(given, {}, said.append).checksum == plan.checksum
        assert said == ["compiling the plan: the project, the vars or the version of dbt changed"]
        (tmp_path / "plan-default.json").write_text("{}")
        assert current_plan(given, {}, said.append) == current_plan(given, {}, said.append) == plan
        assert said[1:] == [f"compiling the plan: {tmp_path}/plan-default.json cannot be read"]
    (tmp_path / "plan-default.json").write_text("{}")
    with pytest.raises(ValueError, match="steps"):
        Plan.read(tmp_path / "plan-default.json", {})


def test_the_newest_plans_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A var with another value each day leaves no plan of each day behind."""
    monkeypatch.setattr(store, "compile_to", lambda _, path, __: plan_of({}).write(path))
    for number in range(25):
        old = tmp_path / f"plan-{number:08x}.json"
        old.touch()
        os.utime(old, (number, number))
    with contextlib.chdir(ROOT):
        current_plan(settings(DBT_TARGET_PATH=str(tmp_path)), {"baseline": "v1"}, str)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(
        [plan_name({"baseline": "v1"}), *(f"plan-{n:08x}.json" for n in range(6, 25))]
    )


def test_a_source_that_is_none_is_named() -> None:
    """With those that there are, and before dbt compiles."""
    said: list[str] = []
    with pytest.raises(
        BuildError, match=r"var sources names 'nosuch'; it may have answers, .*vertex"
    ):
        current_plan(settings(), {"sources": ["tokenest", "nosuch"]}, said.append)
    assert said == []


@pytest.mark.slow
def test_a_project_that_dbt_cannot_read_is_one_line(small: Path) -> None:
    """What dbt says, without its frame."""
    shutil.rmtree(small / "seeds")
    given = Settings.read({"DBT_TARGET_PATH": str(small / "target")})
    with contextlib.chdir(small), pytest.raises(BuildError) as raised:
        current_plan(given, {}, lambda _: None)
    assert "\n" not in str(raised.value)
    assert "Traceback" not in str(raised.value)
