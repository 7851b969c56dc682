"""The page in a real browser: what it shows, and that it asks nobody for anything."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from dbt_project import ROOT, Project
from reported import HOSTILE, MARTS, cut_off, events

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
    project.dbt_build(*MARTS)
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
    ((n_open,),) = project.rows("select count(*) from marts.guardrail_alerts where is_open")
    assert figures[3] == f"{n_open} open alerts"
    assert f"{100 * lower:.1f} % to {100 * upper:.1f} %" in page.inner_text("#answer-1")
    assert "truncated 100.0 % → 9.1 %" in page.inner_text("#answer-3")
    box = page.locator("#answer-4").bounding_box()
    assert box is not None
    assert box["y"] < 900


def test_a_table_shows_the_rows_of_its_mart(page: Page, project: Project) -> None:
    """Rows and counts of three tables equal the marts."""
    rows = project.rows(
        "select source_file, lines, accepted, duplicate, quarantined, blank from marts.files"
    )
    shown = page.locator("#lines tbody tr td").all_inner_texts()
    assert shown[:6] == [str(value) for value in rows[0]]
    ((segments,),) = project.rows("select count(*) from marts.truncation_triage")
    assert page.locator("#triage tbody tr").count() == segments
    alerts = page.locator("#alerts tbody tr.open")
    assert alerts.count() == project.rows(
        "select count(*) from marts.guardrail_alerts where is_open"
    )[0][0]  # fmt: skip


def test_text_of_the_telemetry_stays_text(page: Page) -> None:
    """A phase id and a category that are scripts are shown as text."""
    assert page.evaluate("document.scripts.length") == 0
    assert page.locator("#phases td", has_text=f"{HOSTILE}-0").first.is_visible()
    assert page.locator("#room svg text", has_text="</script><script>").count() == 1


def test_a_section_gives_its_sql_with_one_click(page: Page) -> None:
    """The SQL is hidden until it is asked for."""
    code = page.locator("#alerts pre")
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


def test_the_page_fits_a_phone(page: Page) -> None:
    """No sideways scrolling of the page, and the answers in order."""
    page.set_viewport_size({"width": 390, "height": 844})
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == 390
    boxes = [page.locator(f"#answer-{number}").bounding_box() for number in (1, 2, 3, 4)]
    tops = [box["y"] for box in boxes if box]
    assert tops == sorted(tops)
    assert len(tops) == 4


def test_print_leaves_out_what_paper_cannot_do(page: Page) -> None:
    """Links and folded parts go, tables stay, on white."""
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator("nav").is_visible()
    assert not page.locator("#alerts summary").first.is_visible()
    assert page.locator("#alerts table").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")
