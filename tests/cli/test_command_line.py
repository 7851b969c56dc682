"""The command line as its users meet it: what it prints, where, and how it exits."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import duckdb
import pytest
import yaml

from dbt_project import BIN, DBT, ROOT, Project, line
from tokenest_py.cli import app
from tokenest_py.cli.output import Format, render
from tokenest_py.errors import TokenestError
from tokenest_py.pipeline.files import REQUIRED

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Project, subprocess.CompletedProcess[str]]:
    """A project that `tokenest build` made from the published samples, and what it printed."""
    project = Project(tmp_path_factory.mktemp("built"))
    done = project.tokenest("build", telemetry=f"{ROOT}/telemetry/**/*.ndjson")
    return project, done


def errors(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of standard error that are errors."""
    return [text for text in done.stderr.splitlines() if text.startswith("tokenest: ")]


def test_build_says_what_it_did_and_ends_with_the_calibration(
    built: tuple[Project, subprocess.CompletedProcess[str]],
) -> None:
    """It names the database that it made, accounts for every line, and prints the table."""
    project, done = built
    assert done.returncode == 0, done.stderr
    assert f"creating database {project.database}" in done.stderr
    assert (
        "26 lines in 3 files = 26 accepted + 0 duplicate + 0 quarantined + 0 blank" in done.stderr
    )
    header, *rows = done.stdout.splitlines()
    assert header.split()[:4] == ["category", "complexity", "method", "estimator_version"]
    assert any(row.startswith("implementation") and " t5_exact " in row for row in rows)
    assert "Traceback" not in done.stderr
    assert project.coefficients.is_file()
    private = [project.database, project.coefficients]
    assert [path.stat().st_mode & 0o777 for path in private] == [0o600, 0o600]


def test_a_second_build_does_not_create(
    built: tuple[Project, subprocess.CompletedProcess[str]],
) -> None:
    """Only the first build creates the database; machine formats hold nothing but the result."""
    project, _ = built
    done = project.tokenest("build", "--format", "json", telemetry=f"{ROOT}/telemetry/**/*.ndjson")
    assert done.returncode == 0, done.stderr
    assert "creating" not in done.stderr
    assert {row["method"] for row in json.loads(done.stdout)} == {"t5_exact", "median_shrunk"}


def test_identity_shows_which_database(
    built: tuple[Project, subprocess.CompletedProcess[str]],
) -> None:
    """Real path, size, modification, rows by table, last landing."""
    project, _ = built
    done = project.tokenest("identity", "--format", "json")
    facts = {row["what"]: row["value"] for row in json.loads(done.stdout)}
    assert facts["database"] == str(project.database.resolve())
    assert facts["files landed"] == 3
    assert facts["rows in marts.calls"] == 26
    assert facts["newest event"] == "2025-12-24T01:55:10Z"


def test_no_telemetry_says_where_it_looked(project: Project) -> None:
    """Exit 4, and no database is left behind."""
    done = project.tokenest("build")
    assert done.returncode == 4
    [message] = errors(done)
    assert f"no file matches {project.folder}/telemetry/**/*.ndjson" in message
    assert not project.database.exists()


def test_globs_with_a_typo_are_named_by_each_build(
    built: tuple[Project, subprocess.CompletedProcess[str]],
) -> None:
    """Also where there is a database already: it stays, since files may be archived."""
    project, _ = built
    done = project.tokenest("build", telemetry="typo/*.ndjson")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(f"warning: no file matches {project.folder}/typo/*.ndjson; set ")


