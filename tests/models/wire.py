"""What all wires speak of: a request as any of them was asked it, an answer as any can give it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

JSON = dict[str, Any]
Headers = dict[str, str]
Event = tuple[str, Any]
"""Name of a server-sent event (or "") and its data: text as it stands, else as JSON."""

_CWD = re.compile(
    r"(?:working directory(?: is)?:?|working in the directory:?|<cwd>|"
    r"workspace directories:\**\s*-)\s*`?(/[^\s<`]+)",
    re.IGNORECASE,
)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Request:
    wire: str
    model: str
    stream: bool
    body: JSON
    tools: Mapping[str, JSON]
    """JSON schema of the input of each tool that is offered; of type "text" for one that takes words."""
    texts: tuple[str, ...]
    """Everything that is said in it, in order: system, people, agent, results of tools."""

    @property
    def said(self) -> str:
        return "\n".join(self.texts)

    @property
    def cwd(self) -> str:
        """Where the agent works, by its own last word: a conversation may have moved."""
        found = [path for text in self.texts for path in _CWD.findall(text)]
        return found[-1].rstrip(".,;") if found else ""


@dataclass(frozen=True)
class Call:
    name: str
    input: Any
    text: bool = False
    """Its input is words, not an object."""


@dataclass(frozen=True)
class Answer:
    text: str
    thinking: str
    calls: tuple[Call, ...]
    used: tuple[int, int, int]
    """Tokens: input, output, and those of the input that were cached."""

    @property
    def pieces(self) -> list[str]:
        """The text as a stream brings it; in mid-stream something can go wrong."""
        size = max(1, -(-len(self.text) // 4))
        return [self.text[at : at + size] for at in range(0, len(self.text), size)]


class Wire(Protocol):
    """A module for each."""

    PATH: re.Pattern[str]

    def read(self, path: str, body: JSON) -> Request: ...
    def whole(self, request: Request, answer: Answer) -> JSON: ...
    def events(self, request: Request, answer: Answer) -> Iterator[Event]: ...
    def error(self, status: int, message: str, wait: int | None) -> tuple[JSON, Headers]:
        """Body and headers; `wait`: seconds until the limit is lifted, where the script says so."""
        ...


def new_id(prefix: str) -> str:
    return f"{prefix}_{next(_numbers):024}"


def text_of(content: Any) -> str:
    """The words in a piece of content, however deep."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text_of(each) for each in content)
    if isinstance(content, dict):
        return text_of(content.get("text") or content.get("content") or content.get("output") or "")
    return ""
