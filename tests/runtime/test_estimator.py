"""The estimates: published predictions, every rule of the model, and what a result promises."""

from __future__ import annotations

import enum
import functools
import math
import os
import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vintages
from origin import OriginEstimator
from tokenest_py import Estimator, TokenEstimate
from tokenest_py.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

PHASE_2 = [7020, 8970, 7020, 10270, 19240, 5200]
HEAD = [5244, 8970, 5244, 10270, 19240, 12818]
FIVE_DOCUMENTS = vintages.SIX_CALLS[5][0]


@pytest.fixture
def estimator() -> Estimator:
    """The packaged coefficients, with no workspace."""
    return Estimator.load(strict=True)


@pytest.mark.parametrize(
    ("vintage", "tokens"), [(vintages.phase_2, PHASE_2), (vintages.head, HEAD)]
)
@pytest.mark.parametrize("kind", [Estimator, OriginEstimator])
def test_vintages(
    tmp_path: Path,
    vintage: Callable[[vintages.Rows], vintages.Rows],
    tokens: list[int],
    kind: type[Estimator],
) -> None:
    """Both vintages of the origin reproduce their six predictions, in either reading."""
    estimator = kind.load(vintages.write(tmp_path, vintage), strict=True)
    found = [estimator.estimate(*call).estimated_tokens for call in vintages.SIX_CALLS]
    assert found == tokens


def test_packaged_defaults(
    estimator: Estimator,
) -> None:
    """The packaged table is the original one, with the document models."""
    found = [estimator.estimate(*call).estimated_tokens for call in vintages.SIX_CALLS]
    assert found == [*PHASE_2[:5], 12818]


@pytest.mark.parametrize(
    ("category", "complexity", "files", "tokens"),
    [
        ("configuration", "low", 2, 6240),
        ("implementation", "medium", 2, 9100),
        ("implementation", "medium", 3, 11700),
        ("implementation", "low", 2, 7800),
        ("implementation", "high", 2, 11700),
        ("integration", "medium", 1, 7800),
        ("documentation", "low", 3, 9750),
        ("refactoring", "low", 4, 13650),
        ("refactoring", "medium", 2, 9750),
    ],
)
def test_fourteen_samples(
    estimator: Estimator, category: str, complexity: str, files: int, tokens: int
) -> None:
    """The predictions that the origin published when it replayed its fourteen samples."""
    deliverables = [f"src/file{number}.py" for number in range(files)]
    assert estimator.estimate(deliverables, category, complexity).estimated_tokens == tokens


@pytest.mark.parametrize(
    ("deliverables", "scope_paths", "category", "tokens"),
    [
        (FIVE_DOCUMENTS, 0, "doc_synthesis", 12818),
        (FIVE_DOCUMENTS, 1, "doc_synthesis", 12168),
        (FIVE_DOCUMENTS, 10, "doc_synthesis", 12168),
        (["docs/API_REFERENCE.md"], 0, "doc_synthesis", 5915),
        (["CHANGELOG.md"], 0, "doc_sot_update", 5245),
        (["CHANGELOG.md"], 10, "doc_sot_update", 4205),
        (["CHANGELOG.md"], 11, "doc_sot_update", 3295),
        (["CHANGELOG.md", "docs/BUILD_LOG.md", "docs/a.md"], 5, "doc_sot_update", 6896),
    ],
)
@pytest.mark.parametrize("kind", [Estimator, OriginEstimator])
def test_document_models(
    deliverables: list[str], scope_paths: int, category: str, tokens: int, kind: type[Estimator]
) -> None:
    """Values checked by hand in the study of the origin."""
    estimator = kind.load(strict=True)
    scope = [f"src/{number}.py" for number in range(scope_paths)]
    found = estimator.estimate(deliverables, "documentation", "low", scope_paths=scope)
    assert (found.category, found.estimated_tokens) == (category, tokens)
    assert found.confidence == (0.75 if category == "doc_synthesis" else 0.70)


def test_task_text(estimator: Estimator) -> None:
    """The task text alone can ask for a synthesis."""
    plain = estimator.estimate(["docs/guide.md"], "documentation", "low")
    asked = estimator.estimate(
        ["docs/guide.md"],
        "documentation",
        "low",
        task="Write examples from scratch",
        scope_paths=None,
    )
    # 2500 + 1400 + 850, times 1.3
    assert (plain.category, plain.estimated_tokens) == ("documentation", 2600)
    assert (asked.category, asked.estimated_tokens) == ("doc_synthesis", 6175)


def test_documents_alone(estimator: Estimator) -> None:
    """Documents alone are documentation, whatever the category."""
    found = estimator.estimate(["docs/guide.md"], "implementation", "high")
    assert (found.category, found.overhead, found.estimated_tokens) == ("documentation", 3500, 5200)