def test_a_place_on_the_network_is_refused(project: Project) -> None:
    """Nothing is fetched, and no extension of DuckDB either."""
    done = project.tokenest("build", telemetry="s3://bucket/*.ndjson")
    assert done.returncode == 1
    [message] = errors(done)
    assert message.startswith("tokenest: TOKENEST_TELEMETRY names s3://bucket/*.ndjson, and a ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("tail", ["", "/"])
def test_a_folder_in_the_place_of_files_says_what_to_name(project: Project, tail: str) -> None:
    """With the pattern that finds its files, whatever else is named beside it."""
    project.telemetry("below/a.ndjson").write_text("", encoding="utf-8")
    folder = f"{project.folder}/telemetry/below"
    done = project.tokenest("build", telemetry=f"{folder}{tail}")
    [warning] = [text for text in done.stderr.splitlines() if text.startswith("warning: ")]
    assert warning.endswith(
        f"{folder}{tail} was set aside: it is no file but a folder; name its files, as in"
        f" {folder}/**/*.ndjson"
    )
    assert done.returncode == 4


def test_telemetry_without_any_event_is_no_data(project: Project) -> None:
    """The lines are quarantined, the message says so, and the exit code is 4."""
    project.telemetry().write_bytes(b"not a record\n")
    project.telemetry("odd.ndjson").write_bytes(b'{"hello": 1}\n')
    done = project.tokenest("build")
    [warning] = [text for text in done.stderr.splitlines() if text.startswith("warning: ")]
    assert "telemetry/odd.ndjson was not read" in warning
    assert "which has hello; `tokenest import FILE` knows more names and shapes, SOURCE:" in warning
    assert warning.endswith(
        f" or write event records: {REQUIRED} are enough (docs/event_record.md)"
    )
    assert done.returncode == 4
    [message] = errors(done)
    assert "1 line quarantined" in message


def test_plain_dbt_build_passes_without_telemetry(empty: Project) -> None:
    """Empty marts, and an export that equals the packaged defaults."""
    assert empty.rows("select count(*) from marts.calls") == [(0,)]
    packaged = ROOT / "tokenest_py/runtime/table/defaults/coefficients.ndjson"
    assert empty.coefficients.read_bytes() == packaged.read_bytes()


def text_file(path: Path) -> str:
    """Something that is no database."""
    path.write_text("hello\n")
    return "not a DuckDB database"


def sqlite_file(path: Path) -> str:
    """A database of another kind."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table t (x)")
    return "an SQLite file"


def empty_file(path: Path) -> str:
    """A file of no bytes."""
    path.touch()
    return "an empty file"


def foreign_duckdb(path: Path) -> str:
    """A DuckDB file that tokenest did not make."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table t (x int)")
    return "was not made by `tokenest build`"


def ended_build(path: Path) -> str:
    """What the first build leaves that was ended before its transaction was."""
    duckdb.connect(str(path)).close()
    return "holds no table; run `tokenest build`"


def folder(path: Path) -> str:
    """No file at all."""
    path.mkdir()
    return "is a folder"


def nothing(path: Path) -> str:
    """Not there."""
    return f"there is no database at {path}"


@pytest.mark.parametrize(
    "prepare",
    [text_file, sqlite_file, empty_file, foreign_duckdb, ended_build, folder, nothing],
)
def test_a_wrong_database_is_refused_in_one_line(project: Project, prepare: object) -> None:
    """And it is not created, filled or changed."""
    assert callable(prepare)
    expected = prepare(project.database)
    before = project.database.stat() if project.database.is_file() else None
    done = project.tokenest("identity")
    assert done.returncode == 1
    assert [expected in message for message in errors(done)] == [True]
    assert len(done.stderr.splitlines()) == 1
    after = project.database.stat() if project.database.is_file() else None
    assert (after and after.st_size) == (before and before.st_size)


def test_an_empty_database_needs_a_word(empty: Project) -> None:
    """No event is no data, whichever command asks; --allow-empty-db allows empty, never foreign."""
    assert empty.tokenest("calibrate").returncode == 4
    refused = empty.tokenest("identity")
    assert refused.returncode == 4
    assert "--allow-empty-db" in errors(refused)[0]
    assert empty.tokenest("identity", "--allow-empty-db").returncode == 0


def test_a_busy_database_names_its_holder(
    built: tuple[Project, subprocess.CompletedProcess[str]],
) -> None:
    """Exit 75 after --lock-timeout seconds."""
    project, _ = built
    program = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True);"
        " sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, project.database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        for command in ("identity", "build"):
            done = project.tokenest(command, "--lock-timeout", "0.2",
                                    telemetry=f"{ROOT}/telemetry/**/*.ndjson")  # fmt: skip
            assert done.returncode == 75
            [message] = errors(done)
            assert f"held by process {holder.pid}" in message
        holder.communicate(b"")


