"""The replay in SQL makes the estimates that the Python estimator makes, token for token."""

from __future__ import annotations

import csv
import json
import shutil
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dbt_project import ROOT, Project, event
from tokenest_py import Estimator, Recorder
from tokenest_py.runtime.table import PACKAGED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tokenest_py import TokenEstimate

pytestmark = pytest.mark.slow


def seed(name: str) -> list[dict[str, str]]:
    """The rows of a seed."""
    with (ROOT / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def column(name: str, key: str) -> list[str]:
    """The distinct values of a seed's column."""
    return sorted({row[key] for row in seed(name)} - {""})


LABELS = column("estimator/deliverable_classes", "label")
ACTIONS = column("estimator/action_words", "name")
WORDS = ["and", "at", "by", "for", "from", "in", "into", "of", "or", "to", "using", "with", "the"]
PHRASES = [
    label.replace(" ", "_") for label in column("estimator/document_features", "label")
] + column("estimator/history_files", "label")
CATEGORIES = [*column("vocabulary/category_aliases", "name"), "IMPLEMENT_FEATURE", " Docs", "azure"]
COMPLEXITIES = [*column("vocabulary/complexity_aliases", "name"), "HIGH", "low_level", "vague"]

# any text that a line of NDJSON can carry, with odd white space, letters and quotes on purpose
odd_text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    | st.sampled_from(" \t\n\r\x0b\x1c\x1f\x85\xa0\u2003\u2028\u3000./\\\"'`()[]:,;@*İKΣßA"),
    max_size=12,
)
folders = st.lists(
    st.sampled_from(["src", "docs", "tests", "a.b", "[id]", "@types", "my dir", "..", ".", "C:"])
    | st.sampled_from(["alembic/versions", "examples", "spec", "naïve", "日本"]),
    max_size=3,
).map(lambda names: "".join(f"{name}/" for name in names))
base_names = (
    st.sampled_from(["api", "main", "v1.2", "e.g", "Dockerfile", "README", "API Reference", ""])
    | st.sampled_from(LABELS)
    | st.sampled_from(PHRASES)
    | odd_text
)
endings = (
    st.sampled_from([".py", ".PY", ".sql", ".tsx", ".d.ts", ".c", ".1", ".", "/", ""])
    | st.sampled_from(LABELS)
    | odd_text
)
paths = st.builds(
    lambda spelling, *parts: spelling("".join(parts)),
    st.sampled_from([str, str, str.upper, str.title, lambda text: text.replace("/", "\\")]),
    folders,
    base_names,
    endings,
)
long_paths = st.builds("{}{}".format, st.integers(1000, 1030).map("x".__mul__), paths)
spaces = st.sampled_from([" ", " ", "  ", "\t", "\n", "\r"])
marks = st.sampled_from(["{}", "{}", "({}", "({})", "[{}]", "{}:", "{},", "{};", "-{}", "{}."])
said = st.builds(str.format, marks, st.sampled_from([*ACTIONS, *ACTIONS, "file", *WORDS]))
words = st.builds(lambda spell, word: spell(word), st.sampled_from([str, str.title]), said)
phrases = st.builds(
    lambda space, before, path, after: space.join([*before, path, *after]),
    spaces,
    st.lists(words, max_size=3),
    paths | said,
    st.lists(words | st.just("(a note)"), max_size=3),
)
spaced_paths = st.builds(
    "{} {}/{} {} {}{}".format,
    st.sampled_from(ACTIONS),
    st.sampled_from(["src", "docs"]),
    words,
    words,
    base_names,
    endings,
)
quoted = st.builds(
    str.format,
    st.sampled_from(["`{}`", '"{}"', "'{}',", "({})", "\u2003{}\x85", "{} (new, with a note)"]),
    paths | phrases,
)
documents = st.builds(
    "{}{}{}".format,
    st.sampled_from(["docs/", "", "./docs/a/", "Update ", "Create docs/"]),
    st.sampled_from(PHRASES) | base_names,
    st.sampled_from([".md", ".rst", "_GUIDE.md", ""]),
)
deliverables = paths | phrases | spaced_paths | quoted | long_paths | odd_text


