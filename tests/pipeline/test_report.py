"""The report: what it says, in every form, and what telemetry cannot make it do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from dbt_project import Project, line
from reported import HOSTILE, cut_off, events
from tokenest_py.pipeline.report.charts import _checked, _room, _svg
from tokenest_py.pipeline.report.content import _cost, _next_steps
from tokenest_py.pipeline.report.queries import COPY, HEADLINE, SECTIONS
from tokenest_py.pipeline.report.words import cell, count, factor, money, percent

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

HOSTILE_MARKDOWN = "|[x](http://example.com)`<b>"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Forty calls, four of them cut off, whose texts try to be markup."""
    project = Project(tmp_path_factory.mktemp("hostile"))
    lines = [
        *events(36, name="fine", actual_output_tokens=1000),
        *cut_off(3, name="cut", phase_id=HOSTILE, category=HOSTILE, complexity="high"),
        *cut_off(1, name="odd", phase_id=HOSTILE_MARKDOWN, category=HOSTILE_MARKDOWN),
        *events(1, name="word", stop_reason=HOSTILE, truncated=None),
        b"not json\n",
    ]
    project.telemetry().write_bytes(b"".join(lines))
    project.build()
    return project


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two hundred calls, all of them finished, none of them underestimated."""
    project = Project(tmp_path_factory.mktemp("calm"))
    project.telemetry().write_bytes(b"".join(events(200)))
    project.build()
    return project


@pytest.fixture(scope="module")
def page(hostile: Project) -> str:
    """The page of the hostile project, as `tokenest report` writes it."""
    done = hostile.tokenest("report")
    assert (done.returncode, done.stdout) == (0, "")
    path = hostile.folder / "exports" / "report.html"
    assert done.stderr == f"wrote {path}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_text(encoding="utf-8")


def test_a_user_without_a_home_gets_the_page(calm: Project) -> None:
    """As one of a container is, of whom there is no name either: the library of charts asks."""
    program = (
        "import pwd, runpy, sys\n"
        "pwd.getpwuid = lambda number: {}[number]\n"
        "sys.argv = ['tokenest', 'report', '--output', 'homeless.html']\n"
        "runpy.run_module('tokenest_py', run_name='__main__')\n"
    )
    environment = calm.environment()
    environment.pop("HOME", None)
    done = subprocess.run([sys.executable, "-c", program], cwd=calm.folder, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "wrote homeless.html\n")
    assert "<svg" in (calm.folder / "homeless.html").read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Every element and attribute of a page."""

    def __init__(self, text: str) -> None:
        """Read the page."""
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def test_the_page_holds_nothing_that_runs_or_loads(page: str) -> None:
    """No script, no handler, no address; foreign markup is escaped."""
    elements = Elements(page)
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(elements.tags)
    for name, value in elements.attributes:
        assert not name.startswith("on")
        if name in {"href", "src", "xlink:href"}:
            assert value.startswith("#")
    assert "default-src 'none'" in page
    assert HOSTILE not in page
    assert page.count("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;") > 3


def test_the_page_has_every_section_with_its_sql(page: str) -> None:
    """Each section is there, and each has its SQL."""
    shown = re.findall(r'<section id="(\w+)">', page)
    assert set(shown) >= {"copy", "alerts", "predictions", "costs", "budgets", "phases", "lines"}
    assert set(shown) <= {question.name for question in (*SECTIONS, COPY)}
    assert page.count("<summary>SQL</summary>") == len(shown) + 4


def test_charts_have_alternatives_in_words_and_tables(page: str) -> None:
    """Each of the charts is described and stands as a table too, and so do the pictures."""
    alternatives = re.findall(r'role="img" aria-label="([^"]+)"', page)
    assert len(alternatives) == 3 + 3  # groups and charts
    assert any("cut off at 4096 tokens" in text for text in alternatives)
    assert any("4 were cut off and are lower bounds" in text for text in alternatives)
    assert page.count("<summary>Figures as a table</summary>") == 3


def test_every_question_is_sql_that_runs_as_shown(hostile: Project) -> None:
    """What the page shows as SQL can be pasted."""
    for question in (*HEADLINE, *SECTIONS):
        assert hostile.rows(question.sql) is not None


