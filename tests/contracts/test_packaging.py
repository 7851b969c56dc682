"""What the package promises to those who only install it: its names, its types, no dependency."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

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
    code = USE.replace("import tokenest_py\n", "import tokenest_py, duckdb\n")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "duckdb" in done.stdout.split()


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


RESOLVED = Path(__file__).parent / "resolved"


def resolved(name: str) -> dict[str, str]:
    """The versions that a resolver chose: `make lock` asks it."""
    lines = (RESOLVED / f"{name}.txt").read_text().splitlines()
    pairs = [line.partition("==") for line in lines if "==" in line]
    return {package.partition("[")[0]: version for package, _, version in pairs}


def test_nobody_gets_an_older_client_because_of_us() -> None:
    """All our extras change one version beside the usual clients: dbt wants protobuf below 7."""
    without, beside = resolved("without"), resolved("with")
    assert {"openai", "anthropic", "litellm", "instructor", "crewai"} <= without.keys()
    changed = {name for name in without if beside[name] != without[name]}
    assert changed <= {"protobuf"}


def test_what_was_resolved_is_what_we_ask_for() -> None:
    """A requirement that changes has to be resolved anew."""
    beside = resolved("with")
    with (PACKAGE.parent / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    asked = [
        Requirement(text)
        for name in ("cli", "clients", "pipeline", "report", "serve")
        for text in extras[name]
    ]
    assert asked
    assert [str(one) for one in asked if not one.specifier.contains(beside[one.name])] == []


WITHOUT_EXTRAS = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
sys.argv = ["tokenest", *sys.argv[1:]]
from tokenest_py.__main__ import main
main()
"""
PIPELINE = {"dbt", "duckdb", "jsonschema", "altair", "vl_convert", "jinja2"}


def without(
    blocked: set[str], *arguments: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command where some packages are not installed."""
    program = WITHOUT_EXTRAS.replace("{BLOCKED}", repr(blocked))
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


REQUEST = {"custom_id": "support-1", "params": {"model": "m", "max_tokens": 9, "messages": []}}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("estimate src/a.py --format json", '"max_tokens": 8192'),
        ("size requests.jsonl", '"max_tokens": 9'),
        ("limits show gpt-4o --format csv", "gpt-4o,gpt-4o,16384,"),
        ("identity coefficients.ndjson --format csv", "\ncoefficients_id,"),
    ],
)
def test_the_extra_cli_is_enough(tmp_path: Path, words: str, says: str) -> None:
    """With typer alone."""
    (tmp_path / "requests.jsonl").write_text(json.dumps(REQUEST) + "\n")
    shutil.copy(PACKAGE / "runtime/table/defaults/coefficients.ndjson", tmp_path)
    done = without(PIPELINE, *words.split(), folder=tmp_path)
    assert (done.returncode, says in done.stdout) == (0, True), done


def test_a_source_of_limits_needs_no_other_extra(tmp_path: Path) -> None:
    """A copy of the package's seed is written anew with typer alone."""
    (tmp_path / "seeds" / "estimator").mkdir(parents=True)
    seed = tmp_path / "seeds" / "estimator" / "model_limits.csv"
    seed.write_text("model,max_output,context_window,max_input,source,as_of,deprecation_date\n")
    (tmp_path / "dbt_project.yml").touch()
    (tmp_path / "models" / "staging").mkdir(parents=True)
    (tmp_path / "table.json").write_text('{"m": {"mode": "chat", "max_output_tokens": 900}}')
    done = without(PIPELINE, "limits", "update", "--from", "table.json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "m,900,,,litellm table.json," in seed.read_text()


def test_the_extra_serve_is_enough(tmp_path: Path) -> None:
    """It gets as far as to look at the address."""
    done = without(PIPELINE - {"duckdb", "jsonschema"}, "serve", "--host", "::", folder=tmp_path)
    assert (done.returncode, "set TOKENEST_API_TOKEN" in done.stderr) == (2, True), done
    done = without({"starlette"}, "serve", folder=tmp_path)
    assert done.stderr == "tokenest: this needs an extra: pip install 'tokenest[serve]'\n"


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    """In one line."""
    done = without({"typer"}, "estimate")
    assert (done.returncode, done.stderr) == (
        1,
        "tokenest: this needs an extra: pip install 'tokenest[cli]'\n",
    )
    done = without(PIPELINE, "build", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("tokenest: this needs an extra: pip install 'tokenest[pipeline]'\n")
