"""Every macro is described in the yml of its folder: its sentence, its arguments and their types.

dbt holds the names and types against the macro (validate_macro_args); that nothing is missing, and
that the sentence is the one above the macro, is held here.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import yaml

from dbt_project import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MACROS = ROOT / "macros"
ENGINES = ("duckdb", "spark", "postgres", "snowflake", "bigquery", "default")
MACRO = re.compile(
    r"(?:\{#-?(?P<says>(?:(?!#\}).)*?)-?#\}\n)?"
    r"\{%-? macro (?P<name>\w+)\((?P<arguments>.*?)\) *-?%\}",
    re.DOTALL,
)


class Macro(NamedTuple):
    """A macro as its file has it."""

    name: str
    arguments: list[str]
    says: str


def macros_of(path: Path) -> list[Macro]:
    """The macros of a file."""
    found = []
    for macro in MACRO.finditer(path.read_text(encoding="utf-8")):
        # a default may be a call or a list, with commas of its own
        names = re.sub(r"=[^,(\[]*(\(.*?\)|\[.*?\])?", "", macro["arguments"])
        says = " ".join((macro["says"] or "").split())
        found.append(Macro(macro["name"], re.findall(r"(?:^|,)\s*(\w+)", names), says))
    return found


def every_macro() -> dict[str, tuple[Path, Macro]]:
    """By name; no two share one."""
    found = [(path, macro) for path in MACROS.rglob("*.sql") for macro in macros_of(path)]
    by_name = {macro.name: (path, macro) for path, macro in found}
    assert len(by_name) == len(found)
    return by_name


@cache
def dispatched() -> set[str]:
    """What each engine has a body of its own for."""
    text = "".join(path.read_text(encoding="utf-8") for path in MACROS.rglob("*.sql"))
    return set(re.findall(r"adapter\.dispatch\('(\w+)'", text))


def owes(name: str) -> str | None:
    """The name of the macro in the contract that this is the body of, for one engine."""
    engine, _, owed = name.partition("__")
    return owed if engine in ENGINES and owed in dispatched() else None


def test_every_macro_is_described_in_its_folder() -> None:
    """With its sentence, and each argument with a type and a description, in their order."""
    expected: dict[str, dict[str, tuple[str, list[str]]]] = {}
    for path, macro in every_macro().values():
        if owes(macro.name) is None:
            folder = expected.setdefault(str(path.parent.relative_to(MACROS)), {})
            folder[macro.name] = (macro.says, macro.arguments)
    described: dict[str, dict[str, tuple[str, list[str]]]] = {}
    for path in MACROS.rglob("*.yml"):
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))["macros"]
        assert path.name == f"_{path.parent.name}__macros.yml"
        described[str(path.parent.relative_to(MACROS))] = {
            entry["name"]: (
                " ".join(entry["description"].split()),
                [argument["name"] for argument in entry.get("arguments", [])],
            )
            for entry in entries
        }
        for argument in (one for entry in entries for one in entry.get("arguments", [])):
            assert argument["type"], argument
            assert argument["description"].strip(), argument
    assert described == expected
    assert all(says for folder in expected.values() for says, _ in folder.values())


def test_engines_give_what_they_owe() -> None:
    """Each dispatched macro has a default body; those of engines take its arguments."""
    found = every_macro()
    for name in dispatched():
        shim = found[name][1]
        bodies = {
            engine: found[f"{engine}__{name}"][1]
            for engine in ENGINES
            if f"{engine}__{name}" in found
        }
        assert "default" in bodies, name
        for body in bodies.values():
            # an engine may take more than the contract asks for, with a default
            assert body.arguments[: len(shim.arguments)] == shim.arguments, body.name


def test_an_engine_has_a_folder_of_its_own() -> None:
    """No body lies in the folder of another engine, and none outside of them but for defaults."""
    for name, (path, _) in every_macro().items():
        engine = name.partition("__")[0]
        if owes(name) and engine != "default":
            assert path.parent == MACROS / "engine" / engine, name
