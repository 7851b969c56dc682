"""When two failures are the same: a hash of how an attempt ended and of what it said last."""

from __future__ import annotations

import hashlib
import re

__all__ = ["MAX_ERROR", "exit_bucket", "fingerprint", "normalized_error"]

MAX_ERROR = 200

# In this order: what a later rule would tear apart is replaced first.
_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"[a-z][a-z0-9+.-]*://[^\s'\"<>)\]]+", "url"),
        (r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", "id"),
        (
            r"\b\d{4}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s?(?:z|[+-]\d\d:?\d\d)\b)?",
            "time",
        ),
        (r"\b\d{4}-\d{2}-\d{2}\b|\b\d{8}t\d{6}z?\b", "time"),
        (r"\b\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?\b", "time"),
        (r"\b[a-z]:\\[^\s'\":*?<>|]+", "path"),
        (r"(?<![\w.])(?:~|\.{1,2})?/[^\s'\":,;()\[\]<>]+", "path"),
        (r"\b[\w.-]+(?:[/\\][\w.-]+)+", "path"),
        (r"\b0x[0-9a-f]+\b", "id"),
        (r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", "id"),
        (r"\d+(?:[.,]\d+)*", "num"),
        (r"\s+", " "),
    )
)


def normalized_error(text: str, names: tuple[str, ...]) -> str:
    """Return at most MAX_ERROR characters of `text` without what differs from time to time.

    Ids, paths, numbers, times and addresses become a word each, and so do `names` (the run's and
    the phase's own).
    """
    text = text.lower()
    for name in sorted(names, key=len, reverse=True):
        if name:
            text = re.sub(rf"(?<![\w-]){re.escape(name.lower())}(?![\w-])", "name", text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text.strip()[:MAX_ERROR]


def exit_bucket(exit_code: int | None, *, timed_out: bool) -> str:
    """Return how the attempt ended, as a word: timeout, unknown or its exit code."""
    if timed_out:
        return "timeout"
    return "unknown" if exit_code is None else f"exit {exit_code}"


def fingerprint(
    error: str, exit_code: int | None, *, timed_out: bool, names: tuple[str, ...] = ()
) -> str:
    """Return 16 hexadecimal digits that failures of one kind share. They reveal no text."""
    ending = exit_bucket(exit_code, timed_out=timed_out)
    text = f"{ending}|{normalized_error(error, names)}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