def test_the_json_says_what_the_marts_say(hostile: Project) -> None:
    """Figures of the JSON are those of the database."""
    done = hostile.tokenest("report", "--format", "json")
    content = json.loads(done.stdout)
    ((n, truncated),) = hostile.rows(
        "select n, n_truncated from marts.scores"
        " where period = 'recent' and scope = 'all' and slice = 'all'"
    )
    assert (n, truncated) == (41, 4)
    (safe, cost, changed, todo) = content["answers"]
    assert safe["answer"] == "No: 9.8 % truncated"
    assert safe["state"] == "bad"
    assert safe["lines"][0].startswith("4 of 41 recent calls cut off; 95 % interval 3.9 % to")
    assert cost["answer"].endswith("reserved for each token used")
    assert changed["question"] == "What changed?"
    assert todo["state"] == "bad"
    assert content["lead"]
    assert {row["verdict"] for row in content["ceilings"]} <= {"raise", "lower", "leave", "collect"}
    rows = content["sections"]["phases"]["rows"]
    assert {row["phase_id"] for row in rows} >= {f"{HOSTILE}-0", f"{HOSTILE_MARKDOWN}-0"}
    assert set(content["sections"]) <= {question.name for question in SECTIONS}


def test_markdown_keeps_text_as_text(hostile: Project) -> None:
    """Foreign text cannot make markup, and cannot break a table."""
    text = hostile.tokenest("report", "--format", "md").stdout
    prose = re.sub(r"```sql\n.*?```", "", text, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)<", prose)
    assert r"\<script\>" in prose
    assert r"\|\[x\](http://example.com)\`\<b\>" in prose
    for table in re.findall(r"(?:^\|.*\|\n)+", prose, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(widths) == 1


def test_the_summary_is_plain_when_not_in_a_terminal(hostile: Project) -> None:
    """No colour codes in a pipe."""
    done = hostile.tokenest("report", "--format", "table")
    assert "\x1b" not in done.stdout
    assert "\nAre we safe?        No: 9.8 % truncated\n" in done.stdout
    assert "What to do next?" in done.stdout


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_the_answers_are_rows(hostile: Project, form: str) -> None:
    """Machines get the four answers as rows."""
    lines = hostile.tokenest("report", "--format", form).stdout.splitlines()
    assert len(lines) == 4 + (form == "csv")
    assert "Are we safe?" in lines[form == "csv"]


def test_the_check_fails_on_an_open_alert(hostile: Project) -> None:
    """Exit code 3, one line, and the report all the same."""
    done = hostile.tokenest("report", "--format", "table", "--check")
    assert done.returncode == 3
    assert "Are we safe?" in done.stdout
    assert re.fullmatch(
        r"tokenest: gate failed: \d+ open alerts; see tokenest report --format table\n",
        done.stderr,
    )


def test_the_check_passes_when_calls_are_safe(calm: Project) -> None:
    """Exit code 0 and a quiet standard error."""
    done = calm.tokenest("report", "--format", "json", "--check")
    content = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert content["open_alerts"] == 0
    assert content["answers"][0]["answer"] == "Yes: 0.0 % truncated"
    assert content["sections"]["alerts"]["rows"] == []


def test_output_goes_where_it_is_told(calm: Project) -> None:
    """--output replaces a file, or says in one line why it cannot."""
    done = calm.tokenest("report", "--format", "md", "--output", "report.md")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "wrote report.md\n")
    assert (calm.folder / "report.md").read_text(encoding="utf-8").startswith("# Token budgets")
    refused = calm.tokenest("report", "--output", "no/such/folder.html")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "choose another --output" in refused.stderr


