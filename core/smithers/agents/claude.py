"""Claude Code, driven through its own stream of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from smithers.agents import environment
from smithers.agents.base import AgentEvent, Failed, FailureKind, Turn, Verdict
from smithers.agents.claude_stream import Stream
from smithers.agents.session import converse

_TOOLS = "Bash,Edit,Write,Read,Glob,Grep"
_LINE_LIMIT = 4 << 20  # bytes: a line is one JSON document, and may hold an image
_LOGIN = (
    "ANTHROPIC_",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_CODE_DISABLE_",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "DISABLE_",
    "IS_SANDBOX",
)
# Waiting is done where it costs nothing; the CLI only bridges a moment.
_PATIENCE = {"CLAUDE_CODE_MAX_RETRIES": "2"}


@dataclass(frozen=True, slots=True)
class ClaudeAgent:
    """The `claude` command of the user, with the user's own login."""

    name: str = "claude"
    command: str = "claude"
    model: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.model or "claude"

    @property
    def remembers(self) -> bool:
        return True

    async def play(self, turn: Turn, emit: Callable[[AgentEvent], None]) -> Verdict:
        """Play one turn in the session that `turn` names, new or resumed."""
        stream = Stream(resumed=turn.resume)

        def on_line(source: str, text: str) -> bool:
            if source == "out":
                for event in stream.feed(text):
                    emit(event)
            return stream.give_up

        try:
            code, errors = await converse(
                self.argv(turn),
                cwd=turn.workspace,
                env=environment.build(turn.mark, {**_PATIENCE, **self.env}, prefixes=_LOGIN),
                mark=turn.mark,
                stdin=_as_text(turn.prompt),
                on_line=on_line,
                line_limit=_LINE_LIMIT,
            )
        except OSError as error:
            return Failed(FailureKind.CONFIG, f"{self.command} cannot be started: {error}")
        return stream.verdict(code, errors, turn.session)

    def argv(self, turn: Turn) -> list[str]:
        """Build the command line; the prompt is not on it."""
        argv = [self.command, "-p", "--output-format", "stream-json", "--verbose"]
        argv += ["--resume" if turn.resume else "--session-id", turn.session]
        argv += ["--permission-mode", "acceptEdits", "--allowedTools", _TOOLS]
        if turn.schema is not None:
            argv += ["--json-schema", json.dumps(turn.schema)]
        if model := turn.model or self.model:
            argv += ["--model", model]
        return [*argv, *self.args]


def _as_text(prompt: str) -> str:
    """Keep a prompt that begins with a slash from being taken for a command of the CLI."""
    return f"\n{prompt}" if prompt.lstrip().startswith("/") else prompt