def drawn(strategy: st.SearchStrategy[str], count: int) -> list[str]:
    """Generated texts; the same ones in each run."""
    found: list[str] = []

    @settings(max_examples=count, derandomize=True, database=None, phases=[Phase.generate])
    @given(strategy)
    def collect(text: str) -> None:
        found.append(text)

    collect()
    return found


def chunks(texts: list[str]) -> Iterator[list[str]]:
    """The texts in lists of 0 to 7, some of them with a repeated text."""
    start = 0
    for size in cycle([1, 4, 2, 7, 3, 0, 5, 6]):
        yield texts[start : start + size] + texts[start : start + size % 3]
        start += size
        if start >= len(texts):
            return


def generated_calls() -> Iterator[dict[str, Any]]:
    """Calls of every sort, many of them of documents alone."""
    joined = [f"Add src/a {word} b.py" for word in WORDS]
    lists = [*chunks(joined + drawn(deliverables, 4000)), *chunks(drawn(documents, 1000))]
    spellings = zip(cycle([None, *CATEGORIES]), cycle([None, *COMPLEXITIES]), strict=False)
    for given_list, (category, complexity) in zip(lists, spellings, strict=False):
        yield {"deliverables": given_list, "category": category, "complexity": complexity}


def write(project: Project, name: str, events: Iterable[dict[str, Any]]) -> None:
    """Write events to a telemetry file."""
    text = "".join(json.dumps(record) + "\n" for record in events)
    project.telemetry(name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def generated() -> dict[str, dict[str, Any]]:
    """Generated events by their id."""
    return {f"g-{i}": event(event_id=f"g-{i}", **call) for i, call in enumerate(generated_calls())}


def workspace(folder: Path) -> list[str]:
    """Paths of files of every size, written to the folder."""
    for number, ending in enumerate([".py", ".tsx", ".sql", ".md", "_test.go", ".json"] * 4):
        lines = (10, 100, 300, 600)[number % 4]
        imports = "import a\n" * (0, 8, 20)[number % 3]
        indent = " " * (0, 9, 18)[number // 8]
        (folder / f"file{number}{ending}").write_text(imports + f"{indent}x = 1\n" * lines)
    return sorted(path.name for path in folder.iterdir())


def recorded_calls(project: Project, folder: Path) -> dict[str, TokenEstimate]:
    """Estimates by the id of the event that recorded them, in every mode of privacy."""
    estimator = Estimator.load(PACKAGED, workspace=folder)
    bare = Estimator.load(PACKAGED)
    lists = [*chunks(workspace(folder) * 9), *chunks(drawn(documents, 600))]
    lists += [*chunks(drawn(deliverables, 300)), [f"src/{i}.py" for i in range(99)]]
    spellings = zip(cycle([None, *CATEGORIES]), cycle([None, *COMPLEXITIES]), strict=False)
    tasks = cycle(["", "Document the REST API from scratch", "with examples and a tutorial"])
    modes = cycle(("full", "basename", "hash", "none"))
    estimates = {}
    for number, (given_list, spelling) in enumerate(zip(lists, spellings, strict=False)):
        scope = ["a.py"] * (0, 3, 11)[number % 3]
        found = (estimator if number % 4 else bare).estimate(
            given_list, *spelling, task=next(tasks), scope_paths=scope
        )
        recorder = Recorder(project.telemetry().parent, enabled=True, paths=next(modes))
        response = {"usage": {"output_tokens": 800}, "stop_reason": "end_turn"}
        assert recorder.record_response(
            found, response, run_id="r", phase_id=f"p-{number}", event_id=f"b-{number}"
        )
        recorder.close()
        estimates[f"b-{number}"] = found
    return estimates


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Where the replay is built."""
    return Project(tmp_path_factory.mktemp("replay"))


@pytest.fixture(scope="module")
def recorded(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, TokenEstimate]:
    """Estimates that the recorder wrote with their breakdown, by the id of their event."""
    return recorded_calls(project, tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def replayed(
    project: Project,
    generated: dict[str, dict[str, Any]],
    recorded: dict[str, TokenEstimate],
) -> Project:
    """A build of the replay on generated events, some by hand, and the published samples."""
    assert recorded  # their events are written
    write(project, "generated.ndjson", generated.values())
    write(project, "by_hand.ndjson", BY_HAND)
    for samples in (ROOT / "telemetry").glob("*.ndjson"):
        shutil.copy(samples, project.telemetry(samples.name))
    project.build("int_replayed_estimates")
    return project


BY_HAND = [
    event(event_id="none", deliverables=None, deliverable_count=3),
    event(event_id="zero", deliverables=[], deliverable_count=0),
    event(event_id="blank", deliverables=["  ", "\u2003"]),
    event(event_id="cut", deliverables=["src/a.py"] * 20, deliverable_count=21),
    event(event_id="hidden", deliverables=["0123456789abcdef.py", "src/a.py"]),
    event(event_id="last word", deliverables=["src/my build_log.md"]),
    event(event_id="said", deliverables=["Modify src/a.py", "src/b.py", "src/b.py"]),
]


def replays(project: Project) -> dict[str, tuple[Any, ...]]:
    """Basis, tokens, model, category and number of assumed new deliverables, by event."""
    rows = project.rows(
        """
        select
            event_id, replay_basis, replayed_output_tokens, replay_model, replayed_category,
            assumed_new_count
        from intermediate.int_replayed_estimates
        """
    )
    return {row[0]: row[1:] for row in rows}


def test_sql_and_python_estimate_alike(
    replayed: Project, generated: dict[str, dict[str, Any]]
) -> None:
    """Every generated event: the same tokens, model, category and assumptions."""
    found = replays(replayed)
    expected: dict[str, tuple[Any, ...]] = {}
    estimator = Estimator.load(PACKAGED)
    for name, call in generated.items():
        estimate = estimator.estimate(
            call["deliverables"], call.get("category"), call.get("complexity"), assume="new"
        )
        assumed = sum(part.decided_by == "assumed" for part in estimate.parts)
        expected[name] = (
            "deliverables",
            estimate.base_tokens,
            estimate.model,
            estimate.category,
            assumed,
        )
        if estimate.model == "no_deliverables":
            expected[name] = ("no_deliverables", None, None, None, 0)
    wrong = [
        f"{generated[name]}: SQL {found.get(name)}, Python {expected[name]}"
        for name in generated
        if found.get(name) != expected[name]
    ]
    wrong.sort(key=len)
    assert not wrong, f"{len(wrong)} of {len(generated)} differ; shortest: " + "\n".join(wrong[:5])


def test_a_recorded_breakdown_replays_to_the_estimate(
    replayed: Project, recorded: dict[str, TokenEstimate]
) -> None:
    """Existing files, task text and scope paths included, whatever the record says of paths."""
    found = replays(replayed)
    expected = {
        name: (
            "breakdown",
            estimate.base_tokens,
            estimate.model,
            estimate.category,
            sum(part.decided_by == "assumed" for part in estimate.parts),
        )
        if estimate.model != "no_deliverables"
        else ("no_deliverables", None, None, None, 0)
        for name, estimate in recorded.items()
    }
    wrong = [
        f"{recorded[name].recorded_breakdown}: SQL {found.get(name)}, Python {expected[name]}"
        for name in recorded
        if found.get(name) != expected[name]
    ]
    assert not wrong, f"{len(wrong)} of {len(recorded)} differ: " + "\n".join(wrong[:5])
    parts = {text.partition(":")[0] for item in recorded.values() for text in item.document_parts}
    assert len(parts) == 10  # every part of both document models
    factors = {part.size_factor for item in recorded.values() for part in item.parts}
    assert len(factors) > 5


def test_sql_and_python_read_texts_alike(replayed: Project) -> None:
    """Every text: the same path, and the same word on whether it is new."""
    texts = replayed.rows(
        "select deliverable, file_path, action from intermediate.int_deliverable_paths"
    )
    estimator = Estimator.load(PACKAGED)
    compared, wrong = 0, []
    for text, path, action in texts:
        for part in estimator.estimate([text]).parts:  # none from a documentation model
            compared += 1
            if (part.deliverable.path, part.deliverable.action or None) != (path, action):
                wrong.append(f"{text!r}: SQL {path!r}, {action}; Python {part.deliverable}")
    wrong.sort(key=len)
    assert not wrong, f"{len(wrong)} of {len(texts)} differ; shortest: " + "\n".join(wrong[:5])
    assert compared > len(texts) / 2


def test_generated_events_reach_every_rule(
    replayed: Project, generated: dict[str, dict[str, Any]]
) -> None:
    """The comparison above would see a fault in any class, action or model."""
    classes = replayed.rows("select distinct deliverable_class from intermediate.int_deliverables")
    assert {name for (name,) in classes} == set(column("estimator/token_weights", "name"))
    actions = replayed.rows("select distinct action from intermediate.int_deliverables")
    assert {name for (name,) in actions} == {"new", "modified"}
    models = {replay[2] for name, replay in replays(replayed).items() if name in generated}
    assert models == {"deliverables", "doc_synthesis", "doc_sot_update", None}
    texts = replayed.rows(
        """
        select count(*)
        from intermediate.int_deliverable_paths
        where deliverable like '% %' and file_path not like '% %'
        """
    )
    assert texts[0][0] > 500


def test_no_path_is_invented(replayed: Project) -> None:
    """Without all deliverables there is no replay, and it is said why."""
    found = replays(replayed)
    for name in ("none", "zero", "blank"):
        assert found[name] == ("no_deliverables", None, None, None, 0)
    assert found["cut"] == ("deliverables_cut", None, None, None, 0)
    assert found["hidden"] == ("deliverables_hidden", None, None, None, 0)


def test_a_deliverable_says_itself_whether_it_is_new(replayed: Project) -> None:
    """(2000 + 700 + 2 · 2000) · 1.3; two of the three had to be assumed."""
    assert replays(replayed)["said"] == (
        "deliverables",
        8710,
        "deliverables",
        "implementation",
        2,
    )


def test_a_history_file_is_known_by_the_last_word_of_its_path(replayed: Project) -> None:
    """⌊(3000 + 900 + 135) · 1.3⌋, as for a file without a space in its name."""
    assert replays(replayed)["last word"][1:3] == (5245, "doc_sot_update")


def test_published_predictions_are_reproduced(replayed: Project) -> None:
    """S0's six predictions; the sixth, documents alone, through the synthesis model."""
    found = replays(replayed)
    tokens = {name: found[name][1] for name in found if name.startswith("s0-")}
    assert tokens == {
        "s0-1": 7020,
        "s0-2": 8970,
        "s0-3": 7020,
        "s0-4": 10270,
        "s0-5": 19240,
        "s0-6": 12818,
        "s0-7": 5200,
    }


def test_published_replay_is_redone_on_the_real_paths(replayed: Project) -> None:
    """S1 replayed made-up source files; its tests, documents and changelogs weigh less.

    Worked by hand, e.g. s1-1: (4000 + 2000) · 1.3; s1-9: three documents with a history file,
    (3000 + 3 · 900 + int(0.15 · 2700)) · 1.3.
    """
    found = replays(replayed)
    tokens = {name: found[name][1] for name in found if name.startswith("s1-")}
    assert tokens == {
        "s1-1": 7800,
        "s1-2": 8320,
        "s1-3": 8320,
        "s1-4": 7020,
        "s1-5": 7020,
        "s1-6": 8320,
        "s1-7": 8970,
        "s1-8": 10920,
        "s1-9": 7936,
        "s1-10": 9620,
        "s1-11": 10920,
        "s1-12": 8320,
        "s1-13": 4940,
        "s1-14": 8320,
    }
    assert all(replay[0] == "no_deliverables" for name, replay in found.items() if "s2-" in name)
