"""The referee: LightGBM quantile regression, conformalised, in an environment of its own.

    python benchmarks/lightgbm_cqr.py request.json

The file holds {"jobs": {name: {"train": rows, "needs": [...], "test": rows}}, "rates": [...],
"categorical": first columns that are codes, "rounds": trees}; the budgets of the test calls go to
standard output as {name: {rate: [...]}}. The first three quarters of the training calls fit, the
last quarter conforms, on the logarithm of the need. One fixed configuration, not tuned.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np


def main() -> None:
    """Fit, conformalise and print."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    categorical = list(range(request["categorical"]))
    found = {
        name: {
            rate: budgets(job, rate, categorical, request["rounds"]) for rate in request["rates"]
        }
        for name, job in request["jobs"].items()
    }
    json.dump(found, sys.stdout)


def budgets(
    job: dict[str, list[Any]], rate: float, categorical: list[int], rounds: int
) -> list[float]:
    """The budgets of the test calls for one rate."""
    rows, test = np.array(job["train"], float), np.array(job["test"], float)
    needs = np.log(np.maximum(np.array(job["needs"], float), 1))
    fit = math.ceil(0.75 * len(rows))
    parameters = {
        "objective": "quantile", "alpha": 1 - rate, "num_leaves": 31, "learning_rate": 0.1,
        "verbose": -1, "num_threads": 1, "deterministic": True, "seed": 1,
    }  # fmt: skip
    data = lightgbm.Dataset(rows[:fit], needs[:fit], categorical_feature=categorical)
    model = lightgbm.train(parameters, data, num_boost_round=rounds)
    residuals = np.sort(needs[fit:] - model.predict(rows[fit:]))
    rank = min(len(residuals), math.ceil((len(residuals) + 1) * (1 - rate)))
    found: list[float] = np.exp(model.predict(test) + residuals[rank - 1]).tolist()
    return found


if __name__ == "__main__":
    main()
