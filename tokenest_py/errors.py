"""Every error that tokenest raises.

    TokenestError            exit code 1
    ├── CoefficientsError    a coefficients file that cannot be used
    ├── UsageError           exit code 2: a call that asks for something that does not exist
    ├── BuildError           a step of the build failed
    │   └── FileGoneError    a telemetry file went away while it was read
    ├── ConsentError         exit code 2: nobody said yes
    ├── GateError            exit code 3: a gate failed
    ├── NoDataError          exit code 4: no telemetry, or not enough of it
    ├── CollectionError      a run, its journal or its worker cannot be used
    │   ├── LeaseLostError   a phase that another drain may have by now
    │   └── RunBusyError     exit code 75: another process drains the run
    ├── ExclusiveDrainError  exit code 2: a phase that may not be drained on its own
    └── DatabaseError        the database is missing, foreign or damaged
        └── DatabaseBusyError    exit code 75: another process holds it

    DroppedEventError        no TokenestError: the recorder counts it, and no caller meets it

The exit code of the command line stands with each error: a new error cannot be without one.
Each message is one line that names the file, the line and the fix where there is one.
"""

from __future__ import annotations

_MOST_SHOWN = 200  # characters of what a caller handed over


class TokenestError(Exception):
    """Anything that tokenest refuses; the command line prints the message and no traceback."""

    exit_code = 1

    def __reduce__(self) -> tuple[object, ...]:
        """Its words alone: a pool whose worker raises what cannot be read again waits for ever."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class CoefficientsError(TokenestError):
    """A coefficients file is missing, damaged or says something impossible."""

    def __init__(self, path: str, reason: object, line: int | None = None) -> None:
        """Name the file, the line where there is one, and what is wrong with it."""
        place = path if line is None else f"{path}:{line}"
        super().__init__(f"{place}: {reason}")


class UsageError(TokenestError, ValueError):
    """The caller named an option that does not exist, or a number out of its bounds."""

    exit_code = 2

    def __init__(self, name: str, given: object, expected: str | tuple[str, ...]) -> None:
        """Name the argument, what was given and what may be given."""
        if isinstance(expected, tuple):
            expected = f"one of {', '.join(expected)}"
        super().__init__(f"{name}={_shown(given)} will not do; use {expected}")


class DatabaseError(TokenestError):
    """The database is missing, foreign or damaged."""


class DatabaseBusyError(DatabaseError):
    """Another process holds the database."""

    exit_code = 75


class BuildError(TokenestError):
    """A step of the build failed."""


class FileGoneError(BuildError):
    """A telemetry file went away while it was read, as logs do that are rotated."""


class ConsentError(TokenestError):
    """Nobody said yes, and nobody can be asked."""

    exit_code = 2


class GateError(TokenestError):
    """A gate failed: what was asked for is there, and not good enough."""

    exit_code = 3


class NoDataError(TokenestError):
    """There is no telemetry, or not enough of it."""

    exit_code = 4


class CollectionError(TokenestError):
    """A run, its journal or its worker cannot be used."""

    def __init__(self, path: object, reason: object, line: int | None = None) -> None:
        """Name the file, the line where there is one, and what is wrong with it."""
        place = path if line is None else f"{path}:{line}"
        super().__init__(f"{place} {reason}" if line is None else f"{place}: {reason}")


class LeaseLostError(CollectionError):
    """A phase is no longer this drain's: another may have it by now."""


class ExclusiveDrainError(TokenestError):
    """A phase that may not be drained on its own without --force."""

    exit_code = 2


class RunBusyError(CollectionError):
    """Another process drains the run."""

    exit_code = 75


class DroppedEventError(Exception):
    """An event that cannot be written. Its one argument is the reason that `status()` counts."""


def _shown(given: object) -> str:
    """What a caller handed over, cut: it may be a whole prompt, or fail at being shown."""
    try:
        text = repr(given)
    except Exception:  # noqa: BLE001 - the error to raise is the one about the argument
        text = f"<{type(given).__name__}>"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
