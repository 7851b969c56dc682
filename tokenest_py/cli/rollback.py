"""`tokenest rollback`: the table before the present one, again."""

from __future__ import annotations

from tokenest_py.cli.options import TargetOption, YesOption
from tokenest_py.cli.publishing import chosen_target, confirm
from tokenest_py.cli.say import say
from tokenest_py.pipeline.calibration.promotion import roll_back
from tokenest_py.pipeline.settings import Settings

__all__ = ["rollback"]


def rollback(*, target: TargetOption = None, yes: YesOption = False) -> None:
    """Publish the table before the present one again."""
    path = chosen_target(target, Settings.read())
    confirm(f"restore the table before the present one to {path}?", yes=yes)
    taken, restored = roll_back(path)
    say(f"took back {taken}; {path} is {restored} again")
