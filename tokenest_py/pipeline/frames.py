"""Estimates for a whole polars frame: each distinct text is read once, the rest is columns.

Equal to `Estimator.estimate` row by row without a workspace, a task text and scope paths, none of
which a record has. Needs polars: `pip install tokenest[frames]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenest_py.errors import UsageError
from tokenest_py.runtime import documents
from tokenest_py.runtime.deliverables import Reader
from tokenest_py.runtime.estimator import DEFAULT_CATEGORY
from tokenest_py.runtime.table import load

if TYPE_CHECKING:
    import polars as pl

    from tokenest_py.runtime.table import Coefficients

# What the deliverables of a row choose between, by code; without documents alone it is CORE.
CORE, DOCUMENTATION, SYNTHESIS, HISTORY = range(4)
MODELS = (documents.DELIVERABLES, documents.DOCUMENTATION, documents.SYNTHESIS, documents.HISTORY)
RESULTS = ("estimated_tokens", "low", "high", "confidence", "estimated_category")


def estimate_frame(
    frame: pl.DataFrame, *, coefficients: Coefficients | None = None, assume: str = "new"
) -> pl.DataFrame:
    """The frame with an estimate for each row.

    Args:
        frame: One call a row: `deliverables` (a list of texts), `category` and `complexity`.
        coefficients: The table; the packaged defaults without one.
        assume: "new" or "modified", for deliverables whose text does not say it.

    Returns:
        The frame with the columns estimated_tokens, low, high (tokens, whole numbers), confidence
        (0 to 1) and estimated_category; columns of these names are replaced.
    """
    import polars as pl

    if assume not in ("new", "modified"):
        raise UsageError("assume", assume, ("new", "modified"))
    if frame.is_empty():
        types = (pl.Int64(), pl.Int64(), pl.Int64(), pl.Float64(), pl.String())
        return frame.with_columns(pl.DataFrame(schema=dict(zip(RESULTS, types, strict=True))))
    table = coefficients or load()
    reader = Reader(table)
    categories, category_codes = _distinct(frame["category"])
    complexities, complexity_codes = _distinct(frame["complexity"])
    cell = category_codes * len(complexities) + complexity_codes
    cells, outcomes = _cells(table, reader, categories, complexities)
    rows = pl.DataFrame(
        {
            "row": pl.int_range(frame.height, eager=True),
            "cell": cell,
            "class_category": cells["class_category"].gather(cell),
            "deliverables": frame["deliverables"].cast(pl.List(pl.String)),
        }
    )
    pieces = [
        piece.select("row", "cell").hstack(
            _sums(table, reader, piece["deliverables"], str(class_category), assume)
        )
        for (class_category,), piece in rows.group_by("class_category")
    ]
    return frame.with_columns(_estimates(table, cells, outcomes, pl.concat(pieces).sort("row")))


def _distinct(texts: pl.Series) -> tuple[list[str], pl.Series]:
    """The distinct texts, and for each text its place among them; a null counts as empty."""
    import polars as pl

    texts = texts.fill_null("")
    codes = texts.cast(pl.Categorical).to_physical()
    first = codes.arg_unique()
    keys = codes.gather(first).to_list()
    places = [0] * (max(keys, default=0) + 1)
    for place, code in enumerate(keys):
        places[code] = place
    return texts.gather(first).to_list(), pl.Series(places).gather(codes)


def _cells(
    table: Coefficients, reader: Reader, categories: list[str], complexities: list[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What depends on category and complexity: a row a pair, and a row a pair and model."""
    import polars as pl

    cells, outcomes = [], []
    for spelled in categories:
        category = table.category(spelled or DEFAULT_CATEGORY)
        for text in complexities:
            complexity = table.complexity(text)
            cells.append(
                {
                    "class_category": category if category in reader.class_categories else "",
                    "floor": table.floors.get(("", complexity), table.floors["", ""]),
                    "is_synthesis": category == documents.SYNTHESIS,
                    "is_history": category == documents.HISTORY,
                }
            )
            for model in MODELS:
                final = category if model == documents.DELIVERABLES else model
                default = int(table.constants["default_phase_overhead"])
                multiplier, low, high = table.factors(final, complexity)
                outcomes.append(
                    {
                        "estimated_category": final,
                        "overhead": table.overheads.get((final, complexity), default),
                        "multiplier": multiplier,
                        "low": low,
                        "high": high,
                    }
                )
    bounds = {"low": pl.Float64(), "high": pl.Float64()}
    return pl.DataFrame(cells), pl.DataFrame(outcomes, schema_overrides=bounds)


def _sums(
    table: Coefficients, reader: Reader, lists: pl.Series, class_category: str, assume: str
) -> pl.DataFrame:
    """What the deliverables of each row add up to."""
    import polars as pl

    texts, places = _distinct(lists.explode(empty_as_null=False, keep_nulls=False))
    profiles = pl.DataFrame(
        [_profile(table, reader, text, class_category, assume) for text in texts],
        schema=dict.fromkeys(_PROFILE, pl.Int64()),
        orient="row",
    )
    ends = lists.list.len().fill_null(0).cum_sum().cast(pl.Int64)
    sums = []
    for name in _PROFILE:
        # a row's sum is the running sum at its end less that at the end of the row before
        running = pl.concat([pl.Series([0]), profiles[name].gather(places).cum_sum()])
        at_end = running.gather(ends)
        sums.append((at_end - at_end.shift(1, fill_value=0)).alias(name))
    return pl.DataFrame(sums)


