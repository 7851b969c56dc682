"""What a build says about ceilings, read and put into words."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.database import read_view
from tokenest_py.pipeline.files import IMPORTED, NOT_WHOLE, REQUIRED, RESHAPED
from tokenest_py.pipeline.printable import printable
from tokenest_py.pipeline.rates import USUAL_RATE, at_nearest_rate
from tokenest_py.pipeline.report.words import count, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from tokenest_py.pipeline.advice.logs import Logs

__all__ = ["VIEWS", "Advice", "read_advice"]

Row = dict[str, Any]

VIEWS = ("cmd_advise", "cmd_advise_sources", "cmd_advise_files")
UNREAD = ("unrecognised", "ambiguous")
OF_ANOTHER_FORM = ("not_json", "not_an_object", "line_too_long")
LEFT_OUT = "failed, filtered, cut off by reasoning alone, or not counted in full"
MOST_FILES = 5
MOST_SHOWN = 40  # characters of a stop word
TO_DO = {
    "part of a stream": "; `tokenest import FILE` joins streams, or log each answer once, when it"
    " is whole, with its usage"
}


@dataclass(frozen=True, slots=True)
class Advice:
    """The advice of one build for one rate.

    Attributes:
        rate: The accepted share of answers that are cut off.
        groups: Rows of report.cmd_advise for that rate.
        sources: Rows of report.cmd_advise_sources.
        files: Rows of report.cmd_advise_files.
    """

    rate: float
    groups: tuple[Row, ...]
    sources: tuple[Row, ...]
    files: tuple[Row, ...]

    def known(self) -> list[str]:
        """What the sources know, a line each, and which files were not read."""
        return [_source(row) for row in self.sources] + _files(self.files)

    def table(self) -> list[Row]:
        """The groups as people read them."""
        at_rate = f"max_tokens at {_short(self.rate)}"
        return [
            {
                "group": row["call_group"] or ("all others" if self.groups[1:] else "all calls"),
                "calls": row["n"],
                "cut off": _cut_off(row),
                "ceiling sent": _ceiling(row),
                at_rate: self._to_set(row),
                "what follows": self._note(row),
            }
            for row in self.groups
        ]

    def records(self) -> list[Row]:
        """The groups as machines read them."""
        return [
            {
                "group": row["call_group"],
                "labels": json.loads(row["labels"]),
                "calls": row["n"],
                "known": row["n_known"],
                "cut_off": row["n_truncated"],
                "cut_off_rate": row["truncation_rate"],
                "ceiling_sent": row["usual_ceiling_tokens"],
                "ceiling_recorded": row["n_with_recorded_ceiling"],
                "max_truncation": row["max_truncation"],
                "max_tokens": row["proposed_tokens"],
                "at_least": row["is_at_least"],
                "verdict": row["verdict"],
                "reason": row["reason"],
                "freed_tokens": row["freed_tokens"],
                "note": self._note(row),
            }
            for row in self.groups
        ]

    def next_steps(self, logs: Logs | None) -> list[str]:
        """What to do now, a line each; without logs what a build has to say."""
        steps = [
            f"{row['source_name']}: {row['switch_on']}" for row in self.sources if row["switch_on"]
        ]
        steps += [_to_map(row) for row in self.sources if row["usual_unknown_word"]]
        if logs is None:
            return steps
        paths = shlex.join(logs.paths)
        if any(row["usual_ceiling_tokens"] is None for row in self.groups) and not any(
            row["n_with_assumed_ceiling"] for row in self.sources
        ):
            steps.append(
                f"say which ceiling you send, as here: tokenest advise --max-tokens 32000 {paths}"
            )
        if any(row["proposed_tokens"] for row in self.groups):
            steps.append(
                "let ceilings follow your logs:"
                f" TOKENEST_TELEMETRY={shlex.quote(','.join(logs.globs))} tokenest build"
            )
        return steps

    def _to_set(self, row: Row) -> str:
        if row["verdict"] == "leave" and row["has_enough_calls"]:
            return "as it is"
        if row["proposed_tokens"] is None:
            return "-"
        return f"{'at least ' if row['is_at_least'] else ''}{row['proposed_tokens']}"

    def _note(self, row: Row) -> str:
        is_plain = (
            row["verdict"] == "leave"
            and row["proposed_tokens"] is not None
            and (row["truncation_rate"] or 0) <= row["max_truncation"]
        )
        notes = [] if is_plain else [row["reason"]]
        if row["proposed_tokens"] and not row["has_enough_calls"]:
            counts = "wider groups count" if row["has_quantile"] else "a floor stands in"
            notes.append(f"{_ended(row)}, so {counts}")
        if row["n_left_out"]:
            left_out = count(row["n_left_out"], "call")
            notes.append(f"{left_out} left out: {LEFT_OUT}")
        return "; ".join(notes)


def read_advice(connection: duckdb.DuckDBPyConnection, rate: float = USUAL_RATE) -> Advice:
    """Return the advice of the last build, for that of its rates which is nearest to the rate."""
    groups, sources, files = (tuple(read_view(connection, view)) for view in VIEWS)
    nearest, chosen = at_nearest_rate(groups, rate)
    return Advice(nearest, tuple(chosen), sources, files)


def _ended(row: Row) -> str:
    """How few calls show what they need: older ones than the window's are counted beside it."""
    calls = row["n_observed"]
    is_whole = calls >= row["n_known"] - row["n_truncated"] - row["n_left_out"]
    of = "its calls" if is_whole else "its calls in the window"
    if not calls:
        return f"none of {of} ended by itself"
    return f"only {calls:,} of {of} ended by {'itself' if calls == 1 else 'themselves'}"