@pytest.mark.parametrize(
    ("complexity", "tokens"),
    [("low", 8192), ("medium", 12288), ("high", 16384), ("odd", 8192), (None, 8192)],
)
def test_no_deliverables(estimator: Estimator, complexity: str | None, tokens: int) -> None:
    """Without deliverables the floor of the complexity counts, whatever the category."""
    nothings: tuple[Any, ...] = (None, [], "", "   ", {}, {"files": []}, [None, ""])
    for nothing in nothings:
        found = estimator.estimate(nothing, "docs", complexity)
        assert (found.estimated_tokens, found.confidence, found.deliverable_count) == (
            tokens,
            0.5,
            0,
        )


def test_unknown_names(estimator: Estimator) -> None:
    """An unknown category or complexity keeps its name and gets the default overhead."""
    for category, complexity in (("gardening", "low"), ("implementation", "extreme")):
        found = estimator.estimate(["src/a.py"], category, complexity)
        assert (found.overhead, found.estimated_tokens) == (2000, 5200)
        assert (found.category, found.complexity) == (category, complexity)


@pytest.mark.parametrize(
    ("spelled", "canonical"),
    [
        (("Docs", "LOW"), ("documentation", "low")),
        (("tests", "med"), ("testing", "medium")),
        (("IMPLEMENT_FEATURE", "high_complexity"), ("implementation", "high")),
        ((" doc_write ", "low-level"), ("documentation", "low")),
        (("implementation", "maint"), ("implementation", "maintenance")),
        (("implementation", "maintenance_mode"), ("implementation", "maintenance")),
    ],
)
def test_names(estimator: Estimator, spelled: tuple[str, str], canonical: tuple[str, str]) -> None:
    """Every spelling of a category or complexity gives the canonical one and its estimate."""
    found = estimator.estimate(["src/a.py"], *spelled)
    assert (found.category, found.complexity) == canonical
    same = estimator.estimate(["src/a.py"], *canonical)
    assert found.estimated_tokens == same.estimated_tokens


@pytest.mark.parametrize(
    ("deliverables", "confidence"),
    [
        (["src/a.py"], 0.8),
        (["Create src/a.py"], 1.0),
        (["Create src/a.py", "Dockerfile"], 0.75),
        (["something vague"], 0.5),
        (["main.c", "main.h", "fit.R"], 0.8),
    ],
)
def test_confidence(estimator: Estimator, deliverables: list[str], confidence: float) -> None:
    """Confidence grows with extensions and actions."""
    assert estimator.estimate(deliverables).confidence == pytest.approx(confidence)


def test_new_or_modified(tmp_path: Path) -> None:
    """The text decides, else the workspace, else the caller."""
    (tmp_path / "old.py").write_text("x = 1\n" * 100)
    looking = Estimator.load(workspace=tmp_path)
    blind = Estimator.load()

    def states(estimator: Estimator, assume: str | None) -> list[tuple[str, str]]:
        found = estimator.estimate(["Create old.py", "old.py", "gone.py"], assume=assume)
        return [(part.state, part.decided_by) for part in found.parts]

    for assume in (None, "new", "modified"):
        assert states(looking, assume) == [
            ("new", "action"),
            ("modified", "workspace"),
            ("new", "workspace"),
        ]
    assert states(blind, None) == [("new", "action"), ("new", "assumed"), ("new", "assumed")]
    assert states(blind, "modified")[1:] == [("modified", "assumed")] * 2
    with pytest.raises(UsageError, match="assume='old'"):
        blind.estimate(["a.py"], assume="old")


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        ("x = 1\n", 396),  # 700 * 0.7 * 0.9 * 0.9, the origin's 3114
        ("x = 1\n" * 100, 567),  # 700 * 1.0 * 0.9 * 0.9
        ("x = 1\n" * 300, 737),  # 700 * 1.3 * 0.9 * 0.9 = 737.1
        ("x = 1\n" * 500, 850),  # 700 * 1.5 * 0.9 * 0.9 = 850.5
        ("# only\n\n# comments\n", 396),
        ("import a\n" * 5 + "x = 1\n" * 95, 630),  # 700 * 1.0 * 1.0 * 0.9
        ("import a\n" * 15 + "        x = 1\n" * 585, 1259),  # 1.5 * 1.2 is just below 1.8
        ("import a\n" * 15 + " " * 16 + "x = 1\n" * 585, 1400),  # 2.16 is kept at 2.0: 700 * 2.0
    ],
)
def test_file_size(tmp_path: Path, content: str, tokens: int) -> None:
    """The size of an existing file scales its weight."""
    (tmp_path / "old.py").write_text(content)
    found = Estimator.load(workspace=tmp_path).estimate(["old.py"], "implementation", "low")
    assert found.breakdown == {"backend_modified": tokens}
    assert found.estimated_tokens == int((2000 + tokens) * 1.3)


