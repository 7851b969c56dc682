"""A back-test builds on what it copies, and on nothing else."""

from __future__ import annotations

import re

from dbt_project import ROOT
from tokenest_py.pipeline.calibration.refit import EVENT_TABLES, MODELS


def test_every_model_of_a_refit_finds_what_it_reads() -> None:
    """Each ref of its models is one of them, a copied table or a seed."""
    files = {path.stem: path for path in (ROOT / "models").rglob("*.sql")}
    there = {*MODELS, *(name.partition(".")[2] for name in EVENT_TABLES)}
    there |= {path.stem for path in (ROOT / "seeds").rglob("*.csv")}
    for model in MODELS:
        read = set(re.findall(r"ref\('(\w+)'\)", files[model].read_text(encoding="utf-8")))
        assert read <= there, model