def _source(row: Row) -> str:
    knows = [f"ceiling {_share(row, 'n_with_ceiling')}"]
    if row["n_with_assumed_ceiling"]:
        knows.append(f"ceiling assumed {_share(row, 'n_with_assumed_ceiling')}")
    knows.append(f"stop reason {_share(row, 'n_with_stop_word')}")
    if row["n_with_unknown_word"]:
        knows.append(f"in words that are not known {_share(row, 'n_with_unknown_word')}")
    if row["n_partial"]:
        knows.append(f"output counted in part {_share(row, 'n_partial')}")
    return (
        f"{row['source_name']}: {count(row['n'], 'call')} in {count(row['n_files'], 'file')}"
        f" from {row['first_seen']:%Y-%m-%d} to {row['last_seen']:%Y-%m-%d};"
        f" {', '.join(knows)}"
    )


def _to_map(row: Row) -> str:
    """What to do about stop words that the vocabulary lacks: the commonest of them, cut."""
    word = printable(row["usual_unknown_word"])
    word = word if len(word) <= MOST_SHOWN else f"{word[:MOST_SHOWN]}..."
    others = row["n_unknown_words"] - 1
    more = f" (and {count(others, 'other')})" if others else ""
    return (
        f"{row['source_name']}: the stop word '{word}'{more} is not known; say what it means in a"
        " row of seeds/vocabulary/stop_reasons.csv"
    )


def _files(files: Sequence[Row]) -> list[str]:
    said = []
    for row in files:
        path = row["source_file"]
        if row["source_name"] == "set_aside":
            said.append(f"not read: {path}: {row['looks_like']}")
        elif row["source_name"] in UNREAD:
            names = row["looks_like"]
            looks = (
                "no source knows its first record" + f", which has {names}" * bool(names)
                if row["source_name"] == "unrecognised"
                else f"its records are of several sources ({names})"
            )
            said.append(
                f"not read: {path}: {looks}; {RESHAPED}, SOURCE:FILE says whose it is, or write"
                f" event records: {REQUIRED} are enough (docs/event_record.md)"
            )
        elif row["quarantined"]:
            is_import = not row["accepted"] and row["usual_reject_reason"] in OF_ANOTHER_FORM
            said.append(
                f"{count(row['quarantined'], 'line')} of {path} cannot be read ({_reason(row)})"
                + f"; {IMPORTED}" * is_import
            )
        elif not row["lines"]:
            said.append(f"no whole line in {path}: {NOT_WHOLE}; {IMPORTED}")
        elif not row["accepted"]:
            records = f"{row['usual_lines']} of {count(row['lines'], 'record')}"
            why = f" ({records}: {row['usual_left_out']})" * bool(row["usual_left_out"])
            to_do = TO_DO.get(row["usual_left_out"], "")
            said.append(f"no call in {path}, read as {row['source_name']}{why}{to_do}")
    if len(said) > MOST_FILES:
        said[MOST_FILES:] = [f"and {len(said) - MOST_FILES} more files of that kind"]
    return said


def _reason(row: Row) -> str:
    """Why most of a file's lines cannot be read, and how many of them."""
    reason = str(row["usual_reject_reason"])
    if row["usual_reject_fields"]:
        reason += f": {row['usual_reject_fields']}"
    is_only_one = row["usual_lines"] == row["quarantined"]
    return reason if is_only_one else f"{row['usual_lines']} of them {reason}"


def _cut_off(row: Row) -> str:
    if not row["n_known"]:
        return "unknown"
    of = "" if row["n_known"] == row["n"] else f" of {row['n_known']} that tell"
    return percent(row["truncation_rate"]) + of


def _ceiling(row: Row) -> str:
    if row["usual_ceiling_tokens"] is None:
        return "-"
    least, most = row["least_ceiling_tokens"], row["most_ceiling_tokens"]
    shown = str(row["usual_ceiling_tokens"])
    if least != most:
        shown += f" ({least} to {most})"
    return shown if row["n_with_recorded_ceiling"] else f"{shown} assumed"


def _share(row: Mapping[str, Any], name: str) -> str:
    return f"{100 * row[name] / row['n']:.0f} %"


def _short(rate: float) -> str:
    return f"{100 * rate:g} %"
