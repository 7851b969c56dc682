"""Texts as SQL reads them too: letters lowered, paths cleaned."""

from __future__ import annotations

MAX_TEXT = 1024  # characters of a deliverable that are read; the expressions are quadratic

# what Unicode calls a space, as trim of SQL takes it; a tab or a newline is none
_BLANKS = " \xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"
_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def ascii_lower(text: str) -> str:
    """The text with A to Z lowered and every other character kept, as SQL does it too."""
    return text.lower() if text.isascii() else text.translate(_UPPER)


def vocabulary_key(word: str) -> str:
    """A word in lower case without blanks around it, as the macro vocabulary_key has it in SQL.

    Character by character: there is no other sigma at the end of a word, and a dotted I is an i.
    """
    word = word.strip(_BLANKS)
    return word.lower() if word.isascii() else "".join(c.lower()[0] for c in word)


def has_extension(path: str) -> bool:
    """Whether the base name ends in a dot, with something before it, and letters or digits."""
    stem, _, extension = path.rpartition("/")[2].rpartition(".")
    return stem != "" and extension.isascii() and extension.isalnum()


def clean_path(path: str) -> str:
    """The path with forward slashes and without quotes, end punctuation and a leading ./ part."""
    return path[:MAX_TEXT].replace("\\", "/").strip("\"'`,; ").removeprefix("./")
