"""An agent that is a command-line program and prints a line of JSON for each thing it does.

What one program has of its own is data, a `Shape`, and a reader of its lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from smithers.agents import environment
from smithers.agents.base import AgentEvent, EventKind, Failed, FailureKind, Turn, Verdict
from smithers.agents.session import converse
from smithers.errors import ConfigError
from smithers.process import sandbox

LINE_LIMIT = 4 << 20
"""Bytes: a line is one JSON document, and may hold an image."""


class Reader(Protocol):
    """One run of the program: what it said so far."""

    @property
    def give_up(self) -> bool:
        """Nothing good can come any more, or nothing for long: it is to be ended."""
        ...

    def feed(self, line: str) -> Iterable[AgentEvent]:
        """Take one line of stdout. Anything unknown becomes a notice that keeps it."""
        ...

    def warn(self, line: str) -> Iterable[AgentEvent]:
        """Take one line of stderr; most tell nothing."""
        ...

    def replies(self) -> Sequence[str] | None:
        """Lines to write to its stdin since the last call; None: the stdin is to be closed."""
        ...

    def verdict(self, code: int | None, stderr: str, session: str) -> Verdict:
        """Judge the run after its end; `code` None if we have ended it ourselves."""
        ...


@dataclass(frozen=True, slots=True)
class Shape:
    """How one program is driven."""

    kind: str
    command: str
    install: str
    """The command that installs it, for a person."""
    argv: Callable[[Turn, str], Sequence[str]]
    """What comes after the command, for a turn and a model; never the prompt."""
    reader: Callable[[Turn], Reader]
    login: tuple[str, ...]
    """What variables begin with that its login needs."""
    signs: tuple[str, ...]
    """Variables, and files as `~/path`, of which one is there where somebody is logged in."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Always set; waiting, above all, is done where it costs nothing, not by the program."""
    stdin: Callable[[Turn], str] = lambda turn: turn.prompt
    prepare: Callable[[Turn], Mapping[str, str]] = lambda _: {}
    """Writes files into the turn's scratch folder; returns variables that tell of them."""
    own_sandbox: bool = False
    """It puts what it runs into a box of its own; see `sandbox.around`."""
    asks_as: str = ""
    """It uses its tools without a question: the agent to choose where questions are wanted."""
    schema: bool = False
    """It is given the schema of the answer, and holds its model to it."""
    prices: bool = False
    """It tells what a turn has cost."""
    talks: bool = False
    """Its stdin stays open: what the reader replies is written to it."""


@dataclass(frozen=True, slots=True)
class CliAgent:
    """The program of the user, with the user's own login."""

    shape: Shape
    name: str
    command: str = ""
    model: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.model or self.shape.kind

    @property
    def remembers(self) -> bool:
        return True

    async def play(self, turn: Turn, emit: Callable[[AgentEvent], None]) -> Verdict:
        """Play one turn in the session that `turn` names, new or resumed."""
        if self.shape.asks_as and turn.policy.needs_asking:
            what = "[permissions] has something to ask or deny, and"
            cure = f"use {self.shape.asks_as} in its place"
            return Failed(FailureKind.CONFIG, f"{what} {self.name} asks nobody: {cure}")
        reader = self.shape.reader(turn)

        def on_line(source: str, text: str) -> bool:
            for event in reader.feed(text) if source == "out" else reader.warn(text):
                emit(event)
            return reader.give_up

        try:
            box = sandbox.around(turn.box, own=self.shape.own_sandbox)
        except ConfigError as error:
            return Failed(FailureKind.CONFIG, f"{self.name}: {error}")
        if box is not turn.box:
            emit(AgentEvent(EventKind.NOTICE, f"{self.name}: {sandbox.ONLY_ITS_OWN}"))
        command = self.command or self.shape.command
        try:
            extra = {**self.shape.env, **self.shape.prepare(turn), **self.env}
            code, errors = await converse(
                [command, *self.shape.argv(turn, turn.model or self.model), *self.args],
                cwd=turn.workspace,
                env=environment.build(turn.mark, extra, prefixes=self.shape.login),
                mark=turn.mark,
                stdin=self.shape.stdin(turn),
                on_line=on_line,
                replies=reader.replies if self.shape.talks else None,
                line_limit=LINE_LIMIT,
                box=box,
            )
        except OSError as error:
            return Failed(FailureKind.CONFIG, f"{command} cannot be started: {error}")
        return reader.verdict(code, errors, turn.session)
