"""`tokenest rollback`: the table before the present one, again."""

from __future__ import annotations

from tokenest_py.cli.options import TargetOption, YesOption
from tokenest_py.cli.publishing import chosen_target, confirm
from tokenest_py.cli.say import say
from tokenest_py.pipeline.calibration.promotion import roll_back, unsafe_place
from tokenest_py.pipeline.settings import Settings

__all__ = ["rollback"]


def rollback(*, target: TargetOption = None, yes: YesOption = False) -> None:
    """Publish the newest sound table of the history again."""
    path = chosen_target(target, Settings.read())
    confirm(f"restore the table before the present one to {path}?", yes=yes)
    done = roll_back(path)
    for text in done.passed_over:
        say(f"passed over {text}")
    danger = unsafe_place(path)
    if danger:
        say(f"warning: {danger}")
    say(f"took back {done.taken}; {path} is {done.restored} again")
