"""Files as logs leave them behind: grown, turned over, packed, edited, cut off, emptied."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbt_project import line

if TYPE_CHECKING:
    import random
    from pathlib import Path

__all__ = ["History"]

CATEGORIES = ("implementation", "docs", "testing", "review")


@dataclass
class History:
    """Files that grow from build to build."""

    draw: random.Random
    contents: dict[str, bytes] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def event(self) -> bytes:
        """A call: new, late, cut off, of no run, of no name, or known to another file."""
        number = len(self.events)
        fields: dict[str, Any] = {
            "event_id": f"e-{number}",
            "run_id": self.draw.choice(["run-1", "run-2", "unknown", f"run-{number % 30}"]),
            "phase_id": f"p-{self.draw.randrange(12)}",
            "category": self.draw.choice(CATEGORIES),
            "occurred_at": f"2026-0{self.draw.randrange(1, 6)}-02T03:{number % 60:02}:00Z",
            "actual_output_tokens": self.draw.randrange(1, 5000),
            "stop_reason": self.draw.choice(["end_turn", "end_turn", "max_tokens", "odd"]),
            "deliverables": [f"src/file_{self.draw.randrange(9)}.py"],
            "response_id": self.draw.choice([None, f"r-{number % 7}"]),
        }
        if self.draw.random() < 0.1:
            fields["event_id"] = None
        self.events.append(fields)
        return line(**fields)

    def again(self) -> bytes:
        """A line that came before, as it was or with other content."""
        fields = dict(self.draw.choice(self.events))
        if self.draw.random() < 0.5:
            fields["actual_output_tokens"] = 7
            fields["phase_id"] = f"p-{self.draw.randrange(12)}"
        return line(**fields)

    def bad(self) -> bytes:
        """A line that is no call."""
        return self.draw.choice(
            [b"{not json\n", b"\n", b"\xff\xfe\n", line(actual_output_tokens=-1), b'{"a": 1}\n']
        )

    def exported(self) -> bytes:
        """A row of the origin's export."""
        second = self.draw.randrange(60)
        record = {
            "run_id": "sprint", "phase_id": f"p-{second % 5}",
            "timestamp": f"2026-01-03T04:05:{second:02}", "predicted_output_tokens": 900,
            "actual_output_tokens": 700 + second,
        }  # fmt: skip
        return json.dumps(record).encode() + b"\n"

    def grow(self, step: int) -> None:
        """What another while of writing leaves behind."""
        for name in ("a.ndjson", "m.ndjson", f"z{step}.ndjson"):
            content = self.contents.get(name, b"")
            if content and not content.endswith(b"\n"):  # the torn tail is completed
                content += line(event_id=f"tail-{step}")[25:]
            kinds = [self.event] * 8 + [self.again] * 3 + [self.bad]
            content += self.event()
            content += b"".join(self.draw.choice(kinds)() for _ in range(self.draw.randrange(20)))
            if self.draw.random() < 0.6:
                content += line(event_id=f"tail-{step + 1}")[:25]
            self.contents[name] = content
        self.contents[f"o{step}.ndjson"] = b"".join(self.exported() for _ in range(4))
        if step == 1:  # a file that was cut off is read anew
            self.contents["o0.ndjson"] = self.contents["o0.ndjson"][:-30]
            self.contents[os.fsdecode(b"odd-\xff.ndjson")] = self.event()  # it is set aside
        self.turn(step)

    def turn(self, step: int) -> None:
        """What turns files over: copied and cut off, packed, edited in place, emptied."""
        first, rest = b"".join(self.event() for _ in range(2)), self.event() + self.event()
        kept = self.contents.get("log.ndjson", first)
        begins = kept[: kept.find(b"\n") + 1]
        if step == 0:
            self.contents |= {"log.ndjson": first + rest, "edited.ndjson": rest + self.event()}
            self.contents["emptied.ndjson"] = begins
            self.contents["headed.ndjson"] = b"starting\n\n"
        elif step == 1:
            self.contents |= {"log.1.ndjson": kept + rest, "log.ndjson": begins + 4 * first}
            edited = self.contents["edited.ndjson"]
            self.contents["edited.ndjson"] = edited.replace(b'"e-', b'"x-', 1)
            self.contents["emptied.ndjson"] = b'{"half'
            self.contents["headed.ndjson"] += self.exported()  # so it is the origin's
        else:
            packed = gzip.compress(self.contents.pop("log.1.ndjson"), mtime=0)
            self.contents |= {"log.1.ndjson.gz": packed, "emptied.ndjson": first}

    def write(self, folder: Path, step: int) -> None:
        """Bring the files of a folder to what they are now."""
        for name, content in self.contents.items():
            path = folder / name
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)
                os.utime(path, (1_700_000_000 + step,) * 2)
        for path in folder.iterdir():
            if path.name not in self.contents:
                path.unlink()
