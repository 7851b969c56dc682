"""Fixtures that every test shares: a project apart from the user's, built with the real command."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from dbt_project import REAL_DATA, ROOT, Project

settings.register_profile("tokenest", deadline=None)  # a busy machine is no fault
settings.load_profile("tokenest")
# Who starts tests in the background, or with nohup, has them and what they start ignore these.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)  # goes on, and what it starts does not ignore it

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: at the end no process waits for minutes for the other."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A database, an exports folder and a telemetry folder of the test's own."""
    return Project(tmp_path)


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The published samples, built, and every unit test run. Read it, do not change it."""

    def build(project: Project) -> None:
        project.build(telemetry=f"{ROOT}/telemetry/**/*.ndjson")
        project.unit_tests()

    return shared(tmp_path_factory, "samples", build)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A whole build without any telemetry. Read it, do not change it."""
    return shared(tmp_path_factory, "empty", Project.build)


def shared(
    factory: pytest.TempPathFactory, name: str, build: Callable[[Project], object]
) -> Project:
    """A project that the first of the parallel test processes builds for all of them."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    project, done = Project(root / name), root / f"{name}.done"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(project.folder, ignore_errors=True)
            project.folder.mkdir()
            build(project)
            done.touch()
    return project


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real telemetry beside the checkout; without it the test is left out."""
    if not REAL_DATA.is_dir():
        pytest.skip("no real telemetry beside the checkout")
    return REAL_DATA
