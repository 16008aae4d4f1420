"""What all readers of an agent's JSON lines share: one line in, typed events out, nothing lost."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from smithers.agents.base import AgentEvent, EventKind
from smithers.model.step import JSON, MOST, Usage

RAW_LIMIT = 1 << 16
"""Characters of a line that are kept with its event."""
UNREADABLE = "cannot be read, kept"
"""What the notice of an event begins with that no reader is prepared for."""
_SHOWN = 2000  # characters of an event's text
_SUBJECTS = ("file_path", "filePath", "command", "path", "pattern", "url", "query", "description")

Event = Mapping[str, JSON]


class Lines:
    """Reads a line at a time; what one program prints, a subclass knows."""

    def __init__(self) -> None:
        self.give_up = False
        self.said = ""
        """The agent's last words."""
        self.session = ""
        """As the program itself names the conversation; empty until it does."""
        self.usage = Usage()
        """Of this run alone."""

    def feed(self, line: str) -> list[AgentEvent]:
        """Take one line of stdout. Anything unknown becomes a notice that keeps it."""
        if not line.strip():
            return []
        raw = line[:RAW_LIMIT]
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            return [AgentEvent(EventKind.NOTICE, short(line), raw)]
        before = self.usage
        known = self.session
        told = [
            AgentEvent(
                kind,
                short(text),
                raw,
                self.usage if self.usage is not before else None,
                self.session,
            )
            for kind, text in self._read(event)
        ]
        if not told and self.session != known:
            opening = f"conversation {self.session}"
            return [AgentEvent(EventKind.NOTICE, opening, raw, session=self.session)]
        return told

    def _read(self, event: Event) -> Iterator[tuple[EventKind, str]]:
        try:
            yield from self.read(event)
        except Exception as error:  # noqa: BLE001 - no line of a program may end what reads it
            yield EventKind.NOTICE, f"{UNREADABLE}: {type(error).__name__}: {error}"

    def read(self, event: Event) -> Iterator[tuple[EventKind, str]]:
        """What one event tells. Numbers go into `self.usage`, as soon as there are any."""
        raise NotImplementedError

    def warn(self, _line: str) -> list[AgentEvent]:
        """Take one line of stderr; most tell nothing."""
        return []

    def replies(self) -> Sequence[str] | None:
        """Nothing is ever written to a program that does not talk."""
        return ()


def used(usage: Usage) -> str:
    """Tokens and cost in words."""
    cost = "" if usage.cost_usd is None else f", ${usage.cost_usd:.4f}"
    return f"{usage.input_tokens or 0} in, {usage.output_tokens or 0} out{cost}"


def called(name: str, given: Event) -> str:
    """A tool and what it is used on, in a line."""
    subject = next((str(given[key]) for key in _SUBJECTS if key in given), "")
    if not subject and given:
        subject = json.dumps(given, ensure_ascii=False)
    return f"{name} {subject}".strip()


def words(content: JSON) -> str:
    """The text of a list of content blocks, or of whatever stands there in its place."""
    if isinstance(content, list):
        blocks = map(table, content)
        return "\n".join(str(b.get("text") or f"[{b.get('type')}]") for b in blocks)
    return str(content or "")


def short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"


def table(value: Any) -> Event:
    """The object, or an empty one where there is something else."""
    return value if isinstance(value, dict) else {}


def number(value: JSON) -> int:
    """A count, within bounds; 0 where there is something else."""
    return min(max(value, 0), MOST) if isinstance(value, int) else 0


def amount(value: JSON) -> float | None:
    """A number, within bounds; None where there is something else."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(min(max(value, 0), MOST)) if isinstance(value, int | float) else None
