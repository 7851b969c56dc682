"""docs/reference/ is what the program prints, and the other pages say the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from unittest.mock import Mock

import pytest

from dbt_project import BIN, ROOT
from tokenest_py.cli.reference import PAGES
from tokenest_py.pipeline.settings import VARIABLES, Settings
from tokenest_py.runtime.providers import PARAMETERS

README = (ROOT / "README.md").read_text(encoding="utf-8")
VARIABLE = r"\b(?:TOKENEST|TELEMETRY_DB|DBT_TARGET)_[A-Z_]+\b"


def tokenest(*arguments: str) -> str:
    """What the command prints on a terminal of 80 columns."""
    done = subprocess.run(
        [BIN / "tokenest", *arguments],
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def commands() -> dict[str, str]:
    """Command: its first line, as the list of the commands has them."""
    listed = tokenest("--help").partition("Commands:\n")[2].splitlines()
    return {
        name: says.strip() for name, _, says in (line.strip().partition(" ") for line in listed)
    }


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_what_the_program_prints(page: str) -> None:
    """`make reference` has been run since."""
    printed = subprocess.run(
        [sys.executable, "-m", "tokenest_py.cli.reference", page],
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout == (ROOT / f"docs/reference/{page}.md").read_text(encoding="utf-8")


def test_no_first_line_is_cut() -> None:
    """On 80 columns the list says what each command does, whole."""
    for name, says in commands().items():
        assert says.endswith("."), name
        assert not says.endswith("..."), name
        assert len(says) <= 60, name


def test_without_arguments_there_is_help() -> None:
    """As with --help, on standard output and with exit code 0."""
    assert tokenest() == tokenest("--help")


def test_every_command_is_documented() -> None:
    """The reference has it, as --help shows it on 80 columns, and a page by hand names it."""
    reference = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    by_hand = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    for name in commands():
        assert f"## tokenest {name}\n" in reference
        assert f"tokenest {name}" in by_hand, name
    assert tokenest("drain", "--help") in reference
    for name in ("export ceilings", "export events", "limits show", "limits update"):
        assert f"## tokenest {name}\n" in reference


def texts(*folders: str) -> dict[Path, str]:
    """The files in which a variable may be named."""
    return {
        path: path.read_text(encoding="utf-8")
        for folder in folders
        for path in ((ROOT / folder).rglob("*") if (ROOT / folder).is_dir() else [ROOT / folder])
        if path.suffix in {".py", ".sql", ".yml", ".md"}
    }


def test_every_variable_is_in_the_table() -> None:
    """Code, SQL and pages name no other one, and each that stands there is named somewhere."""
    known = {variable.name for variable in VARIABLES}
    found = texts("tokenest_py", "macros", "models", "profiles.yml", "docs", "README.md")
    named = {name for text in found.values() for name in re.findall(VARIABLE, text)}
    assert named - {"TOKENEST_"} == known


def test_dbt_has_the_same_defaults() -> None:
    """env_var() in SQL and in the profile says what the table says."""
    defaults = {variable.name: variable.default for variable in VARIABLES}
    found = texts("macros", "models", "profiles.yml")
    used = [
        (path.name, *pair)
        for path, text in found.items()
        if "spark" not in path.parts  # Spark has no working directory to look in
        for pair in re.findall(r"env_var\('(\w+)', '([^']*)'\)", text)
    ]
    used = [use for use in used if use[1] != "HOME"]  # for ~, in plain dbt
    assert {name for _, name, _ in used} == {
        variable.name
        for variable in VARIABLES
        if "dbt" in variable.readers and variable.name != "DBT_TARGET_PATH"
    }
    assert [use for use in used if defaults[use[1]] != use[2]] == []


def test_the_shown_header_is_that_of_a_table() -> None:
    """Its members, and the levels that come after the labels; the page names each of them."""
    page = (ROOT / "docs/coefficients.md").read_text(encoding="utf-8")
    table = (ROOT / "tokenest_py/runtime/table/defaults/coefficients.ndjson").read_text("utf-8")
    header = json.loads(table.partition("\n")[0])
    shown = json.loads(page.partition("```json\n")[2].partition("\n")[0])
    assert list(shown) == list(header)
    assert shown["levels"][3:] == header["levels"][2:]
    assert all(f"`{level}`" in page for level in header["levels"])


def test_every_python_block_can_be_pasted() -> None:
    """Of all pages: it compiles."""
    for path, text in texts("README.md", "docs").items():
        for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
            compile(block, str(path), "exec")


def test_the_shown_explanation_is_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first block of docs/estimator.md, with a client that takes any call."""
    page = (ROOT / "docs/estimator.md").read_text(encoding="utf-8")
    block, shown = re.findall(r"```(?:python)?\n(.*?)```", page, flags=re.DOTALL)[:2]
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOKENEST_COEFFICIENTS", raising=False)
    exec(compile(block, "docs/estimator.md", "exec"), {"client": Mock()})
    printed = re.sub(
        r"coefficients [0-9a-f]{16},", "coefficients 0123456789abcdef,", capsys.readouterr().out
    )
    assert printed == shown