def test_without_the_charting_library_the_page_has_its_tables(calm: Project) -> None:
    """The extra is optional: tables and small drawings remain."""
    program = (
        "import importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'altair' else find(name, *a);"
        "from tokenest_py.__main__ import run;"
        "raise SystemExit(run(['report', '--output', 'bare.html']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=calm.folder, env=calm.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    bare = (calm.folder / "bare.html").read_text(encoding="utf-8")
    assert bare.count('role="img"') == 1  # the picture of its one group needs no library
    assert 'id="predictions"' in bare
    assert "pip install 'tokenest[report]'" in bare


def test_a_database_without_events_is_refused_or_shown_empty(empty: Project) -> None:
    """Refused in one line, or every form of an empty report."""
    refused = empty.tokenest("report")
    assert refused.returncode != 0
    assert refused.stderr.count("\n") == 1
    for form in ("html", "md", "json", "table", "ndjson", "csv"):
        done = empty.tokenest("report", "--format", form, "--allow-empty-db")
        assert done.returncode == 0, done.stderr
    text = (empty.folder / "exports" / "report.html").read_text(encoding="utf-8")
    assert "No events have landed." in text


def test_a_build_that_lacks_marts_is_named(tmp_path: Path) -> None:
    """One line that says to build again."""
    project = Project(tmp_path)
    project.telemetry().write_bytes(line())
    project.build("calls")
    done = project.tokenest("report")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "run `tokenest build`" in done.stderr


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<rect onload='alert(1)'/>",
        "<a href='http://example.com'/>",
        "<image href='x'/>",
        "<foreignObject/>",
        "<rect xmlns:xlink='http://www.w3.org/1999/xlink' xlink:href='x'/>",
    ],
)
def test_a_drawing_that_is_more_than_a_drawing_is_refused(inside: str) -> None:
    """Nothing that runs or loads passes for a chart."""
    with pytest.raises(ValueError, match="does not belong in a drawing"):
        _checked(f"<svg xmlns='http://www.w3.org/2000/svg'>{inside}</svg>")


def test_a_label_too_wide_for_its_axis_is_drawn() -> None:
    """It is shortened, wherever that falls, and characters beyond 16 bits are not cut in half."""
    for shift in ("", "a"):
        row = {
            "stratum": shift + "\N{PUSHPIN}b" * 99, "target_truncation": 0.02,
            "truncation_rate": 0.1, "truncation_lower": 0.0, "truncation_upper": 0.2,
            "reserved_ratio": 1.5,
        }  # fmt: skip
        chart = _room([row])
        assert chart is not None
        assert "b\N{REPLACEMENT CHARACTER}b" in _svg(chart)


def test_calls_without_output_have_a_ceiling_all_the_same() -> None:
    """What they reserved is said; that no ceiling is recorded is said of others alone."""
    silent = _cost({"tokens_used": 0.0, "tokens_reserved": 8000.0}, [])
    assert silent.figure == "unknown"
    assert silent.lines == ("8,000 tokens reserved, none used: no recent call has any output.",)
    [line] = _cost({"tokens_used": None, "tokens_reserved": None}, []).lines
    assert line.startswith("No recent call records its ceiling")


def test_a_step_names_a_subject_once() -> None:
    """However many of its rules have an alert there."""
    alerts = [
        {"action": "Look", "subject": subject, "severity": "warning"}
        for subject in ("b", "a", "b", "b")
    ]
    steps = _next_steps({"ceilings": [], "gap": [], "landing": [{"quarantined": 0}]}, (), alerts)
    assert steps.lines == ("Look: b, a.",)
    assert steps.figure == "4 open alerts"


def test_figures_in_words() -> None:
    """Rates, factors, counts and cells as people read them."""
    assert percent(0.0196) == "2.0 %"
    assert percent(None) == "n/a"
    assert factor(2.104) == "2.10\N{MULTIPLICATION SIGN}"
    assert factor(1234.5) == "1,234\N{MULTIPLICATION SIGN}"
    assert factor(None) == "n/a"
    assert (money(0), money(0.0027), money(1234.5)) == ("0.00", "< 0.01", "1,234.50")
    assert (cell("spent", 0.0), cell("spent", 0.0027)) == ("0", "< 0.01")
    assert count(1, "call") == "1 call"
    assert count(2000, "row or copy", "rows and copies") == "2,000 rows and copies"
    assert cell("truncation_rate", 0.5) == "50.0 %"
    assert cell("figure", 0.5, "share") == "50.0 %"
    assert cell("figure", 1.5, "factor") == "1.50\N{MULTIPLICATION SIGN}"
    assert cell("median_smape", 49.5) == "49.5"
    assert cell("is_met", value=True) == "yes"
    assert cell("n", 12345) == "12,345"
    assert cell("anything", None) == "-"
