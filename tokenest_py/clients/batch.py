"""Gives the requests of a file their ceilings, a line at a time: files of any size."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tokenest_py.clients import requests
from tokenest_py.clients.labels import labels
from tokenest_py.clients.sizer import check_label
from tokenest_py.errors import TokenestError
from tokenest_py.runtime.providers import BY_PROVIDER, PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tokenest_py.clients.sizer import Sizer

# What an id says before its number: "triage-0001" is a call of triage.
_BEFORE_NUMBER = re.compile(r"(.*[^\d\W_])[-_:./#]*\d+")
_URLS = {"/chat/completions": "openai", "/responses": "openai_responses"}


class Batch:
    """The requests of one file.

    Attributes:
        requests: How many there were.
        sized: How many have a ceiling of the table now; the others are as they were written.
        before: What was reserved by the ceilings of those that had one, in tokens.
        after: What is reserved now.
        unlimited: How many have no ceiling.
    """

    def __init__(self, sizer: Sizer, category: str | None = None) -> None:
        """Size by this sizer; the category is that of requests which name none.

        Raises:
            UsageError: No request could have this category.
        """
        if category is not None:
            check_label("category", category)
        self._sizer = sizer
        self._category = category
        self.requests = self.sized = self.before = self.after = self.unlimited = 0

    def lines(self, lines: Iterable[str]) -> Iterator[str]:
        """Each line with its ceiling; an empty one is left out.

        Raises:
            TokenestError: A line is no JSON object.
        """
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise TokenestError(f"line {number} is no JSON object; write one request a line")
            sized = self._with_ceiling(row)
            try:
                text = _written(sized)
            except ValueError as error:
                message = f"line {number} holds a number that JSON cannot: {error}"
                raise TokenestError(message) from error
            yield text

    def _with_ceiling(self, row: dict[str, Any]) -> dict[str, Any]:
        self.requests += 1
        place, provider = _format(row)
        if provider is None:
            self.unlimited += 1
            return row
        body = row if place is None else row[place]
        api = BY_PROVIDER[provider]
        path, written = requests.written_ceiling(body, api)
        bare = requests.with_ceiling(body, api, api.CEILINGS[0], None)
        with labels(**self._labels(row)):
            call = self._sizer.begin(bare, provider=provider)
        before = requests.tokens_of(written)
        self.before += before or 0
        budget = call.budget
        if budget is None or budget.quantile_rate is None:  # nothing is known of such calls
            self.after += before or 0
            self.unlimited += before is None
            return row
        self.sized += 1
        tokens = call.max_tokens or budget.max_tokens
        self.after += tokens
        path = path or next(path for path in api.CEILINGS if path[-1] == PARAMETERS[provider])
        body = requests.with_ceiling(body, api, path, tokens)
        return body if place is None else {**row, place: body}

    def _labels(self, row: dict[str, Any]) -> dict[str, object]:
        """What the row says of itself, else the option, else what its id begins with."""
        said = row.get("labels")
        found: dict[str, object] = dict(said) if isinstance(said, dict) else {}
        found |= {name: row[name] for name in ("category", "complexity") if row.get(name)}
        number = _BEFORE_NUMBER.fullmatch(str(row.get("custom_id", "")))
        category = self._category or (number[1] if number else None)
        if category is not None:
            found.setdefault("category", category)
        return found


def _written(row: dict[str, Any]) -> str:
    """One line, which a file in UTF-8 can hold: half of a pair of characters stays escaped."""
    text = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(row) + "\n"
    return text


def _format(row: dict[str, Any]) -> tuple[str | None, str | None]:
    """Where the request stands in a row, and whose it is; embeddings are nobody's.

    Nor is a row that names no model: in a batch of Gemini's or Bedrock's the request stands deeper,
    and where it does not, Gemini's has contents.
    """
    if isinstance(row.get("params"), dict):
        fills_cache = row["params"].get("max_tokens") == 0  # of prompts, and asks for no answer
        return "params", None if fills_cache else "anthropic"
    if isinstance(row.get("body"), dict):
        body = row["body"]
        if "url" not in row and not requests.is_model_of_openai(body.get("model")):
            # Mistral's, whose job names the endpoint: an input is what it embeds or moderates
            return "body", None if "input" in body else "openai_compatible"
        url = str(row.get("url", "/chat/completions"))
        if url.endswith("/responses") and requests.has_stored_prompt(body):
            return "body", None
        return "body", next((_URLS[end] for end in _URLS if url.endswith(end)), None)
    if row.get("model") is None or "contents" in row:
        return None, None
    if "input" in row:  # what is no response is an embedding
        return None, "openai_responses" if requests.is_model_of_openai(row["model"]) else None
    return None, "openai_compatible"
