"""Fixtures that every test shares: a project apart from the user's, built with the real command."""

from __future__ import annotations

from pathlib import Path

import pytest
from dbt_project import ROOT, Project

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A database, an exports folder and a telemetry folder of the test's own."""
    return Project(tmp_path)


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The published samples, built as plain `dbt build` does. Read it, do not change it."""
    built = Project(tmp_path_factory.mktemp("samples"))
    built.dbt_build(telemetry=f"{ROOT}/telemetry/**/*.ndjson", unit_tests=True)
    return built


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real telemetry beside the checkout; without it the test is left out."""
    if not REAL_DATA.is_dir():
        pytest.skip("no real telemetry beside the checkout")
    return REAL_DATA