def test_each_extra_says_what_it_is_for() -> None:
    """In one table; what is for who works on the project is not in it."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    said = re.findall(r"`'tokenest\[(\w+)\]'`", page.partition("## A schedule")[0])
    assert set(said) == extras.keys() - {"dev"}


def test_each_name_of_a_ceiling_is_shown() -> None:
    """What `request_kwargs` takes and gives, provider by provider."""
    page = (ROOT / "docs/estimator.md").read_text(encoding="utf-8")
    shown = " ".join(
        page.partition("`request_kwargs(provider)` gives")[2].partition(".\n")[0].split()
    )
    for name in set(PARAMETERS.values()):
        providers = ", ".join(sorted(key for key, value in PARAMETERS.items() if value == name))
        assert f"`{name}` ({providers})" in shown


def test_the_environment_is_read_in_one_place() -> None:
    """Beside it, three hand it on: to a worker, to dbt, and to the charts' library, with a home."""
    readers = {
        path.relative_to(ROOT / "tokenest_py").as_posix()
        for path, text in texts("tokenest_py/pipeline", "tokenest_py/cli").items()
        if "environ" in re.findall(r"\w+", text) or "getenv" in text
    }
    assert readers == {
        "pipeline/settings.py", "pipeline/plan/store.py", "pipeline/collection/worker.py",
        "pipeline/report/charts.py",
    }  # fmt: skip


def test_the_readme_names_what_a_user_sets() -> None:
    """Its sentence on settings has each variable that commands read, and leads to the table."""
    sentence = README.partition("Settings, each with a default")[2].partition("\n\n")[0]
    assert "docs/reference/settings.md" in sentence
    set_by_users = {v.name for v in VARIABLES if v.readers[0] == "commands"}
    assert set_by_users - {"DBT_TARGET_PATH"} <= set(re.findall(VARIABLE, sentence))


def test_an_empty_variable_is_not_set_and_an_option_goes_before() -> None:
    """The order is option, variable, default; a home folder is written out."""
    read = Settings.read({"TOKENEST_DB": "", "TOKENEST_TELEMETRY": "a/*.ndjson"})
    assert read.database.name == "tokenest.duckdb"
    assert read.telemetry == ("a/*.ndjson",)
    assert Settings.read({"TOKENEST_TELEMETRY": "a"}, TOKENEST_TELEMETRY="b,c").telemetry == (
        "b",
        "c",
    )
    home = Path.home()
    read = Settings.read({"TOKENEST_TELEMETRY": "a, ~/logs/**/*.ndjson", "TOKENEST_DB": "~/t.db"})
    assert read.telemetry == ("a", f"{home}/logs/**/*.ndjson")
    assert str(read.database) == f"{home}/t.db"
    assert read.replaced(TOKENEST_EXPORTS="e").exports.name == "e"
