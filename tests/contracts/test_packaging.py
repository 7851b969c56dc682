"""What the package promises to those who only install it: its names, its types, no dependency."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

import tokenest_py

pytestmark = pytest.mark.slow

PACKAGE = Path(tokenest_py.__file__).parent

USE = """
import sys
before = set(sys.modules)
import tokenest_py
from tokenest_py import Budget, Estimator, Recorder, TokenEstimate
estimator = Estimator.load(workspace="/", reload_after=0)
estimate = estimator.estimate(["Create src/a.py", "docs/b.md"], "implementation", "low", task="x")
budget = estimator.budget(estimate, model="gpt-4o", input_tokens=10)
budget.request_kwargs("openai")
estimator.after_truncation(budget, "length")
estimator.explain(estimate, budget)
estimator.status()
Estimator.load("/nowhere").estimate(["CHANGELOG.md"])
recorder = Recorder(sys.argv[1], enabled=True)
assert recorder.record(run_id="r", phase_id="p", actual_output_tokens=5)
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(names - set(sys.stdlib_module_names) - {"tokenest_py"}))
"""


def test_the_runtime_imports_the_standard_library_alone(tmp_path: Path) -> None:
    """Importing and using all of the runtime leaves no other package in sys.modules."""
    done = subprocess.run(
        [sys.executable, "-c", USE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_the_check_above_can_see(tmp_path: Path) -> None:
    """The same program with one more import names it."""
    code = USE.replace("import tokenest_py\n", "import tokenest_py, polars\n")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "polars" in done.stdout.split()


def test_public_names() -> None:
    """The public names are those of __all__, and a name beside them would be seen."""
    public = {
        name
        for name, value in vars(tokenest_py).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    }
    assert public | {"__version__"} == set(tokenest_py.__all__)
    assert tokenest_py.__all__ == sorted(tokenest_py.__all__)
    assert tokenest_py.__version__ == metadata.version("tokenest")


def test_usage_errors_are_value_errors() -> None:
    """Who knows Python alone catches a wrong argument."""
    with pytest.raises(ValueError, match="paths"):
        tokenest_py.Recorder(paths="some")


def test_dir_and_unknown_names() -> None:
    """A name that is not there is an AttributeError, as for any module."""
    assert not hasattr(tokenest_py, "Nothing")


def test_distribution() -> None:
    """The distribution needs nothing, carries types, and ships the packaged coefficients."""
    needed = [
        requirement
        for requirement in metadata.requires("tokenest") or []
        if "extra ==" not in requirement
    ]
    assert needed == []
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "runtime" / "table" / "defaults" / "coefficients.ndjson").is_file()
