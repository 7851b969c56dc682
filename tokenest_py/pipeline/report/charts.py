"""Charts as static SVG: drawn by Vega-Lite, without a browser, a script or the network.

The colours are CSS variables of the page, so that one drawing serves light, dark and print.
Altair and vl-convert are the extra `report`; without them the page has its tables alone.
"""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Callable

    import altair as alt

    from tokenest_py.pipeline.report.content import Report

    Chart = alt.LayerChart | alt.FacetChart | alt.HConcatChart

__all__ = ["can_draw", "draw_charts"]

Rows = list[dict[str, Any]]

INK, MUTED, GRID = "var(--ink)", "var(--muted)", "var(--grid)"
BLUE, RED, GREEN = "var(--blue)", "var(--red)", "var(--green)"
WIDTH, HEIGHT = 460, 280
# Where Vega shortens a label it cuts a character of two code units in half, and stops.
WHOLE = r"replace(datum.label, /[\ud800-\udbff][\udc00-\udfff]/g, '\ufffd')"


def can_draw() -> bool:
    """Tell whether the charting library (pip install 'tokenest[report]') is there."""
    from importlib.util import find_spec

    return find_spec("altair") is not None and find_spec("vl_convert") is not None


def draw_charts(report: Report) -> dict[str, str]:
    """Return an SVG for each section that has one, by the section's name."""
    if not can_draw():
        return {}
    try:
        Path.home()
    except RuntimeError:  # a user without a name, as in a container; Altair asks as it is imported
        os.environ["HOME"] = tempfile.gettempdir()
    drawn = {}
    for name, draw in _CHARTS.items():
        chart = draw(report.rows_of(name))
        if chart is not None:
            drawn[name] = _svg(chart)
    return drawn


def _room(rows: Rows) -> Chart | None:
    import altair as alt

    shown = [_drawable(r) for r in rows if r["truncation_rate"] is not None]
    if not shown:
        return None
    shown.sort(key=lambda r: (-r["truncation_rate"], r["stratum"]))
    target = shown[0]["target_truncation"]
    height = 26 * len(shown)
    order = [r["stratum"] for r in shown]
    base = alt.Chart(alt.InlineData(values=shown), height=height).encode(
        y=alt.Y("stratum:N", title=None, sort=order, axis=alt.Axis(labelExpr=WHOLE))
    )
    rate = alt.Axis(format="%", orient="top", tickCount=4)
    cut_off = alt.layer(
        base.mark_rule(strokeWidth=4, color=BLUE, opacity=0.4).encode(
            x=alt.X("truncation_lower:Q", title="calls cut off", axis=rate,
                    scale=alt.Scale(domain=[0, 1])),
            x2="truncation_upper:Q",
        ),
        base.mark_point(filled=True, size=70, color=BLUE, opacity=1).encode(x="truncation_rate:Q"),
        alt.Chart(alt.InlineData(values=[{"target": target}]))
        .mark_rule(strokeDash=[5, 3], strokeWidth=1.5, color=RED)
        .encode(x="target:Q"),
    )  # fmt: skip
    room = alt.layer(
        base.mark_bar(color=GREEN, opacity=0.35, height=12).encode(
            x=alt.X("reserved_ratio:Q", title="reserved for each used", axis=alt.Axis(
                orient="top", tickCount=4)),
            y=alt.Y("stratum:N", title=None, sort=order, axis=None),
        ),
        base.mark_text(align="left", dx=4, color=INK).encode(
            x="reserved_ratio:Q",
            y=alt.Y("stratum:N", sort=order, axis=None),
            text=alt.Text("reserved_ratio:Q", format=".1f"),
        ),
    )  # fmt: skip
    return alt.hconcat(cut_off.properties(width=210), room.properties(width=120), spacing=16)


def _predictions(rows: Rows) -> Chart | None:
    import altair as alt

    if not rows:
        return None
    tokens = [t for r in rows for t in (r["predicted_output_tokens"], r["actual_output_tokens"])]
    low, high = 10 ** math.floor(math.log10(min(tokens))), max(tokens) * 1.3
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    axis = alt.Axis(format="~s", tickCount=5)
    data = alt.InlineData(values=[_drawable(r) for r in rows])
    base = alt.Chart(data).encode(
        x=alt.X("predicted_output_tokens:Q", title="predicted tokens", scale=scale, axis=axis),
        y=alt.Y("actual_output_tokens:Q", title="actual tokens", scale=scale, axis=axis),
    )
    even = alt.Chart(alt.InlineData(values=[{"x": low, "y": low}, {"x": high, "y": high}]))
    line = even.mark_line(color=MUTED, strokeWidth=1, clip=False).encode(x="x:Q", y="y:Q")
    is_bound = alt.datum.is_truncated
    finished = base.transform_filter(~is_bound).mark_point(
        filled=True, size=38, color=BLUE, opacity=0.6
    )
    bounds = base.transform_filter(is_bound).mark_point(
        shape="triangle-up", filled=True, size=80, color=RED, opacity=0.9
    )
    return alt.layer(line, finished, bounds)