_PROFILE = (
    "tokens",
    "files",
    "documents",
    "extensions",
    "actions",
    "histories",
    "api_reference",
    "examples",
    "usage_guide",
)


def _profile(
    table: Coefficients, reader: Reader, text: str, class_category: str, assume: str
) -> tuple[int, ...]:
    """What one text adds to each of the sums; nothing when it is blank."""
    text = text.strip()
    if not text:
        return (0,) * len(_PROFILE)
    item = reader.read(text, None, class_category)
    is_document = item.name == documents.DOCUMENT
    found = documents.features(table, [item], "") if is_document else frozenset()
    return (
        table.weights[item.name, item.action or assume],
        1,
        is_document,
        item.has_extension,
        item.has_action,
        is_document and documents.is_history(table, [item]),
        "api_reference" in found,
        "examples" in found,
        "usage_guide" in found,
    )


def _estimates(
    table: Coefficients, cells: pl.DataFrame, outcomes: pl.DataFrame, rows: pl.DataFrame
) -> pl.DataFrame:
    """The results for the summed rows, in their order."""
    import polars as pl

    number = table.constants
    rows = rows.hstack(cells.select(pl.all().gather(rows["cell"])))
    rows = rows.with_columns(model=_model(number))
    place = rows.select(pl.col("cell") * len(MODELS) + pl.col("model")).to_series()
    rows = rows.hstack(outcomes.select(pl.all().gather(place)))
    files, model, tokens = pl.col("files"), pl.col("model"), pl.col("estimated_tokens")
    total = (
        pl.when(model == SYNTHESIS)
        .then(_synthesis(number))
        .when(model == HISTORY)
        .then(_history(number))
        .otherwise(pl.col("overhead") + pl.col("tokens"))
    )
    base, spread = pl.col("base"), _whole(tokens * number["default_interval"])
    share = (
        number["confidence_extension"] * pl.col("extensions") / files
        + number["confidence_action"] * pl.col("actions") / files
    )
    return (
        rows.with_columns(base=_whole(total * number["safety_margin"]))
        .with_columns(
            estimated_tokens=pl.when(files == 0)
            .then(pl.col("floor"))
            .otherwise(_whole(base * pl.col("multiplier"))),
        )
        .select(
            tokens,
            pl.when((files == 0) | pl.col("low").is_null())
            .then(tokens - spread)
            .otherwise(_whole(base * pl.col("low")))
            .alias("low"),
            pl.when((files == 0) | pl.col("high").is_null())
            .then(tokens + spread)
            .otherwise(_whole(base * pl.col("high")))
            .alias("high"),
            pl.when(files == 0)
            .then(number["confidence_no_deliverables"])
            .when(model == SYNTHESIS)
            .then(number["confidence_doc_synthesis"])
            .when(model == HISTORY)
            .then(number["confidence_doc_sot_update"])
            .otherwise((number["confidence_base"] + share).clip(upper_bound=1.0))
            .alias("confidence"),
            "estimated_category",
        )
    )


def _model(number: dict[str, float]) -> pl.Expr:
    """The code of the model, as `documents.choose` chooses it."""
    import polars as pl

    files, found = pl.col("files"), pl.col
    only_documents = (files > 0) & (files == found("documents"))
    return (
        pl.when(~only_documents | (number["documentation_models"] == 0))
        .then(CORE)
        .when(found("is_synthesis"))
        .then(SYNTHESIS)
        .when(found("is_history") | (found("histories") > 0))
        .then(HISTORY)
        .when((found("api_reference") > 0) | ((found("examples") > 0) & (found("usage_guide") > 0)))
        .then(SYNTHESIS)
        .otherwise(DOCUMENTATION)
    )


def _synthesis(number: dict[str, float]) -> pl.Expr:
    import polars as pl

    files = pl.col("files")
    writing = files * int(number["doc_synthesis_per_file"])
    return (
        writing
        + int(number["doc_synthesis_investigate_none"])
        + (pl.col("api_reference") > 0) * int(number["doc_synthesis_api_reference"])
        + (pl.col("examples") > 0) * int(number["doc_synthesis_examples"])
        + (files >= number["doc_synthesis_coordination_files"])
        * _whole(writing * number["doc_synthesis_coordination"])
    )


def _history(number: dict[str, float]) -> pl.Expr:
    import polars as pl

    writing = pl.col("files") * int(number["doc_sot_per_file"])
    return (
        writing
        + int(number["doc_sot_context_none"])
        + _whole(writing * number["doc_sot_consistency"])
    )


def _whole(expression: pl.Expr) -> pl.Expr:
    """The whole part of a number that is not negative."""
    import polars as pl

    return expression.cast(pl.Int64)
