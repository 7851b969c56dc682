"""The referee: LightGBM quantile regression, conformalised, in an environment of its own.

    python benchmarks/lightgbm_cqr.py calls.json

The file holds {"fit": [[input_tokens, demand], ...], "conform": [...], "test": [[input_tokens]],
"rates": [...]}; the budgets of the test calls go to standard output as {rate: [...]}. One fixed
configuration, not tuned: 400 trees, 31 leaves.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import lightgbm
import numpy as np


def main() -> None:
    """Fit, conformalise and print."""
    calls = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    fit, conform = np.array(calls["fit"], float), np.array(calls["conform"], float)
    test = np.array(calls["test"], float)
    budgets = {}
    for rate in calls["rates"]:
        parameters = {
            "objective": "quantile", "alpha": 1 - rate, "num_leaves": 31, "learning_rate": 0.05,
            "verbose": -1, "num_threads": 2, "deterministic": True, "seed": 1,
        }  # fmt: skip
        data = lightgbm.Dataset(feature(fit), fit[:, 1])
        model = lightgbm.train(parameters, data, num_boost_round=400)
        residuals = np.sort(conform[:, 1] - model.predict(feature(conform)))
        rank = min(len(residuals), math.ceil((len(residuals) + 1) * (1 - rate)))
        budgets[str(rate)] = (model.predict(feature(test)) + residuals[rank - 1]).tolist()
    json.dump(budgets, sys.stdout)


def feature(calls: np.ndarray) -> np.ndarray:
    """The logarithm of the prompt's tokens, one column."""
    logs: np.ndarray = np.log(np.maximum(calls[:, :1], 1))
    return logs


if __name__ == "__main__":
    main()