WRONG_VARS = [
    {
        "under_multiplier": ("many", "a number of at least 0"),
        "min_samples": (float("nan"), "a whole number of at least 1"),
        "runs_per_period": (0, "a whole number of at least 1"),
        "target_truncation": (2, "a number from 0 to 1"),
        "final": (1, "true or false"),
        "truncation_rates": ([0.1, "0.2) --"], "a list of numbers"),
        "cost_rates": ([], "a list of numbers from 0.0001 to 0.9999, all different"),
        "sources": ([], "a list of words, all different and at least one"),
        "partial_usage_flags": (["a', 'b"], "a list of words"),
        "exported_budget": ("x' --", "one of budget_blend, budget_strict"),
        "as_of": ("2026' --", "a time such as 2026-01-31 00:00:00, or null"),
        "labels": ([*"abcdefghi"], "a list of 1 to 8 different names"),
        # with a typo, or of another version
        "format_version": (999, "is none of tokenest; docs/reference/vars.md has them all"),
    },
    {
        "min_samples": (2.5, "a whole number of at least 1"),
        "truncation_rates": ([0.1, 0.10], "all different and at least one"),
        "labels": (["a", "a"], "a list of 1 to 8 different names"),
    },
    {
        "budget_step": (0, "a whole number of at least 1"),
        "truncation_rates": ([], "all different and at least one"),
        "labels": (["model"], "a list of 1 to 8 different names"),
    },
    {"labels": ({"a": 1}, "a list of 1 to 8 different names")},
    {"assumed_max_tokens": ({"codex": 32000}, "such as {codex: {all: 32000}}")},
]


@pytest.mark.parametrize("wrong", WRONG_VARS)
def test_wrong_vars_stop_the_build(project: Project, wrong: dict[str, tuple[object, str]]) -> None:
    """In one line that names them all, before anything is written."""
    given = yaml.safe_dump({name: value for name, (value, _) in wrong.items()})
    done = project.dbt("build", "-s", "base_telemetry__files", "--vars", given)
    assert done.returncode != 0
    [said] = [text for text in done.stdout.splitlines() if "it must be" in text]
    found = {text.split()[0]: text for text in said.strip().removeprefix("var ").split("; var ")}
    assert found.keys() == wrong.keys()
    for name, (_, expected) in wrong.items():
        assert expected in found[name]


