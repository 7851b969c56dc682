"""Predict output tokens, size max_tokens, record what happened. Standard library only."""

from __future__ import annotations

from tokenest_py.clients import AUTO, Sizer, labels, sized, unsized
from tokenest_py.errors import CoefficientsError, TokenestError, UsageError
from tokenest_py.runtime.budget import Budget, Escalation
from tokenest_py.runtime.estimator import Estimator
from tokenest_py.runtime.recorder import Recorder, RecorderStatus
from tokenest_py.runtime.results import TokenEstimate
from tokenest_py.runtime.table.source import Status

__version__ = "0.1.0"

__all__ = [
    "AUTO",
    "Budget",
    "CoefficientsError",
    "Escalation",
    "Estimator",
    "Recorder",
    "RecorderStatus",
    "Sizer",
    "Status",
    "TokenEstimate",
    "TokenestError",
    "UsageError",
    "__version__",
    "labels",
    "sized",
    "unsized",
]
