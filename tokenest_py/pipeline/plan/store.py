"""Where plans are kept, and which of them is of the project as it is now.

python -m tokenest_py.pipeline.plan.store    compiles those of builds and of advice that are missing
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from tokenest_py.errors import BuildError
from tokenest_py.pipeline.plan.figures import check, figures_of
from tokenest_py.pipeline.plan.open_vars import PACKAGED_VARS, open_time
from tokenest_py.pipeline.plan.plan import Plan
from tokenest_py.pipeline.scratch import scratch_folder
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "PACKAGED", "compile_packaged", "compile_to", "current_plan", "plan_name", "project_checksum",
    "versions",
]  # fmt: skip

PACKAGED = "plans"  # beside the project in the wheel: its plans
_PARTS = ("dbt_project.yml", "profiles.yml", "macros", "models", "seeds", "tests/dbt")
_COMPILED_BY = (
    "compiling.py", "figures.py", "plan.py", "run.py", "session.py", "standins.py", "tables.py",
)  # fmt: skip
_KEPT = 20  # plans in a folder, of 5 MB each
_SOURCES = {".sql", ".yml", ".csv"}
_MAKERS = "dbt-core", "dbt-duckdb"
# What dbt finds in its environment: words that a run replaces, and nothing of this process.
_COMPILED_WITH = {
    "TOKENEST_TELEMETRY": "@telemetry@",
    "TOKENEST_DB": "plan.duckdb",
    "TOKENEST_EXPORTS": "@exports@",
    "DO_NOT_TRACK": "1",
}


def current_plan(
    settings: Settings,
    variables: Mapping[str, object],
    say: Callable[[str], None],
    words: Mapping[str, str] | None = None,
) -> Plan:
    """Return the plan of the project and these vars, compiled anew where none is there.

    Vars that are one number, a flag or a time are filled in, where the SQL holds them as text: they
    need no plan of their own.

    Args:
        settings: They name the project, and where plans are kept.
        variables: What differs from the vars of dbt_project.yml.
        say: Called with one line before dbt compiles.
        words: What takes the place of the vars that stand for any (open_vars.py).

    Raises:
        BuildError: A var is not what it has to be, or dbt cannot compile the project, or is not
            there to do it.
    """
    figures = figures_of(variables)
    shaping, time = open_time({k: v for k, v in variables.items() if k not in figures})
    words = {**(words or {}), **time}
    plan = _plan(settings, shaping, say, words, figures)
    check(plan.figures, figures)
    if closed := figures.keys() - plan.figures.keys():
        shaping |= {name: figures.pop(name) for name in closed}
        plan = _plan(settings, shaping, say, words, figures)
    return plan


def _plan(
    settings: Settings,
    variables: Mapping[str, object],
    say: Callable[[str], None],
    words: Mapping[str, str],
    figures: Mapping[str, float],
) -> Plan:
    """The plan that was compiled with these vars, or is now."""
    found = _kept(settings, variables, words, figures)
    if isinstance(found, Plan):
        return found
    _check_names(settings, [*variables, *figures])
    _check_sources(settings.project, variables.get("sources"))
    if not versions():
        message = (
            f"no plan for this run ({found}), and dbt is not installed to compile one;"
            " pip install 'tokenest[pipeline]'"
        )
        raise BuildError(message)
    say(f"compiling the plan: {found}")
    path = _writable(settings.plans) / plan_name(variables)
    compile_to(settings.project, path, variables)
    _forget(path.parent)
    return Plan.read(path, words, figures)


def _kept(
    settings: Settings,
    variables: Mapping[str, object],
    words: Mapping[str, str],
    figures: Mapping[str, float],
) -> Plan | str:
    """The plan that was compiled with these vars, or why there is none."""
    checksum = project_checksum(settings.project, variables)
    reason = "there is none yet of these vars" if variables else "there is none yet"
    for folder in (*settings.plans, settings.project / PACKAGED):
        path = folder / plan_name(variables)
        try:
            found = Plan.read(path, words, figures)
        except OSError:
            continue
        except ValueError:
            reason = f"{path} cannot be read"
            continue
        if found.checksum == checksum and _is_made_by(found, versions()):
            return found
        reason = "the project, the vars or the version of dbt changed"
    return reason


def _check_names(settings: Settings, names: Sequence[str]) -> None:
    """Raise BuildError where a plan knows that a var is none; dbt takes long to say the same."""
    default = _kept(settings, {}, {}, {})
    if isinstance(default, Plan):
        wrong = [name for name in names if name not in default.variables]
        if wrong:
            raise BuildError("; ".join(default.unknown.replace("@name@", name) for name in wrong))


def _check_sources(project: Path, sources: object) -> None:
    """Raise BuildError where no folder is the source's; dbt names a model that it did not find."""
    known = sorted(path.name for path in (project / "models" / "staging").glob("*/"))
    wrong = [name for name in sources if name not in known] if isinstance(sources, list) else []
    if wrong:
        raise BuildError(f"var sources names {wrong[0]!r}; it may have {', '.join(known)}")


def _forget(folder: Path) -> None:
    """Keep the newest plans: a var such as labels may have another value each day."""
    with contextlib.suppress(OSError):  # another run may forget the same
        for path in sorted(folder.glob("plan-*"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
            path.unlink()


def plan_name(variables: Mapping[str, object]) -> str:
    """The name of the file that holds the plan of these vars."""
    text = json.dumps(variables, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:8] if variables else "default"
    return f"plan-{key}.json"


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


def _writable(folders: Sequence[Path]) -> Path:
    """The first folder that can be written to; raises BuildError where none can."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    message = f"no plan can be kept: {folders[0]} cannot be written; set DBT_TARGET_PATH"
    raise BuildError(message)


def compile_to(project: Path, path: Path, variables: Mapping[str, object]) -> None:
    """Compile a plan into a file, in a process of its own: dbt's memory goes with it.

    Raises:
        BuildError: dbt cannot compile the project.
    """
    checksum = project_checksum(project, variables)
    command = [sys.executable, "-m", "tokenest_py.pipeline.plan.compiling"]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TOKENEST_", "DBT_"))}
    with scratch_folder("plan-") as scratch:
        done = subprocess.run(
            [*command, str(project), checksum, json.dumps(variables), str(path.absolute())],
            cwd=scratch,
            env=kept | _COMPILED_WITH | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise BuildError(lines[-1] if lines else "dbt could not compile the project")


def compile_packaged(settings: Settings) -> None:
    """Compile the plans of PACKAGED_VARS, two at once, where they are not there."""
    from concurrent.futures import ThreadPoolExecutor  # here, since no command needs it

    def compiled(variables: Mapping[str, object]) -> Plan:
        return current_plan(settings, variables, lambda _: None)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(compiled, PACKAGED_VARS))


if __name__ == "__main__":
    compile_packaged(Settings.read())
