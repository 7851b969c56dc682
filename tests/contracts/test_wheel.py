"""The wheel builds and advises where DuckDB and typer are installed, and dbt is not."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from dbt_project import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.slow

SAMPLES = f"{ROOT}/telemetry/**/*.ndjson"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheel and what its extra `duckdb` asks for, as pip would install it."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    paths = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    packages = Path(sysconfig.get_path("purelib", vars=paths))
    [wheel] = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(packages)
    for name in brought_by(wheel, "duckdb"):  # no network: they are here already
        for file in metadata.files(name) or []:
            source, target = Path(str(file.locate())), packages / file.parts[0]
            if file.parts[0] != ".." and not target.exists():
                target.symlink_to(source.parents[len(file.parts) - 2] if file.parts[1:] else source)
    return python


def brought_by(wheel: Path, extra: str) -> set[str]:
    """The names of the packages that an extra of the wheel brings along, with theirs."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("dist-info/METADATA")]
        lines = archive.read(name).decode().splitlines()
    asked = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]
    found: set[str] = set()
    waiting = needed(asked, extra)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= needed(metadata.requires(name) or [], "") - found
    return found


def needed(asked: Iterable[str], extra: str) -> set[str]:
    """The names of the requirements that hold here and for this extra."""
    found = map(Requirement, asked)
    return {one.name for one in found if not one.marker or one.marker.evaluate({"extra": extra})}


def tokenest(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command where neither a checkout nor another package is to be found."""
    return subprocess.run(
        [python, "-m", "tokenest_py", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TOKENEST_TELEMETRY": SAMPLES},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_dbt_is_not_there(installed: Path, tmp_path: Path) -> None:
    """Without that the tests below would show nothing."""
    there = "import duckdb, typer, tokenest_py; print(tokenest_py.__file__); import dbt"
    done = subprocess.run(
        [installed, "-c", there], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert str(installed.parents[1]) in done.stdout
    assert "No module named 'dbt'" in done.stderr


def test_it_builds(installed: Path, tmp_path: Path) -> None:
    """By the plan that the wheel carries; again, with nothing new; and with other figures."""
    for options in ((), (), ("--final", "--vars", "{min_samples: 3}")):
        done = tokenest(installed, tmp_path, "build", *options)
        assert done.returncode == 0, done.stderr
        assert "26 lines in 3 files = 26 accepted" in done.stderr
        assert "compiling" not in done.stderr
    assert (tmp_path / "exports" / "coefficients.ndjson").stat().st_size > 1000
    done = tokenest(installed, tmp_path, "report")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "options",
    [(), ("--max-tokens", "32000"), ("--group-by", "feature", "--max-truncation", "0.07")],
)
def test_it_advises(installed: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    """By what a build makes, at another rate or ceiling, and by a label of the user's."""
    done = tokenest(installed, tmp_path, "advise", *options, str(ROOT / "telemetry"))
    assert done.returncode == 0, done.stderr
    assert "26 calls in 3 files" in done.stdout
    assert "compiling" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == []


def test_what_needs_dbt_says_so(installed: Path, tmp_path: Path) -> None:
    """A path of the log shapes the SQL: one line, with what to install."""
    done = tokenest(
        installed, tmp_path, "advise", "--group-by", "metadata.feature", str(ROOT / "telemetry")
    )
    assert done.returncode == 1
    assert done.stderr.endswith(
        "tokenest: no plan for this run (there is none yet of these vars), and dbt is not installed"
        " to compile one; pip install 'tokenest[pipeline]'\n"
    )