def _trend(rows: Rows) -> Chart | None:
    import altair as alt

    values = [
        {
            "week": f"{r['period_start']:%Y-%m-%d}",
            "n": r["n"],
            "measure": measure,
            "rate": r[f"{measure}_rate"],
            "lower": r[f"{measure}_lower"],
            "upper": r[f"{measure}_upper"],
        }
        for r in reversed(rows)
        for measure in ("underestimation", "truncation")
        if r[f"{measure}_rate"] is not None
    ]
    if not values:
        return None
    data = alt.InlineData(values=values)
    colour = alt.Color(
        "measure:N",
        scale=alt.Scale(domain=["underestimation", "truncation"], range=[BLUE, RED]),
        legend=alt.Legend(orient="top", title=None),
    )
    x = alt.X("week:O", title=None, axis=alt.Axis(labelAngle=-45 if len(rows) > 4 else 0))
    base = alt.Chart(data).encode(
        x=x,
        xOffset=alt.XOffset("measure:N", scale=alt.Scale(domain=["underestimation", "truncation"])),
        color=colour,
    )
    bars = base.mark_rule(strokeWidth=3, opacity=0.4).encode(
        y=alt.Y("lower:Q", title="share of calls", axis=alt.Axis(format="%"),
                scale=alt.Scale(domain=[0, 1])),
        y2="upper:Q",
    )  # fmt: skip
    points = base.mark_point(filled=True, size=70, opacity=1).encode(y="rate:Q")
    counts = alt.Chart(
        alt.InlineData(values=[v for v in values if v["measure"] == values[0]["measure"]])
    )
    n = counts.mark_text(color=MUTED, baseline="top", dy=-2, y=0).encode(
        x=x, text=alt.Text("n:Q", format=",")
    )
    return alt.layer(bars, points, n)


_CHARTS: dict[str, Callable[[Rows], Chart | None]] = {
    "room": _room,
    "predictions": _predictions,
    "trend": _trend,
}


def _svg(chart: Chart) -> str:
    import vl_convert

    spec = chart.to_dict(validate=False)
    if "hconcat" not in spec:
        spec.setdefault("width", WIDTH)
        spec.setdefault("height", HEIGHT)
    spec["background"] = "transparent"
    # The browser's font may be wider than the one that the drawing was laid out with.
    spec["padding"] = {"left": 40, "top": 6, "right": 16, "bottom": 10}
    spec["config"] = {
        "aria": False,
        "font": "sans-serif",
        "view": {"stroke": GRID},
        "axis": {
            "labelColor": MUTED, "titleColor": INK, "gridColor": GRID, "domainColor": GRID,
            "tickColor": GRID, "labelFontSize": 13, "titleFontSize": 13,
            "titleFontWeight": "normal", "labelLimit": 190,
        },
        "legend": {
            "labelColor": INK, "labelFontSize": 13, "titleColor": INK, "columnPadding": 30,
        },
        "text": {"fontSize": 13, "font": "sans-serif"},
    }  # fmt: skip
    return _checked(vl_convert.vegalite_to_svg(spec))


_ELEMENTS = {"svg", "g", "path", "rect", "line", "text", "circle", "defs", "clipPath", "title"}


def _checked(svg: str) -> str:
    """Return the SVG once it is known to hold drawing elements alone: nothing runs or loads."""
    for element in ET.fromstring(svg).iter():
        name = element.tag.rpartition("}")[2]
        attributes = {key.rpartition("}")[2].lower() for key in element.attrib}
        loads = {key for key in attributes if key.startswith("on") or key in {"href", "src"}}
        if name not in _ELEMENTS or loads:
            message = (
                f"a chart holds <{name} {' '.join(loads)}>, which does not belong in a drawing"
            )
            raise ValueError(message)
    return svg


def _drawable(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value if isinstance(value, str | int | float | bool | None) else str(value)
        for key, value in row.items()
    }