@pytest.mark.parametrize("limit", ["lots", "5"])
def test_a_wrong_memory_limit_stops_the_build(project: Project, limit: str) -> None:
    """By its name, in one line, before there is a database."""
    project.telemetry().write_bytes(line())
    done = subprocess.run(
        [BIN / "tokenest", "build"],
        cwd=project.folder,
        env=project.environment() | {"TOKENEST_MEMORY_LIMIT": limit},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    expected = f"tokenest: TOKENEST_MEMORY_LIMIT is {limit!r}; it must be like 2GB, or like 80%\n"
    assert done.stderr == expected
    assert not project.database.exists()


def test_too_little_memory_says_what_to_raise(project: Project) -> None:
    """And not DuckDB's message alone."""
    project.telemetry().write_bytes(line())
    environment = project.environment() | {"TOKENEST_MEMORY_LIMIT": "1MB"}
    done = subprocess.run([BIN / "tokenest", "build"], cwd=project.folder, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 1
    [message] = errors(done)
    assert message.endswith("; raise TOKENEST_MEMORY_LIMIT: what had landed is kept")


def test_the_exports_folder_is_made(project: Project) -> None:
    """Plain dbt makes it at the start, with what lies above it."""
    environment = project.environment() | {"TOKENEST_EXPORTS": "new/deep/exports"}
    selection = ["-s", "base_telemetry__files", "--indirect-selection", "cautious"]
    done = DBT.of_checkout(["build", *selection], project.folder, environment)
    assert done.returncode == 0, done.stdout
    assert list((project.folder / "new" / "deep" / "exports").iterdir()) == []


def test_an_output_that_is_no_file_is_written_to(project: Project, tmp_path: Path) -> None:
    """A device or a FIFO stays one (/dev/null is one too), and a link goes on leading there."""
    words = ["estimate", "--format", "json", "--output"]
    pipe, target, link = tmp_path / "pipe", tmp_path / "target", tmp_path / "link"
    os.mkfifo(pipe)
    target.write_text("of before", encoding="utf-8")
    link.symlink_to(target)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert project.tokenest(*words, str(pipe)).returncode == 0
    said = os.read(reader, 1 << 16)
    os.close(reader)
    assert pipe.is_fifo()
    assert json.loads(said)[0]["max_tokens"]
    assert project.tokenest(*words, str(link)).returncode == 0
    assert link.is_symlink()
    assert target.read_bytes() == said
    assert {path.name for path in tmp_path.iterdir()} >= {"pipe", "target", "link"}
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("words", [["report"], ["calibrate"], ["build"]])
def test_a_file_in_the_place_of_a_folder_is_named(
    built: tuple[Project, subprocess.CompletedProcess[str]], words: list[str], tmp_path: Path
) -> None:
    """With the fix, and not as a surprise."""
    project, _ = built
    file = tmp_path / "file"
    file.touch()
    environment = project.environment(f"{ROOT}/telemetry/**/*.ndjson")
    if words == ["calibrate"]:
        words = ["calibrate", "--output-dir", str(file)]
    else:
        environment |= {"TOKENEST_EXPORTS": str(file)}
    done = subprocess.run([BIN / "tokenest", *words], cwd=project.folder, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 1
    assert re.fullmatch(rf"tokenest: {file}\S* cannot be made: [^;]+; .+\n", done.stderr)


@pytest.mark.parametrize("arguments", [["--nonsense"], ["nonsense"], ["build", "--format", "xml"]])
def test_usage_errors_exit_2_in_one_line(project: Project, arguments: list[str]) -> None:
    """No traceback and no box."""
    done = project.tokenest(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "command"), [("size", "tokenest size"), ("limits nonsense", "tokenest limits")]
)
def test_a_wrong_use_names_the_help_of_its_command(words: str, command: str) -> None:
    """That of the program has no option of it."""
    with pytest.raises(TokenestError, match=rf" \(see {command} --help\)$"):
        app.run(words.split())


@pytest.mark.parametrize("group", ["limits", "export"])
def test_a_group_alone_prints_what_there_is(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As the program alone does: on standard output, and not as an error in one line."""
    assert app.run([group]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: tokenest {group} ")


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command of the list explains itself; the list comes from a process of its own."""
    listing = subprocess.run(
        [BIN / "tokenest", "--help"], capture_output=True, text=True, check=True
    )
    commands = [
        text.split()[0]
        for text in listing.stdout.partition("Commands:")[2].splitlines()
        if text.strip()
    ]
    assert {"build", "identity"} <= set(commands)
    for command in commands:
        assert app.run([command, "--help"]) == 0
        assert f"Usage: tokenest {command}" in capsys.readouterr().out


def test_csv_cannot_start_a_formula() -> None:
    """What a spreadsheet would run stays text; numbers stay numbers."""
    rows = [{"category": text, "n": -1} for text in ["=1+1", "+1", "-1", "@x", "\tx", "plain"]]
    text = render(rows, Format.CSV)
    assert [row.split(",")[0] for row in text.splitlines()[1:]] == [
        "'=1+1", "'+1", "'-1", "'@x", "'\tx", "plain",
    ]  # fmt: skip
    assert all(row.endswith(",-1") for row in text.splitlines()[1:])


def test_labels_in_csv_are_json() -> None:
    """No word of Python: another program reads them."""
    rows = [{"labels": {"category": "Ünï"}}]
    assert render(rows, Format.CSV) == 'labels\n"{""category"": ""Ünï""}"\n'


def test_a_table_of_nothing_is_nothing() -> None:
    """An empty line alone is what a scheduled build left of its result."""
    assert not render([], Format.TABLE)
