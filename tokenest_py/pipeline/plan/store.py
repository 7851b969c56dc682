"""Where plans are kept, and which of them is of the project as it is now."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from tokenest_py.errors import BuildError
from tokenest_py.pipeline.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tokenest_py.pipeline.settings import Settings

__all__ = ["PACKAGED", "compile_to", "current_plan", "project_checksum", "versions"]

PACKAGED = "plan.json"  # beside the project in the wheel: the plan of the vars as they are there
_PARTS = ("dbt_project.yml", "profiles.yml", "macros", "models", "seeds", "tests/dbt")
_COMPILED_BY = "compiling.py", "plan.py"
_SOURCES = {".sql", ".yml", ".csv"}
_MAKERS = "dbt-core", "dbt-duckdb"


def current_plan(
    settings: Settings, variables: Mapping[str, object], say: Callable[[str], None]
) -> Plan:
    """Return the plan of the project and these vars, compiled anew where none is there.

    Args:
        settings: They name the project, and where dbt keeps its files.
        variables: What differs from the vars of dbt_project.yml.
        say: Called with one line before dbt compiles.

    Raises:
        BuildError: dbt cannot compile the project, or is not there to do it.
    """
    checksum = project_checksum(settings.project, variables)
    own = _folder(settings) / f"plan-{_key(variables)}.json"
    reason = "there is none yet"
    for path in (own, settings.project / PACKAGED):
        try:
            found = Plan.read(path)
        except OSError:
            continue
        except ValueError:
            reason = f"{path} cannot be read"
            continue
        if found.checksum == checksum and _is_made_by(found, versions()):
            return found
        reason = "the project, the vars or the version of dbt changed"
    if not versions():
        message = (
            f"no plan for this build ({reason}), and dbt is not installed to compile one;"
            " pip install 'tokenest[pipeline]'"
        )
        raise BuildError(message)
    say(f"compiling the plan: {reason}")
    compile_to(settings.project, own, variables)
    return Plan.read(own)


def project_checksum(project: Path, variables: Mapping[str, object]) -> str:
    """A hash of all that a plan is compiled from."""
    found = hashlib.sha256(json.dumps(variables, sort_keys=True).encode())
    files = [Path(__file__).with_name(name) for name in _COMPILED_BY]
    for part in _PARTS:
        path = project / part
        files += [path] if path.is_file() else sorted(filter(_is_source, path.rglob("*")))
    for file in files:
        content = file.read_bytes()
        found.update(f"\n{file.name} {len(content)}\n".encode() + content)
    return found.hexdigest()


def versions() -> dict[str, str]:
    """The versions of dbt's packages; nothing without them."""
    try:
        return {name: version(name) for name in _MAKERS}
    except PackageNotFoundError:
        return {}


def _is_source(path: Path) -> bool:
    return path.is_file() and path.suffix in _SOURCES


def _is_made_by(plan: Plan, here: Mapping[str, str]) -> bool:
    """Another dbt may write other SQL; without any, the plan's is the only one."""
    return not here or here == plan.made_by


def _key(variables: Mapping[str, object]) -> str:
    text = json.dumps(variables, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8] if variables else "default"


def _folder(settings: Settings) -> Path:
    """Where dbt keeps what it parsed."""
    if settings.scratch is not None:
        return settings.scratch / "target"
    return Path(settings.values["DBT_TARGET_PATH"] or settings.project / "target").absolute()


def compile_to(project: Path, path: Path, variables: Mapping[str, object] | None = None) -> None:
    """Compile a plan into a file, in a process of its own: dbt's memory goes with it.

    Raises:
        BuildError: dbt cannot compile the project.
    """
    given = variables or {}
    checksum = project_checksum(project, given)
    command = [sys.executable, "-m", "tokenest_py.pipeline.plan.compiling"]
    with tempfile.TemporaryDirectory(prefix="tokenest-plan-") as scratch:
        done = subprocess.run(
            [*command, str(project), checksum, json.dumps(given), str(path.absolute())],
            cwd=scratch,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise BuildError(lines[-1] if lines else "dbt could not compile the project")
