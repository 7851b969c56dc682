"""The page in a real browser: what it shows, and that it asks nobody for anything."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from applications import APPLICATIONS, application
from dbt_project import ROOT, Project
from reported import HOSTILE, cut_off, events

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update",
         "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium, installed where it is missing."""
    subprocess.run(["sh", ROOT / "tests" / "install_chromium.sh"], check=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Calls with a table of coefficients that helped, and a category that is markup."""
    project = Project(tmp_path_factory.mktemp("page"))
    lines = [
        *cut_off(20, name="before", month=1, coefficients_id="a"),
        *events(60, name="after", month=2, coefficients_id="b"),
        *cut_off(6, name="odd", month=2, coefficients_id="b", phase_id=HOSTILE, category=HOSTILE,
                 complexity="high"),
        b"not json\n",
    ]  # fmt: skip
    project.telemetry().write_bytes(b"".join(lines))
    project.build()
    done = project.tokenest("report")
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture
def page(browser: Browser, project: Project) -> Iterator[Page]:
    """The page, opened from disk; fails when anything is asked of a network or goes wrong."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def dismiss(dialog: Dialog) -> None:
        faults.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    url = (project.folder / "exports" / "report.html").as_uri()
    page.goto(url)
    yield page
    assert asked == [url]
    assert faults == []
    context.close()


def test_the_first_screen_answers_the_four_questions(page: Page, project: Project) -> None:
    """The four figures equal the marts, within the first screen."""
    ((rate, lower, upper, room),) = project.rows(
        "select truncation_rate, truncation_lower, truncation_upper, reserved_ratio"
        " from marts.scores where period = 'recent' and scope = 'all' and slice = 'all'"
    )
    figures = page.locator(".answer .figure").all_inner_texts()
    assert figures[0] == f"No: {100 * rate:.1f} % truncated"
    assert figures[1] == f"{room:.2f}\N{MULTIPLICATION SIGN} reserved for each token used"
    assert figures[2] == "Newest coefficients: better"
    ((n_open,),) = project.rows("select count(*) from marts.alerts where is_open")
    assert figures[3] == f"{n_open} open alerts"
    assert f"{100 * lower:.1f} % to {100 * upper:.1f} %" in page.inner_text("#answer-1")
    assert "truncated 100.0 % → 9.1 %" in page.inner_text("#answer-3")
    box = page.locator("#copy").bounding_box()
    assert box is not None
    assert box["y"] < 900


def test_a_table_shows_the_rows_of_its_mart(page: Page, project: Project) -> None:
    """Rows and counts of two tables equal the marts."""
    rows = project.rows(
        "select source_file, lines, accepted, duplicate, quarantined, blank from marts.files"
    )
    shown = page.locator("#lines tbody tr td").all_text_contents()
    assert shown[:6] == [str(value) for value in rows[0]]
    alerts = page.locator("#alerts tbody tr.open")
    assert alerts.count() == project.rows(
        "select count(*) from marts.alerts where is_open"
    )[0][0]  # fmt: skip


def test_text_of_the_telemetry_stays_text(page: Page) -> None:
    """A phase id and a category that are scripts are shown as text."""
    assert page.evaluate("document.scripts.length") == 0
    page.locator("#phases summary").first.click()
    assert page.locator("#phases td", has_text=f"{HOSTILE}-0").first.is_visible()
    assert page.locator("#room svg text", has_text="</script><script>").count() == 1


def test_a_section_gives_its_sql_with_one_click(page: Page) -> None:
    """The SQL is hidden until it is asked for."""
    code = page.locator("#alerts pre")
    page.locator("#alerts summary").first.click()
    assert not code.is_visible()
    page.locator("#alerts summary", has_text="SQL").click()
    assert code.is_visible()
    assert "from report.rpt_alerts" in code.inner_text()


def test_truncated_calls_are_drawn_as_lower_bounds(page: Page, project: Project) -> None:
    """One mark for each call, those cut off in a shape of their own."""
    counts = project.rows(
        "select count(case when is_truncated then 1 end), count(*) from marts.calls"
    )
    marks = page.locator("#predictions [role=img] svg g.mark-symbol")
    drawn = [marks.nth(number).locator("path").count() for number in range(marks.count())]
    truncated, every = counts[0]
    assert sorted(drawn) == sorted([truncated, every - truncated])
    label = page.locator("#predictions [role=img]").get_attribute("aria-label")
    assert label is not None
    assert f"{truncated} were cut off and are lower bounds" in label


def test_the_page_follows_the_colour_scheme(page: Page) -> None:
    """Page and charts change between light and dark."""
    background = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) == "rgb(18, 22, 28)"
    ink = page.locator("#predictions svg text").last
    assert ink.evaluate("e => getComputedStyle(e).fill") == "rgb(230, 234, 240)"


