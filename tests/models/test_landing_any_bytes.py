"""Landing of arbitrary bytes, cut anywhere: every line counted once, in one build or in two."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dbt_project import Project, event

pytestmark = pytest.mark.slow

EXAMPLES = 2000
COLUMNS = (
    "source_file, line_no, is_blank, reject_reason, reject_fields, line_text, line_md5, event_key,"
    " run_id, model, deliverables, actual_output_tokens, occurred_at"
)

# Bytes that meet in real files, and some that only a broken disk writes.
SCRAPS = [
    b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\\u0000", b"\\ud800", b" ", b"\t", b"\r",
    b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xc3", b"\xa9", "é€漢".encode(), b"null", b"NaN",
    b"1e400", b"-1", b'"event_id"', b'"run_id"', b"\\x0A", b"\x1a", b"\x0b", b"\xe2\x80\xa8",
]  # fmt: skip
ANY_BYTES = st.binary(max_size=40) | st.lists(st.sampled_from(SCRAPS), max_size=12).map(b"".join)
RECORD = st.builds(
    lambda number, model, space: json.dumps(
        event(event_id=None, actual_output_tokens=number, model=model),
        ensure_ascii=False,
        separators=(",", space),
    ).encode(),
    st.integers(0, 2**53 - 1),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    st.sampled_from([":", ": "]),
)
END = st.sampled_from([b"", b"\r"])
BLANK = st.sampled_from([b"", b" ", b"\t \r", b"\r"])


def is_object(line: bytes) -> bool:
    """Whether a line is a JSON object, whatever the bytes of its texts."""
    try:  # of bytes it would drop a mark
        return isinstance(json.loads(line.decode(errors="replace")), dict)
    except ValueError:
        return False


@dataclass(frozen=True)
class Example:
    """A file, the records among its lines, and where the first build finds it cut off."""

    content: bytes
    records: frozenset[bytes]
    cut: int

    @property
    def lines(self) -> list[bytes]:
        """Its complete lines."""
        return self.content.removeprefix(b"\xef\xbb\xbf").split(b"\n")[:-1]

    @property
    def is_foreign(self) -> bool:
        """Whether its objects are of no source that is known: it is named, and not read."""
        known = any(line.rstrip(b"\r") in self.records for line in self.lines)
        return not known and any(map(is_object, self.lines))

    def account(self) -> tuple[int, int, int, int]:
        """Lines, records, blank and bad lines, counted by reading the file and nothing else."""
        if self.is_foreign:
            return 0, 0, 0, 0
        lines = self.lines
        records = sum(line.rstrip(b"\r") in self.records for line in lines)
        blank = sum(not line.strip(b" \t\r") for line in lines)
        return len(lines), records, blank, len(lines) - records - blank


@st.composite
def examples(draw: st.DrawFn) -> Example:
    """Records, blank lines and anything, in any order; a last line may lack its newline."""
    records = draw(st.lists(RECORD, max_size=4))
    others = draw(st.lists(BLANK | ANY_BYTES, max_size=4))
    lines = draw(st.permutations([*(text + draw(END) for text in records), *others]))
    content = b"\n".join(lines) + draw(st.sampled_from([b"\n", b"\n", b""]))
    return Example(content, frozenset(records), draw(st.integers(0, len(content))))


@pytest.fixture(scope="module")
def drawn() -> dict[str, Example]:
    """The examples by the names of their files.

    They are the same in each run of the same modules, of whose constants some are drawn.
    """
    found: list[Example] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(examples())
    def collect(example: Example) -> None:
        found.append(example)

    collect()
    return {f"{number:04}.ndjson": example for number, example in enumerate(found)}


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, Example]) -> Project:
    """Every file whole, in one build."""
    project = Project(tmp_path_factory.mktemp("at-once"))
    for name, example in drawn.items():
        project.telemetry(name).write_bytes(example.content)
    project.land()
    return project


@pytest.fixture(scope="module")
def in_two(tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, Example]) -> Project:
    """A build of every file up to its cut, and one when the rest has been appended.

    A file whose objects no source knows arrives whole: what was judged before them stays judged.
    """
    project = Project(tmp_path_factory.mktemp("in-two"))
    cuts = {name: 0 if example.is_foreign else example.cut for name, example in drawn.items()}
    for name, example in drawn.items():
        project.telemetry(name).write_bytes(example.content[: cuts[name]])
    project.land()
    for name, example in drawn.items():
        with project.telemetry(name).open("ab") as file:
            file.write(example.content[cuts[name] :])
    project.land()
    return project


def accounts(project: Project) -> dict[str, tuple[int, int, int, int]]:
    """Lines, accepted or repeated, blank and quarantined lines of each file."""
    return {
        name: tuple(counts)
        for name, *counts in project.rows(
            "select parse_filename(source_file), lines, accepted + duplicate, blank, quarantined"
            " from marts.files"
        )
    }


def test_every_line_of_any_bytes_is_accounted_for(
    drawn: dict[str, Example], at_once: Project
) -> None:
    """Each file's account is what reading it says."""
    assert accounts(at_once) == {name: example.account() for name, example in drawn.items()}


def test_two_landings_equal_one(at_once: Project, in_two: Project) -> None:
    """Wherever the first build found a file cut off, the same rows are there in the end."""
    for query in (
        f"select {COLUMNS} from staging.base_tokenest__lines order by source_file, line_no",
        "select * exclude (landing_no) from staging.base_tokenest__repeated_lines order by all",
        "select * exclude (landed_bytes) from marts.files order by all",
        "select * from marts.rejected_lines order by all",
    ):
        assert in_two.rows(query) == at_once.rows(query)


def test_the_examples_reach_every_kind_of_line(drawn: dict[str, Example], at_once: Project) -> None:
    """Many of each, so that the tests above are about something."""
    totals = [sum(counts) for counts in zip(*(e.account() for e in drawn.values()), strict=True)]
    assert len(drawn) == EXAMPLES
    assert min(totals) > EXAMPLES / 2
    cut_within = sum(
        0 < e.cut < len(e.content) and e.content[e.cut - 1 : e.cut] != b"\n" for e in drawn.values()
    )
    assert cut_within > EXAMPLES / 2
    reasons = {row[0] for row in at_once.rows("select reject_reason from marts.rejected_lines")}
    assert {"not_json", "not_utf8", "not_an_object"} <= reasons
