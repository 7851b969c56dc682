"""Labels of a call: what an estimate takes, and how a table with other levels is looked up."""

from __future__ import annotations

import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vintages
from tokenest_py import Estimator, UsageError
from tokenest_py.errors import CoefficientsError
from tokenest_py.runtime.table import parse
from tokenest_py.runtime.table.file import content_id

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = ("category", "project", "complexity", "model", "input_bin")
TEXTS = st.text("ab", min_size=1, max_size=1)


def load(folder: Path, levels: tuple[str, ...], *rows: dict[str, Any]) -> Estimator:
    """An estimator with a table of these levels and budgets."""
    path = folder / "coefficients.ndjson"
    path.write_bytes(vintages.encode([*vintages.packaged_rows(), *rows], levels))
    return Estimator.load(path, strict=True)


def test_an_estimate_carries_its_labels() -> None:
    """They change no figure of it; case and spaces around do not count, and None is absent."""
    estimator = Estimator.load()
    plain = estimator.estimate(["src/a.py"], "implementation", "low")
    labelled = estimator.estimate(
        ["src/a.py"], "implementation", "low",
        labels={"project": " Web ", "tenant": None, "route": " "},
    )  # fmt: skip
    assert dict(labelled.labels) == {"project": "web"}
    assert labelled._replace(labels=plain.labels) == plain
    assert dict(plain.labels) == {}


def test_an_estimate_goes_to_another_process() -> None:
    """Pickled or copied it is the same, and what it holds cannot be changed."""
    labels = {"project": "web"}
    estimate = Estimator.load().estimate(["src/a.py"], "implementation", "low", labels=labels)
    for other in (pickle.loads(pickle.dumps(estimate)), copy.deepcopy(estimate)):
        assert other == estimate
        assert [type(field) for field in (other, *other)] == [
            type(field) for field in (estimate, *estimate)
        ]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"category": "a"}, "use the argument category="),
        ({"complexity": "a"}, "use the argument complexity="),
        ({"model": "a"}, "use the argument model= of budget"),
        ({"Project": "a"}, "labels='Project' will not do; use names of at most 32"),
        ({"x" * 33: "a"}, "use names of at most 32"),
        ({5: "a"}, "labels=5 will not do"),
        ({"project": 5}, r"labels\['project'\]=5 will not do; use a text, such as '5'"),
        ({"project": "x" * 129}, "use a text of at most 128 characters"),
        ({f"l{n}": "a" for n in range(9)}, "labels='9 names' will not do; use at most 8"),
        ("project=web", "use a mapping such as"),
        ("", "labels='' will not do; use a mapping such as"),
        ([], "use a mapping such as"),
        (0, "use a mapping such as"),
    ],
)
def test_wrong_labels_are_refused_with_the_fix(labels: object, message: str) -> None:
    """One line names the label and what may stand there."""
    with pytest.raises(UsageError, match=message):
        Estimator.load().estimate(None, labels=labels)


def test_the_narrowest_cell_counts(tmp_path: Path) -> None:
    """From the last label given to all calls; a label that the table does not know is no matter."""
    budget = vintages.budget
    estimator = load(
        tmp_path,
        LEVELS,
        budget(0.02, 50_000),
        budget(0.02, 5000, category="chat"),
        budget(0.02, 4000, category="chat", project="web"),
        budget(0.02, 3000, category="chat", project="web", complexity="low"),
        budget(0.02, 2000, category="chat", complexity="low"),
        budget(0.02, 1000, category="chat", project="web", model="m"),
    )

    def sized(complexity: str | None, model: str | None = None, **labels: str) -> tuple[int, str]:
        estimate = estimator.estimate(None, "chat", complexity, labels=labels)
        found = estimator.budget(estimate, model=model)
        return found.max_tokens, found.source

    assert sized("low", project="web") == (3000, "quantile cell")
    assert sized("low", project="web", tenant="other") == (3000, "quantile cell")
    assert sized("low", "m", project="web") == (3000, "parent")
    assert sized(None, "m", project="web") == (1000, "quantile cell")
    assert sized(None, project="web") == (4000, "quantile cell")
    assert sized("low") == (2000, "quantile cell")
    # a wider cell knows more than the floor, a constant
    assert sized("low", project="new") == (5000, "parent")
    assert sized(None, "m") == (5000, "parent")


