"""What an agent may do without asking: rules over tools, commands and paths. Pure."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from smithers.agents import command_lines

_SPECIAL = re.compile(r"[\[?]")
"""Signs beside `*` that stand for others in patterns of files, but not in rules."""


class Tool(StrEnum):
    """What an agent's tool does, whatever the agent calls it."""

    SHELL = "shell"
    EDIT = "edit"
    READ = "read"
    FETCH = "fetch"
    OTHER = "other"


class Ruling(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"


_WITHOUT_RULES = {
    Tool.SHELL: Ruling.ALLOW,
    Tool.EDIT: Ruling.ALLOW,
    Tool.READ: Ruling.ALLOW,
    Tool.FETCH: Ruling.ALLOW,
    Tool.OTHER: Ruling.ASK,
}


@dataclass(frozen=True, slots=True)
class Question:
    """One use of a tool that an agent asks for."""

    tool: Tool
    name: str
    """The tool as the agent calls it."""
    subject: str
    """The command, the path or the address; a path inside the workspace is relative to it."""
    body: str
    """All that a person has to see: the whole command, the diff, the input."""
    also: tuple[str, ...] = ()
    """Other names of the subject, such as that of a symlink to it: rules look at each."""

    @property
    def digest(self) -> str:
        """Of the exact thing that is asked for."""
        said = f"{self.tool}\0{self.name}\0{self.subject}\0{self.body}"
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def title(self) -> str:
        return f"{self.tool} {self.subject}".strip()


@dataclass(frozen=True, slots=True)
class Remembered:
    """A person's answer, and what it holds for."""

    ruling: Ruling
    tool: Tool
    subject: str
    digest: str = ""
    """It holds for this exact question alone; empty: for the same tool and subject."""
    note: str = ""

    def covers(self, question: Question) -> bool:
        if self.digest:
            return self.digest == question.digest
        return (self.tool, self.subject) == (question.tool, question.subject)


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules of config, as `tool pattern`, and what persons have answered.

    A denial of config stands over all; then the newest answer that covers the question; then what
    config allows; then what it wants to be asked. `*` stands for any tool and for any characters.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    remembered: tuple[Remembered, ...] = ()

    @property
    def needs_asking(self) -> bool:
        """Something is to be asked for or refused: an agent that asks nobody cannot keep to it."""
        answers = (answer.ruling for answer in self.remembered)
        return bool(self.deny or self.ask) or any(each is not Ruling.ALLOW for each in answers)

    def rule(self, question: Question) -> tuple[Ruling, str]:
        """Decide about a question, and say what decided it."""
        if found := _any(self.deny, question):
            return Ruling.DENY, f"[permissions] deny: {found}"
        for answer in reversed(self.remembered):
            if answer.covers(question):
                return answer.ruling, answer.note or "a person said so"
        if _all(self.allow, question):
            return Ruling.ALLOW, "[permissions] allow"
        if found := _any(self.ask, question):
            return Ruling.ASK, f"[permissions] ask: {found}"
        return _WITHOUT_RULES[question.tool], "no rule"


def names(path: str, workspace: Path) -> tuple[str, ...]:
    """The file as rules see it: relative to the workspace where it lies in it, else whole.

    The first is what the path leads to; where a symlink is on the way, the path itself follows.
    """
    whole = os.path.normpath(workspace / path)
    lexical = _relative(whole, os.path.normpath(workspace))
    try:
        real = _relative(os.path.realpath(whole), os.path.realpath(workspace))
    except ValueError:  # no file can be called that
        return (lexical,)
    return tuple(dict.fromkeys((real, lexical)))


def _relative(whole: str, root: str) -> str:
    return os.path.relpath(whole, root) if f"{whole}/".startswith(f"{root}/") else whole


def _any(rules: Iterable[str], question: Question) -> str:
    """The first rule that something of what is asked for falls under."""
    shell = question.tool is Tool.SHELL
    parts = (
        command_lines.readings(question.subject) if shell else (question.subject, *question.also)
    )
    known = tuple(rules)
    for part in parts:
        for rule in known:
            if _matches(rule, question.tool, part):
                return rule
    return ""


def _all(rules: Iterable[str], question: Question) -> bool:
    """Whether every part falls under some rule; never where a part could hide."""
    parts: Iterable[str] = (question.subject, *question.also)
    if question.tool is Tool.SHELL:
        if not command_lines.plain(question.subject):
            return False
        parts = command_lines.commands(question.subject)
    known = tuple(rules)
    return all(any(_matches(rule, question.tool, part) for rule in known) for part in parts)


def _matches(rule: str, tool: Tool, subject: str) -> bool:
    wanted, _, pattern = rule.partition(" ")
    literal = _SPECIAL.sub(r"[\g<0>]", pattern.strip() or "*")
    return wanted in {"*", tool} and fnmatchcase(subject, literal)
