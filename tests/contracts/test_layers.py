"""A folder is a promise: who may import whom, and every module imports alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tokenest_py
from tokenest_py.__main__ import EXTRAS

PACKAGE = Path(tokenest_py.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
HERE = "tokenest_py"
TERMINAL = {"typer", "rich", "click"}

# wing: the wings that it may import beside itself, and the packages; None is any package
WINGS: dict[str, tuple[set[str], set[str] | None]] = {
    "errors": (set(), set()),
    "runtime": ({"errors"}, set()),
    "clients": ({"errors", "runtime"}, None),
    "pipeline": ({"errors", "runtime"}, None),
    "service": ({"errors", "runtime", "pipeline"}, None),
    "cli": ({"errors", "runtime", "clients", "pipeline", "service"}, None),
    "__init__": ({"errors", "runtime", "clients"}, set()),
    "__main__": ({"cli", "errors"}, set()),
}


def breaches(wing: str, source: str) -> list[str]:
    """The modules that a source text imports, anywhere in it, and its wing may not."""
    wings, packages = WINGS[wing]
    found = []
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            whole = node.module or "."
            names = [f"{HERE}.{a.name}" for a in node.names] if whole == HERE else [whole]
        for name in names:
            top, _, rest = name.partition(".")
            if top == HERE:
                allowed = rest.partition(".")[0] in wings | {wing}
            elif packages is None:
                allowed = wing == "cli" or top not in TERMINAL
            else:
                allowed = top in sys.stdlib_module_names | packages
            if not allowed:
                found.append(name)
    return found


def test_a_package_that_is_missing_has_its_extra() -> None:
    """So that no command ends in a ModuleNotFoundError; these are looked for, or are a host's."""
    named = {
        alias.name if isinstance(node, ast.Import) else node.module or ""
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    foreign = {name.partition(".")[0] for name in named} - sys.stdlib_module_names - {HERE}
    assert foreign - {"_typeshed", "altair", "litellm", "vl_convert"} <= EXTRAS.keys()


def wing_of(path: Path) -> str:
    """The folder at the top of the package, or the module where it lies there itself."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_imports_what_its_wing_may_not(path: Path) -> None:
    """Every import counts, also inside functions and for types alone."""
    assert breaches(wing_of(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("wing", "line"),
    [
        ("runtime", "import duckdb"),
        ("runtime", "from tokenest_py.pipeline import settings"),
        ("runtime", "from tokenest_py import cli"),
        ("runtime", "def f():\n    from . import file"),
        ("pipeline", "from rich.console import Console"),
        ("pipeline", "def f():\n    import tokenest_py.cli.output"),
        ("clients", "from tokenest_py.pipeline.database import rows"),
        ("service", "from tokenest_py.cli import run"),
    ],
)
def test_the_check_above_can_see(wing: str, line: str) -> None:
    """Planted breaches are found."""
    assert len(breaches(wing, line)) == 1


ALONE = """
import importlib, os, sys
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(name)
        except BaseException as error:
            print(f"{name}: {error!r}", flush=True)
            os._exit(1)
        os._exit(0)
    os.waitpid(child, 0)
"""


def alone(*names: str) -> str:
    """Import each module in a process that has imported nothing else; what failed, a line each."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *names], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.slow
def test_every_module_imports_alone() -> None:
    """No module needs another one to have been imported first."""
    parts = [path.relative_to(PACKAGE.parent).with_suffix("").parts for path in MODULES]
    names = [".".join(part for part in each if part != "__init__") for each in parts]
    # what a library asks for by name imports that library; tests/clients imports it
    names.remove("tokenest_py.clients.litellm")
    assert alone(*names) == ""
    assert alone("tokenest_py.nothing").startswith("tokenest_py.nothing: ModuleNotFoundError")