def test_print_leaves_out_what_paper_cannot_do(page: Page) -> None:
    """Folded parts go; the sentence, the answers and the table to copy from stay, on white."""
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator("#alerts summary").first.is_visible()
    assert page.locator("#lead").is_visible()
    assert page.locator("#answer-4").is_visible()
    assert page.locator("#copy table").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")


@pytest.fixture(scope="module")
def applications(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """A build of each kind of application, with its page."""
    found = {}
    for name in APPLICATIONS:
        project = found[name] = Project(tmp_path_factory.mktemp(name.replace(" ", "_")))
        project.telemetry().write_bytes(application(name))
        project.build(tests=False)
        done = project.tokenest("report")
        assert done.returncode == 0, done.stderr
    return found


OUTSIDE = """() => {
    document.querySelectorAll('details').forEach(part => part.open = true);
    return [...document.querySelectorAll('body *')].filter(element => {
        const box = element.getBoundingClientRect();
        return box.width && (box.right > innerWidth + 1 || box.left < -1);
    }).map(element => `${element.tagName} ${element.textContent.slice(0, 60)}`);
}"""


CLIPPED = """() => [...document.querySelectorAll('svg text')].filter(text => {
    const box = text.getBoundingClientRect();
    const whole = text.ownerSVGElement.getBoundingClientRect();
    return box.left < whole.left || box.right > whole.right
        || box.top < whole.top || box.bottom > whole.bottom;
}).map(text => text.textContent)"""


@pytest.mark.parametrize("name", APPLICATIONS)
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_lies_outside_the_screen(
    browser: Browser, applications: dict[str, Project], name: str, width: int
) -> None:
    """With every part unfolded, on a phone and on a desk; all four answers are there."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((applications[name].folder / "exports" / "report.html").as_uri())
    assert page.locator(".answer h2").all_inner_texts() == [
        "Are we safe?", "What does it cost?", "What changed?", "What to do next?",
    ]  # fmt: skip
    assert page.locator("#lead").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(CLIPPED) == []
    page.close()


def test_a_picture_shows_demand_and_both_ceilings(
    browser: Browser, applications: dict[str, Project]
) -> None:
    """One a group, with the sentence of its verdict; the table names the same tokens."""
    page = browser.new_page()
    page.goto((applications["chat"].folder / "exports" / "report.html").as_uri())
    assert page.locator(".ceiling svg").count() == 3
    for subject, present, proposed in applications["chat"].rows(
        "select subject, present, proposed from marts.advice where figure = 'ceiling'"
    ):
        words = page.locator(".ceiling", has_text=subject).first.inner_text()
        assert f"now {present:,.0f}" in words
        assert f"proposed {proposed:,.0f}" in words
        assert "Promote: reserved" in words
    page.close()


def test_a_chat_shows_no_grid_of_coding_work(applications: dict[str, Project]) -> None:
    """Deliverables, multipliers and what to collect are for those who have them."""
    texts = {
        name: (project.folder / "exports" / "report.html").read_text(encoding="utf-8")
        for name, project in applications.items()
    }
    for part in ('id="gaps"', 'id="targets"', 'id="multipliers"', "Collect documentation"):
        assert part not in texts["chat"]
    assert 'id="multipliers"' in texts["agent"]
    assert 'id="predictions"' not in texts["chat"]


@pytest.mark.parametrize(("name", "code"), [("chat", 0), ("cut off", 3)])
def test_the_check_is_green_on_health_alone(
    applications: dict[str, Project], name: str, code: int
) -> None:
    """A healthy application without deliverables passes; one that is cut off does not."""
    done = applications[name].tokenest("report", "--format", "json", "--check")
    assert done.returncode == code, done.stdout + done.stderr
    states = {answer["state"] for answer in json.loads(done.stdout)["answers"]}
    assert ("good" in states) == (name == "chat")
    assert ("bad" in states) == (name == "cut off")


def test_no_page_says_the_opposite_of_the_advice(applications: dict[str, Project]) -> None:
    """The sentences of the JSON are those of the verdicts, on every application."""
    begins = {"raise": ("Promote", "Raise"), "lower": ("Promote", "Lower"), "leave": ("Leave",),
              "collect": ("Collect",)}  # fmt: skip
    is_few = set()
    for project in applications.values():
        content = json.loads(project.tokenest("report", "--format", "json").stdout)
        advised = dict(
            project.rows("select subject, verdict from marts.advice where figure = 'ceiling'")
        )
        assert {row["subject"]: row["verdict"] for row in content["ceilings"]} == advised
        for row in content["ceilings"]:
            assert row["sentence"].split(":")[0] in begins[row["verdict"]]
        steps = [line for line in content["answers"][3]["lines"] if "tokenest promote" in line]
        ((calls,),) = project.rows("select count(*) from report.cmd_backtest_calls")
        assert all(("asks for 625 calls" in line) == (calls < 625) for line in steps), steps
        is_few |= {calls < 625 for _ in steps}
    assert is_few == {True, False}