def test_without_category_and_complexity_all_labels_count(tmp_path: Path) -> None:
    """Cells are found without the two; what the table has not seen gets the wider cell."""
    rows = (vintages.budget(0.02, 300), vintages.budget(0.02, 700, project="web"))
    estimator = load(tmp_path, ("project", "model", "input_bin"), *rows)
    known = estimator.estimate(None, labels={"project": "web"})
    new = estimator.estimate(None, labels={"project": "new"})
    assert estimator.budget(known, model="m").max_tokens == 700
    assert (estimator.budget(new).max_tokens, estimator.budget(new).source) == (300, "parent")
    assert estimator.budget(estimator.estimate(None)).max_tokens == 300


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 3), TEXTS, TEXTS, TEXTS, st.sampled_from([0.02, 0.05])),
        max_size=12,
        unique_by=lambda drawn: (drawn[1:][: drawn[0]], drawn[4]),
    ),
    TEXTS,
    st.one_of(st.none(), TEXTS),
    st.one_of(st.none(), TEXTS),
)
def test_format_1_answers_as_format_2(
    drawn: list[tuple[int, str, str, str, float]],
    category: str,
    complexity: str | None,
    model: str | None,
) -> None:
    """The same cells with columns in the place of labels give the same budgets."""
    rows_1, rows_2 = [], []
    for level, *parts, rate in drawn:
        cell = dict(zip(("category", "complexity", "model"), parts[:level], strict=False))
        row = vintages.budget(rate, 9000 if rate == 0.02 else 8000, **cell)
        rows_2.append(row)
        labels = row["labels"]
        rows_1.append({name: value for name, value in (row | labels).items() if name != "labels"})
    tables = []
    for version, rows in ((1, rows_1), (2, rows_2)):
        data = vintages.encode([*vintages.packaged_rows(), *rows])
        header, _, body = data.partition(b"\n")
        said = json.loads(header) | {"format_version": version}
        if version == 1:
            del said["levels"]
        tables.append(parse(json.dumps(said).encode() + b"\n" + body, f"format {version}"))
    assert tables[0].cells == tables[1].cells
    asked = tables[0].cell({"category": category, "complexity": complexity, "model": model})
    assert asked == tables[1].cell({"category": category, "complexity": complexity, "model": model})
    assert tables[0].levels == tables[1].levels


@pytest.mark.parametrize(
    "levels",
    [
        None,
        [],
        "category",
        ["model", "input_bin"],
        ["category", "input_bin", "model"],
        ["category", "category", "model", "input_bin"],
        ["Category", "model", "input_bin"],
        [1, "model", "input_bin"],
        [*(f"l{n}" for n in range(9)), "model", "input_bin"],
    ],
)
def test_impossible_levels(levels: object) -> None:
    """A header of format 2 lists 1 to 8 labels, then model and input size."""
    body = vintages.encode(vintages.packaged_rows()).partition(b"\n")[2]
    header = {"kind": "header", "format_version": 2, "coefficients_id": content_id(body)}
    said = header | {"rows": body.count(b"\n")} | ({} if levels is None else {"levels": levels})
    with pytest.raises(CoefficientsError, match=r"^file:1: levels are not 1 to 8 labels"):
        parse(json.dumps(said).encode() + b"\n" + body, "file")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "labels is not an object"),
        ("a", "labels is not an object"),
        ({"tenant": "a"}, "labels has other names than the levels of the header: tenant"),
        ({"model": "a"}, "labels has other names"),
        ({"category": ""}, "the label category is not a text of 1 to 512 characters"),
        ({"category": 5}, "the label category is not a text"),
        ({"project": "x" * 129}, "the label project is not a text of 1 to 128 characters"),
        ({"project": None}, "the label project is not a text"),
        ({"project": {"a": "b"}}, "the label project is not a text"),
    ],
)
def test_impossible_labels(labels: object, message: str) -> None:
    """One impossible label refuses the file, by its line."""
    rows = [*vintages.packaged_rows(), vintages.budget(0.02, 100) | {"labels": labels}]
    with pytest.raises(CoefficientsError, match=f"^file:{len(rows) + 1}: {message}"):
        parse(vintages.encode(rows, LEVELS), "file")


def test_a_label_that_stands_twice_is_refused() -> None:
    """Python's JSON would keep the last one."""
    budget = b'{"kind":"budget","labels":{"project":"a","project":"b"},"max_truncation":0.02,'
    data = vintages.encode(vintages.packaged_rows(), LEVELS).partition(b"\n")[2]
    body = data + budget + b'"label":"identified","value":1}\n'
    header = {"kind": "header", "format_version": 2, "coefficients_id": content_id(body)}
    said = header | {"levels": LEVELS, "rows": body.count(b"\n")}
    with pytest.raises(CoefficientsError, match="a key stands twice in an object"):
        parse(json.dumps(said).encode() + b"\n" + body, "file")