def test_unmeasurable_files(tmp_path: Path) -> None:
    """What is no regular file keeps its weight, and a pipe does not block."""
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "secret.py").write_bytes(b"\xff\xfe\x00binary")
    estimator = Estimator.load(workspace=tmp_path)
    found = estimator.estimate(["folder.py", "pipe.py", "secret.py"])
    assert [part.size_factor for part in found.parts] == [1.0, 1.0, pytest.approx(0.567)]


def test_outside_the_workspace(tmp_path: Path) -> None:
    """Paths that leave the workspace are not looked at."""
    (tmp_path / "outside.py").write_text("x = 1\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.py").write_text("x = 1\n")
    estimator = Estimator.load(workspace=inside)
    paths = ["../outside.py", str(tmp_path / "outside.py"), "a/../../outside.py", "a\x00.py"]
    for assume in ("new", "modified"):
        parts = estimator.estimate(paths, assume=assume).parts
        assert {(part.state, part.decided_by) for part in parts} == {(assume, "assumed")}
    assert estimator.estimate([str(inside / "a.py")]).parts[0].state == "modified"


def test_multiplier(tmp_path: Path) -> None:
    """A multiplier scales the whole estimate of its cell, else of its category."""

    def change(rows: vintages.Rows) -> vintages.Rows:
        return [
            *rows,
            {"kind": "multiplier", "category": "implementation", "value": 0.5},
            {
                "kind": "multiplier",
                "category": "implementation",
                "complexity": "low",
                "value": 0.321,
            },
            {
                "kind": "multiplier_low",
                "category": "implementation",
                "complexity": "low",
                "value": 0.2,
            },
            {
                "kind": "multiplier_high",
                "category": "implementation",
                "complexity": "low",
                "value": 0.45,
            },
            {"kind": "multiplier_high", "category": "backend", "value": 0.3},
            {"kind": "multiplier", "category": "backend", "complexity": "low", "value": 0.75},
            {
                "kind": "multiplier_low",
                "category": "backend",
                "complexity": "low",
                "value": 0.8,
            },
        ]

    estimator = Estimator.load(vintages.write(tmp_path, change), strict=True)
    low, medium, other = (
        estimator.estimate(["src/a.py"], *cell)
        for cell in (("implementation", "low"), ("implementation", "medium"), ("database", "low"))
    )
    assert (low.base_tokens, low.multiplier, low.estimated_tokens) == (5200, 0.321, 1669)
    assert (low.low, low.high) == (1040, 2340)
    assert (medium.base_tokens, medium.estimated_tokens) == (6500, 3250)
    assert (medium.low, medium.high) == (2275, 4225)
    assert (other.multiplier, other.estimated_tokens) == (1.0, 5200)
    # a range is that of its own multiplier, and holds the estimate
    odd = estimator.estimate(["src/a.py"], "backend", "low")
    assert (odd.low, odd.estimated_tokens, odd.high) == (3900, 3900, 5070)


def test_results_are_immutable(estimator: Estimator) -> None:
    """A result cannot be changed, and names the table and the version it comes from."""
    found: Any = estimator.estimate(["src/a.py"])
    with pytest.raises(AttributeError):
        found.estimated_tokens = 1  # the assignment is the test
    with pytest.raises(TypeError):
        found.breakdown["backend_new"] = 1  # the assignment is the test
    assert found.coefficients_id == estimator.status().coefficients_id
    assert found.estimator_version == "1"
    assert (found.low, found.high) == (3640, 6760)


def test_explain(tmp_path: Path) -> None:
    """The explanation names every number."""
    (tmp_path / "old.py").write_text("x = 1\n")
    estimator = Estimator.load(workspace=tmp_path)
    found = estimator.estimate(["old.py", "Create tests/test_b.py"], "implementation", "low")
    text = estimator.explain(found, estimator.budget(found, model="gpt-4o", reasoning_tokens=500))
    for piece in (
        "4934 output tokens, between 3454 and 6414",
        "overhead 2000 for implementation/low",
        "396 for old.py: modified backend, as the workspace shows, times 0.567 for its size",
        "1400 for tests/test_b.py: new test, as its text says",
        "sum 3796, times the safety margin 1.3: 4934",
        "max_tokens 8692 from the cold-start floor",
        "500 of it for reasoning, 8192 visible",
        found.coefficients_id,
    ):
        assert piece in text


