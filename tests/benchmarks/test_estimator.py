"""The table that the benchmark of the runtime measures is one that the runtime takes."""

from __future__ import annotations

from estimator import LABELS, MODELS, RATES, encoded, learned_rows, packaged_rows
from tokenest_py.runtime.table import parse


def test_the_learned_table_loads() -> None:
    """No key stands twice, and every kind is there."""
    table = parse(encoded([*packaged_rows(), *learned_rows()]), "benchmark")
    assert len(table.cells) == 1 + len(LABELS) * (1 + len(MODELS))
    assert {name for name, *_ in table.run_factors} == {"same", "any", "turn"}
    assert {rate for *_, rate in table.so_far_quantiles} == set(RATES)
