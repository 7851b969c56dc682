"""Draws the first screen of `tokenest report` as one SVG, of what gateway_log.py makes up.

    tokenest build          # with TOKENEST_TELEMETRY=gateway.ndjson
    python examples/page_picture.py > page.svg

`make picture` does both, for the README.
"""

from __future__ import annotations

import re
import sys
from html import escape

from tokenest_py.pipeline.database import open_database
from tokenest_py.pipeline.report.content import Ceiling, read_report
from tokenest_py.pipeline.report.pictures import HEIGHT, WIDTH, draw
from tokenest_py.pipeline.settings import Settings

GAP, TITLE, HEAD = 24, 56, 62
STYLE = """:root{--panel:#fff;--ink:#1b2430;--muted:#5a6675;
--blue:#1c62b9;--red:#b3261e;--green:#1d6b3c}
@media(prefers-color-scheme:dark){:root{--panel:#12161c;--ink:#e6eaf0;--muted:#a3aebc;
--blue:#7cb3f5;--red:#f39a92;--green:#7fd19b}}
text{font-family:sans-serif}"""


def text(x: float, y: float, size: int, words: str, colour: str = "ink") -> str:
    """A line of words."""
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="var(--{colour})">{escape(words)}</text>'


def panel(ceiling: Ceiling, x: int, y: int) -> str:
    """A group of calls: its name, the sentence on it, and what its calls need."""
    drawn = re.sub("^<svg ", f'<svg x="0" y="{TITLE}" width="{WIDTH}" height="{HEIGHT}" ',
                   draw(ceiling))  # fmt: skip
    first, _, rest = ceiling.sentence.partition(" at ")
    return (
        f'<g transform="translate({x} {y})">'
        + text(6, 14, 15, ceiling.subject)
        + text(6, 32, 12, first, "muted")
        + text(6, 48, 12, f"at {rest}" if rest else "", "muted")
        + f"{drawn}</g>"
    )


def picture(lead: str, ceilings: tuple[Ceiling, ...]) -> str:
    """The sentence on all calls, and a panel for each group, two in a row."""
    rows = (len(ceilings) + 1) // 2
    width = 2 * WIDTH + 3 * GAP
    height = HEAD + rows * (TITLE + HEIGHT + GAP)
    panels = [
        panel(one, GAP + (number % 2) * (WIDTH + GAP),
              HEAD + (number // 2) * (TITLE + HEIGHT + GAP))
        for number, one in enumerate(ceilings)
    ]  # fmt: skip
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="{escape(lead)}"><style>{STYLE}</style>'
        f'<rect width="{width}" height="{height}" fill="var(--panel)"/>'
        + text(GAP + 6, 36, 19, lead)
        + "\n".join(panels)
        + "</svg>\n"
    )


def main() -> None:
    """Print the picture."""
    with open_database(Settings.read().database) as connection:
        report = read_report(connection)
    if report.lead is None:
        sys.exit("no call is there to draw")
    sys.stdout.write(picture(report.lead.sentence, report.ceilings))


if __name__ == "__main__":
    main()
