"""Why an attempt yielded no events. The patterns are rows of seeds/collection/failure_patterns.csv.

A pattern is a regular expression over lower-case text in which everything but letters and digits
has become one space, so that max_tokens, "max tokens" and MAX-TOKENS read alike. docs/collection.md
runs the same rows in SQL.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenest_py.errors import CollectionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "REASONS",
    "TAIL_BYTES",
    "FailurePattern",
    "find_failure",
    "plain_text",
    "read_patterns",
    "read_tail",
    "zero_yield_reason",
]

REASONS = (
    "success_without_calls",
    "timeout",
    "limit_hit",
    "failed_before_call",
    "telemetry_off",
    "execution_error",
    "unknown",
)
TAIL_BYTES = 64 * 1024  # what killed an attempt stands near the end of its log

_NOT_PLAIN = re.compile("[^a-z0-9]+")
_FRAME = re.compile(r'\s*File ".*", line [0-9]+')
_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True, slots=True)
class FailurePattern:
    """One row of the seed: `name` is the blocker, `reason` the class of REASONS it belongs to."""

    name: str
    reason: str
    pattern: re.Pattern[str]


def read_patterns(path: Path) -> tuple[FailurePattern, ...]:
    """Return the seed's rows, in their order of position.

    Raises:
        CollectionError: The file cannot be read, or a row has no valid pattern or reason.
    """
    patterns = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for line_no, row in enumerate(csv.DictReader(file), start=2):
                if row.get("reason") not in REASONS:
                    unknown = f"reason {row.get('reason')!r} is unknown"
                    message = f"{unknown}; there are {', '.join(REASONS)}"
                    raise CollectionError(path, message, line_no)
                pattern = re.compile(row["pattern"])
                patterns.append((int(row["position"]), row["name"], row["reason"], pattern))
    except OSError as error:
        raise CollectionError(path, f"cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, re.error) as error:
        raise CollectionError(path, f"is not a table of failure patterns: {error}") from error
    patterns.sort(key=lambda row: row[0])
    return tuple(FailurePattern(name, reason, regex) for _, name, reason, regex in patterns)


def plain_text(text: str) -> str:
    """Return `text` in lower case with one space for each run of anything but a-z and 0-9."""
    return _NOT_PLAIN.sub(" ", text.lower()).strip()


def find_failure(
    text: str, patterns: Sequence[FailurePattern]
) -> tuple[FailurePattern | None, str]:
    """Return the pattern that explains a failure, and the line that says so.

    The last line that any pattern matches decides: what stands earlier may have been survived.
    Within the line, the first pattern. A traceback says its error, which follows its frames.
    Without a match: None and the last line with content.
    """
    last = following = ""
    for line in reversed(_messages(text)):
        plain = plain_text(line)
        if not plain:
            continue
        last = last or line
        for pattern in patterns:
            if pattern.pattern.search(plain):
                is_header = line.strip() == _TRACEBACK
                return pattern, following if is_header and following else line
        following = line
    return None, last


def _messages(text: str) -> list[str]:
    """Return the lines of a log without the frames of tracebacks, and the code that they quote.

    Code says what was tried, such as create(max_tokens=8192), and not what failed.
    """
    found: list[str] = []
    frame = None
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if frame is not None and indent > frame:
            continue
        frame = indent if _FRAME.match(line) else None
        if frame is None:
            found.append(line)
    return found


def read_tail(path: Path) -> str:
    """Return the last TAIL_BYTES of a log as text; empty when there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            return file.read(TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def zero_yield_reason(
    *,
    events: int,
    exit_code: int | None,
    timed_out: bool,
    folder_is_writable: bool,
    failure: FailurePattern | None,
) -> str | None:
    """Return which of REASONS explains an attempt without events; None when it had some.

    `exit_code` is None when the attempt has no status of its own.
    """
    if events > 0:
        return None
    if not folder_is_writable or (failure is not None and failure.reason == "telemetry_off"):
        return "telemetry_off"
    if timed_out:
        return "timeout"
    if exit_code == 0:
        return "success_without_calls"
    if failure is not None:
        return failure.reason
    return "unknown" if exit_code is None else "execution_error"
