"""The path and the action in a text with spaces, such as "Create src/api.py (the routes)".

The expressions have no look-around, so that SQL engines can execute them too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tokenest_py.runtime.text import ascii_lower

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXTENSION = r"\.[A-Za-z][A-Za-z0-9]*"
_QUOTED = re.compile(r'["`]([^"`]*[./][^"`]*)["`]')
_NOTE = re.compile(r" +\([^()]*\)$")
# a path with spaces: from the first word with a slash to a single extension at the very end
_SPACED = re.compile(rf"^(?:[^ /]+ +)*([^ ]*/[^.]* [^.]*{_EXTENSION})$")
_JOINED = re.compile(r" (?:and|at|by|for|from|in|into|of|or|to|using|with) ")
_SLASH_EXTENSION = re.compile(rf"(?:^| )([^ ]*/[^ ]*{_EXTENSION})[,;:.]?(?: |$)")
# "e.g." and "v1.2" are no files: two characters on one side of the dot, and a letter after it
_NAME_EXTENSION = re.compile(
    rf"(?:^| )([^ ][^ ]+{_EXTENSION}|[^ ]\.[A-Za-z][A-Za-z0-9]+)[,;:.]?(?: |$)"
)
_SLASH = re.compile(r"(?:^| )([^ ]*/[^ ]*)(?: |$)")


class PhraseReader:
    """Reads phrases by the action words of one table."""

    def __init__(self, actions: Mapping[str, str]) -> None:
        """Compile the expressions for the words, each of which says new or modified."""
        self._actions = actions
        words = "|".join(re.escape(word) for word in actions) or r"[^\s\S]"
        self._action = re.compile(rf"(?:^|[ (\[])({words})(?:$|[ )\]:,;])")
        self._lead_in = re.compile(rf"^(?:(?:{words}|file):? +)+")

    def read(self, phrase: str) -> tuple[str, str]:
        """The path in a phrase, and the action that a word outside the path says."""
        path = find_path(phrase) or self._without_lead_in(phrase)
        around = ascii_lower(phrase.replace(path, " ")) if path != phrase else ""
        said = self._action.search(around)
        return path, self._actions[said[1]] if said else ""

    def _without_lead_in(self, phrase: str) -> str:
        bare = _NOTE.sub("", phrase)
        said = self._lead_in.match(ascii_lower(bare))
        return bare[said.end() :] if said else bare


def find_path(phrase: str) -> str:
    """The path in a text with spaces, or an empty text when no word looks like one."""
    quoted = _QUOTED.search(phrase)
    if quoted:
        return quoted[1]
    phrase = _NOTE.sub("", phrase)
    spaced = _SPACED.search(phrase)
    if spaced and not _JOINED.search(spaced[1]):
        return spaced[1]
    for expression in (_SLASH_EXTENSION, _NAME_EXTENSION, _SLASH):
        found = expression.search(phrase)
        if found:
            return found[1]
    return ""
