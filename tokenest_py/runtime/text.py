"""Texts as SQL reads them too: ASCII letters lowered, paths cleaned."""

from __future__ import annotations

MAX_TEXT = 1024  # characters of a deliverable that are read; the expressions are quadratic

_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def ascii_lower(text: str) -> str:
    """The text with A to Z lowered and every other character kept, as SQL does it too."""
    return text.lower() if text.isascii() else text.translate(_UPPER)


def has_extension(path: str) -> bool:
    """Whether the base name ends in a dot, with something before it, and letters or digits."""
    stem, _, extension = path.rpartition("/")[2].rpartition(".")
    return stem != "" and extension.isascii() and extension.isalnum()


def clean_path(path: str) -> str:
    """The path with forward slashes and without quotes, end punctuation and a leading ./ part."""
    return path[:MAX_TEXT].replace("\\", "/").strip("\"'`,; ").removeprefix("./")
