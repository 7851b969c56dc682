"""What the README shows is what happens."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dbt_project import PLANS, ROOT, plan_of
from tokenest_py.pipeline.plan.open_vars import PACKAGED_VARS
from tokenest_py.pipeline.plan.store import plan_name

if TYPE_CHECKING:
    from pathlib import Path

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def as_pattern(shown: str) -> str:
    """Shown output as a regular expression: `...` stands for anything, a line of it for lines."""
    lines = []
    for text in shown.splitlines():
        if text == "...":
            lines.append(r"(?:[^\n]*\n)*?")
        else:
            lines.append(".*?".join(re.escape(part) for part in text.split("...")) + r"\n")
    return "".join(lines)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files in a folder of their own, with the plans that `make setup` makes."""
    folder = tmp_path_factory.mktemp("clone") / "tokenest"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    (folder / "target").mkdir()
    for variables in PACKAGED_VARS:
        plan_of(variables)
        shutil.copy(PLANS / plan_name(variables), folder / "target")
    [compiling] = re.findall(r"BIN\)/(python -m tokenest_py.pipeline.plan.store)", MAKEFILE)
    run(folder, sys.executable, *compiling.split()[1:])
    names = {path.name for path in folder.glob("target/plan-*")}
    assert names == set(map(plan_name, PACKAGED_VARS))
    return folder


def run(clone: Path, *command: str) -> str:
    """What a command prints in the clone, on either stream; it has to succeed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TOKENEST")}
    done = subprocess.run(
        command,
        cwd=clone,
        env=environment | {"PYTHONPATH": str(clone), "HOME": str(clone.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.slow
def test_the_shown_advice_is_what_it_prints(clone: Path) -> None:
    """The two commands of the first screen, and the table."""
    [session, _] = blocks("console")
    setup, log, advice, *shown = session.splitlines()
    assert setup == "$ make setup"
    log, advice = (line.partition(".venv/bin/")[2] for line in (log, advice))
    script, file = log.removeprefix("python ").split(" > ")
    (clone / file).write_text(run(clone, sys.executable, script), encoding="utf-8")
    printed = run(clone, sys.executable, "-m", "tokenest_py", *advice.split()[1:])
    assert re.fullmatch(as_pattern("\n".join(shown)), printed), printed


@pytest.mark.slow
def test_the_shown_build_is_what_it_prints(clone: Path) -> None:
    """`make build` in a clean copy, compared line by line."""
    [_, session] = blocks("console")
    shown = session.partition("$ make build\n")[2].partition("$ make test\n")[0]
    make = ("make", "--no-print-directory", "build", "STAMP=", f"VENV={sys.prefix}")
    printed = run(clone, *make)
    assert re.fullmatch(as_pattern(shown), printed), printed


def test_the_python_example_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    """The comments that begin with a number are what the line above prints; its event is kept."""
    [_, example] = blocks("python")
    expected = re.findall(r"^# (\d.*)$", example, re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TELEMETRY_DB_ENABLED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.splitlines(), done.stderr) == (expected, "")
    [recorded] = tmp_path.glob("telemetry/recorded/*.ndjson")
    assert '"category":"support"' in recorded.read_text(encoding="utf-8")


def test_the_three_lines_are_those_that_wire_a_client() -> None:
    """tests/clients runs docs/wiring.md; the README shows the same."""
    [lines, _] = blocks("python")
    compile(lines, "README.md", "exec")
    said = list(filter(None, lines.splitlines()))
    assert len(said) == 3
    wiring = (ROOT / "docs" / "wiring.md").read_text(encoding="utf-8")
    for line in said[:2]:
        assert line.partition("  #")[0] in wiring, line


@pytest.mark.slow
def test_the_picture_is_what_the_example_draws(clone: Path) -> None:
    """`make picture` in a clean copy; the figure above it is the picture's."""
    kept = (ROOT / "docs" / "page.svg").read_text(encoding="utf-8")
    run(clone, "make", "--no-print-directory", "picture", "STAMP=", f"VENV={sys.prefix}")
    assert (clone / "docs" / "page.svg").read_text(encoding="utf-8") == kept
    [lead] = re.findall(r'aria-label="([^"]*)"', kept)
    assert f"**{lead}**" in README
    assert len(kept) < 150_000


def test_every_link_leads_somewhere() -> None:
    """Links of all pages to files of the project."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in target
    ]
    assert links
    dead = [(str(page), target) for page, target in links if not (page.parent / target).exists()]
    assert dead == []
