"""The table that a command sizes calls with."""

from __future__ import annotations

from tokenest_py.cli.say import say
from tokenest_py.runtime.estimator import Estimator

__all__ = ["own_estimator"]

PACKAGED = (
    "no table of your own: these are the floors of the package; TOKENEST_COEFFICIENTS names the"
    " file that `tokenest build` exports"
)


def own_estimator(workspace: str | None = None) -> Estimator:
    """An estimator with the table of TOKENEST_COEFFICIENTS; says so where there is none."""
    estimator = Estimator.load(strict=True, workspace=workspace)
    if estimator.status().source == "packaged defaults":
        say(PACKAGED)
    return estimator
