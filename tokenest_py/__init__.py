"""Predict output tokens, size max_tokens, record what happened. Standard library only."""

from __future__ import annotations

from tokenest_py._typing import TYPE_CHECKING
from tokenest_py.budget import Budget
from tokenest_py.estimates import TokenEstimate
from tokenest_py.estimator import Estimator

if TYPE_CHECKING:
    from tokenest_py.recorder import Recorder

__all__ = ["Budget", "Estimator", "Recorder", "TokenEstimate"]


def __getattr__(name: str) -> object:
    """Import the recorder when it is first asked for: not every process records."""
    if name == "Recorder":
        from tokenest_py.recorder import Recorder

        return Recorder
    raise AttributeError(name)