SCRAPS = st.sampled_from(
    ["src/a.py", "tests/test_a.py", "docs/a.md", "CHANGELOG.md", "docs/API_REFERENCE.md", "a.sql"]
)
CATEGORIES = st.sampled_from(
    ["implementation", "docs", "doc_synthesis", "doc_sot_update", "frontend", "TESTS", "odd", None]
)


@settings(max_examples=300)
@given(
    deliverables=st.lists(st.one_of(SCRAPS, st.text(max_size=40)), max_size=8),
    category=CATEGORIES,
    complexity=st.sampled_from(["low", "medium", "HIGH", "maintenance", "odd", None]),
)
def test_stored_estimates_replay(
    deliverables: list[str], category: str | None, complexity: str | None
) -> None:
    """What an estimate stores gives the same estimate again."""
    estimator = Estimator.load()
    first = estimator.estimate(deliverables, category, complexity)
    again = estimator.estimate(first.deliverables, first.category, first.complexity)
    assert again == first


@settings(max_examples=300)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.floats(), st.binary(max_size=8), st.text()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_any_nesting(value: object) -> None:
    """Any nesting of anything gives a positive estimate and a range around it."""
    found = Estimator.load().estimate(value)
    assert isinstance(found, TokenEstimate)
    assert 0 < found.low <= found.estimated_tokens <= found.high
    assert 0.5 <= found.confidence <= 1
    assert len(found.deliverables) == found.deliverable_count


class Odd(enum.Enum):
    """A member is no text, whatever its value."""

    A = "implementation"


class Unshowable:
    """An object that fails at whatever is asked of it."""

    def __repr__(self) -> str:
        """Raise."""
        raise RuntimeError


ODD: list[Any] = [
    "a\0b", "\ud800", 5, -1, 1.5, math.nan, True, 10**300, Decimal(5), b"x", "x" * 10**5, ["a"],
    {"a": 1}, {1}, object(), Unshowable(), Path("a.py"), Odd.A, iter("a"),
]  # fmt: skip


REFUSED_AS = {"explain": "estimate=", "explain budget": "budget="}


@pytest.mark.parametrize("value", ODD, ids=lambda value: type(value).__name__)
def test_an_argument_of_any_type_is_used_or_refused_by_its_name(
    estimator: Estimator,
    value: Any,  # noqa: ANN401
) -> None:
    """No other error leaves an estimate or a budget, and none repeats a whole prompt."""
    asked = estimator.estimate(["src/a.py"])
    given = estimator.budget(asked)
    calls: dict[str, Callable[[], object]] = {
        "source": lambda: Estimator(value),
        "estimate": lambda: estimator.budget(value),
        "budget": lambda: estimator.after_truncation(value, "length"),
        "stop_reason": lambda: estimator.after_truncation(given, value),
        "output_tokens": lambda: estimator.after_truncation(given, "length", output_tokens=value),
        "explain": lambda: estimator.explain(value),
        "explain budget": lambda: estimator.explain(asked, value),
        **{
            name: functools.partial(Estimator.load, **{name: value})
            for name in ("path", "workspace", "reload_after", "limits", "strict", "memory")
        },
        **{
            f"{name} {files}": functools.partial(estimator.estimate, files, **{name: value})
            for name in ("category", "complexity", "task", "model", "input_tokens", "labels")
            for files in (["CHANGELOG.md"], ["README.md", "docs/a.md"], None)
        },
        **{
            name: functools.partial(estimator.budget, asked, **{name: value})
            for name in ("max_truncation", "max_tokens", "reasoning_tokens", "control_share")
        },
    }
    for name, call in calls.items():
        try:
            call()
        except UsageError as error:
            message = str(error)
            assert message.startswith(REFUSED_AS.get(name, name.partition(" ")[0])), message
            assert len(message) < 400


@pytest.mark.parametrize("name", ["category", "complexity"])
def test_a_prompt_in_the_place_of_a_name_is_not_kept(estimator: Estimator, name: str) -> None:
    """A process that hands over whole prompts does not hold them, nor does it fail."""
    tracemalloc.start()
    for number in range(500):
        asked: dict[str, Any] = {name: f"{number} " + "x" * 100_000}
        estimator.budget(estimator.estimate(None, **asked))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 5_000_000


@pytest.mark.parametrize("value", ["src/a.py", b"x", 5, 0, True, 1.5, iter("a"), object()])
@pytest.mark.parametrize("files", [["CHANGELOG.md"], ["src/a.py"], None])
def test_scope_paths_that_cannot_be_counted(
    estimator: Estimator,
    files: list[str] | None,
    value: Any,  # noqa: ANN401
) -> None:
    """A text is one path and no list of its letters; what has no length is refused, too."""
    with pytest.raises(UsageError, match=r"^scope_paths=.* will not do; use a list"):
        estimator.estimate(files, scope_paths=value)
