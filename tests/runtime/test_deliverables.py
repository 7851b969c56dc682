"""Reading deliverables: every form a caller may hand over, and properties of the reading."""

from __future__ import annotations

import os
import tracemalloc
from itertools import repeat
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenest_py import Estimator
from tokenest_py.errors import TokenestError
from tokenest_py.runtime.deliverables import Reader, normalize
from tokenest_py.runtime.table import load
from tokenest_py.runtime.text import MAX_TEXT, ascii_lower, clean_path

READER = Reader(load())
WORDS = st.sampled_from(["src", "app", "[id]", "(shop)", "@types", "v1.2", "news", "address", "x"])
NAMES = st.sampled_from(["a.py", "b_test.go", "index.md", "x.d.ts", "page.tsx", "add.yml", "t.sql"])
PATHS = st.builds(lambda folders, name: "/".join([*folders, name]), st.lists(WORDS), NAMES)


@pytest.mark.parametrize(
    ("given_value", "texts"),
    [
        (None, []),
        ("src/a.py", ["src/a.py"]),
        ("   ", []),
        ([" a.py ", "", None], ["a.py"]),
        ({"code": ["a.py", {"b": "c.py"}], "docs": ("d.md",)}, ["a.py", "c.py", "d.md"]),
        ({"b.py", "a.py", "c.py"}, ["a.py", "b.py", "c.py"]),
        ((name for name in ("a.py", "b.py")), ["a.py", "b.py"]),
        ([7, 1.5, True], ["7", "1.5", "True"]),
        ([b"a.py"], ["a.py"]),
        ([PurePosixPath("src/a.py"), PureWindowsPath("src/a.py")], ["src/a.py", "src\\a.py"]),
        ([[[["a.py"]]]], ["a.py"]),
    ],
)
def test_forms(given_value: object, texts: list[str]) -> None:
    """Texts alone, nested, or as what becomes a text."""
    assert normalize(given_value) == [(text, None) for text in texts]


def test_objects() -> None:
    """A path beside an action is one deliverable; other keys are discarded."""

    class Change:
        path = "b.py"
        action = None

    found = normalize([{"path": " a.py ", "action": "add", "size": 4}, Change(), {"path": ""}])
    assert found == [("a.py", "add"), ("b.py", "")]
    assert normalize({"path": PurePosixPath("a.py"), "action": "add"}) == [("a.py", "add")]


def test_cycles_end() -> None:
    """What holds itself, once or twice or by way of another, is walked once."""
    cycle: list[object] = ["a.py"]
    cycle += [cycle, {"again": cycle}, cycle, "b.py"]
    assert normalize(cycle) == [("a.py", None), ("b.py", None)]
    assert normalize([["c.py"]] * 2) == [("c.py", None)] * 2


def test_depth_has_no_bound_and_number_has() -> None:
    """50,000 levels are walked; an endless generator and nesting that multiplies are refused."""
    deep: object = "a.py"
    multiplied: object = "a.py"
    for level in range(50_000):
        deep = [deep]
        multiplied = [multiplied] * 10 if level < 30 else multiplied
    assert normalize(deep) == [("a.py", None)]
    for value in (multiplied, repeat("a.py"), repeat(["a.py"])):
        with pytest.raises(TokenestError, match="more than 100000 values"):
            normalize(value)


def test_os_path_likes() -> None:
    """Anything with __fspath__ is its path."""

    class Place:
        def __fspath__(self) -> str:
            return "src/a.py"

    assert normalize([Place()]) == [(os.fspath(Place()), None)]


@given(PATHS)
def test_a_path_alone_is_its_own_path(path: str) -> None:
    """A text without a space is the path, and says nothing about new or modified."""
    found = READER.read(path, None, "")
    assert (found.path, found.action) == (path, "")
    assert READER.read(path.replace("/", "\\"), None, "").path == path


@given(PATHS, st.sampled_from(["create", "Add", "new file:", "Modify", "UPDATE"]))
def test_a_verb_before_a_path(path: str, verb: str) -> None:
    """A verb before a path says the action and leaves the path whole."""
    found = READER.read(f"{verb} {path}", None, "")
    assert found.path == path
    assert found.action == ("modified" if verb.lower() in ("modify", "update") else "new")
    assert found.name == READER.classify(path, "")


@given(st.text(max_size=200), st.text(max_size=20))
def test_any_text_is_read(text: str, action: str) -> None:
    """Any text has a path no longer than itself, a class and an action."""
    for found in (READER.read(text, None, "frontend"), READER.read(text, action, "")):
        assert found.name in {"backend", "frontend", "test", "doc", "config", "migration", "sql"}
        assert found.action in ("", "new", "modified")
        assert len(found.path) <= MAX_TEXT


@pytest.mark.parametrize(
    ("path", "name"), [("a.json", "config"), ("json", "backend"), ("x.y/json", "backend")]
)
def test_an_extension_begins_with_a_dot(path: str, name: str) -> None:
    """A file that is called json is no JSON file, as the replay in SQL has it."""
    assert READER.classify(path, "") == name


@given(st.text())
def test_ascii_lower(text: str) -> None:
    """A to Z are lowered and nothing else, so that the length stays."""
    found = ascii_lower(text)
    assert len(found) == len(text)
    assert all(
        new == old or (old.isascii() and new == old.lower())
        for old, new in zip(text, found, strict=True)
    )


@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", ["/ ", "a/", "a.", " /a", ".a", "a .", "/.", '"', "( "])
def test_hostile_texts_take_no_time(piece: str) -> None:
    """No text makes the expressions backtrack without end."""
    assert READER.read(f"x {piece * 100_000}", None, "").name == "backend"


def test_long_texts_are_not_kept() -> None:
    """A process that hands over whole prompts does not hold them."""
    estimator = Estimator.load()
    estimator.estimate(["x"])
    tracemalloc.start()
    for number in range(300):
        estimator.estimate([f"Write report {number} {'about the world ' * 1000}"])
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000  # they have 5 MB together


@pytest.mark.parametrize(
    ("path", "clean"),
    [("./a.py", "a.py"), ("`a.py`,", "a.py"), ("'src\\a.py';", "src/a.py"), (".env", ".env")],
)
def test_clean_path(path: str, clean: str) -> None:
    """Quotes, end punctuation and a leading ./ are no part of a path."""
    assert clean_path(path) == clean
