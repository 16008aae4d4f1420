"""pi by `--mode json`: how it is started, what it prints, how its end is judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smithers.agents.answers import asked, last_object
from smithers.agents.base import AgentEvent, EventKind, FailureKind, Turn
from smithers.agents.cli import Shape
from smithers.agents.clis import node
from smithers.agents.judged import Judged
from smithers.agents.lines import Event, amount, called, number, table, used, words
from smithers.model.step import JSON, Usage

_END = '{"type":"agent_end"'
_SAID_ELSEWHERE = frozenset(
    {"agent_start", "turn_start", "turn_end", "message_start", "message_update"}
    | {"agent_end", "tool_execution_update"}
)
_KNOWN = (
    ("No session found", FailureKind.UNKNOWN_SESSION),
    ("No API key", FailureKind.AUTH),
    ("No models available", FailureKind.AUTH),
    ("authentication", FailureKind.AUTH),
    ("rate limit", FailureKind.RATE_LIMITED),
    ("too many requests", FailureKind.RATE_LIMITED),
    ("Unknown option", FailureKind.CONFIG),
    ("Unknown provider", FailureKind.CONFIG),
    ("not found", FailureKind.CONFIG),
)
_CURE = "log in by `pi` and its /login, or set the API key of the provider"


class Stream(Judged):
    """One run of the CLI. Its exit code is 0 whatever happened: the last message tells."""

    def __init__(self, turn: Turn) -> None:
        super().__init__(turn, _KNOWN, _CURE)
        self._stopped = False
        """The last message of the model was its last word."""

    def value(self) -> JSON:
        return last_object(self.said)

    def feed(self, line: str) -> list[AgentEvent]:
        """Take one line of stdout. The end repeats all messages, and may be too long for a line."""
        if line.startswith(_END):
            self.done = self._stopped
            return []
        return super().feed(line)

    def read(self, event: Event) -> Iterator[tuple[EventKind, str]]:
        match event.get("type"):
            case "session":
                self.session = str(event.get("id") or "")
            case "message_end":
                yield from self._message(table(event.get("message")))
            case "tool_execution_start":
                name, given = str(event.get("toolName")), table(event.get("args"))
                yield EventKind.TOOL_CALL, called(name, given)
            case "tool_execution_end":
                text = words(table(event.get("result")).get("content"))
                yield EventKind.TOOL_RESULT, f"failed: {text}" if event.get("isError") else text
            case "auto_retry_start":
                yield EventKind.RETRY, self._retry(event)
            case "auto_retry_end":
                yield EventKind.NOTICE, f"retried: {event.get('finalError') or 'it went well'}"
            case str(other) if other in _SAID_ELSEWHERE:
                return
            case other:
                yield EventKind.NOTICE, f"unknown event, kept: {other}"

    def _message(self, message: Event) -> Iterator[tuple[EventKind, str]]:
        if message.get("role") != "assistant":  # the prompt, and what tools gave
            return
        content = message.get("content")
        for block in map(table, content if isinstance(content, list) else []):
            match block.get("type"):
                case "text":
                    self.said = str(block.get("text") or "")
                    yield EventKind.TEXT, self.said
                case "thinking":
                    yield EventKind.THINKING, str(block.get("thinking") or "")
                case "toolCall":  # told as it starts
                    pass
                case other:
                    yield EventKind.NOTICE, str(other)
        now = _usage(table(message.get("usage")))
        self.usage = self.usage + now
        yield EventKind.USAGE, used(now)
        reason = message.get("stopReason")
        self.done, self._stopped = False, reason == "stop"
        self.error = ""
        if reason not in ("stop", "toolUse"):
            self.error = str(message.get("errorMessage") or f"ended with {reason}")
            yield EventKind.NOTICE, self.error

    def warn(self, line: str) -> list[AgentEvent]:
        """What is told of a wait."""
        wait = node.wait_told(line)
        if wait is None:
            return []
        self.limited(line, wait)
        return [AgentEvent(EventKind.RETRY, line, line)]

    def _retry(self, event: Event) -> str:
        said, wait = str(event.get("errorMessage")), amount(event.get("delayMs")) or 0.0
        # What the provider told to wait, it has waited for by now, or does not know.
        self.limited(said, None)
        return f"{said}: again in {wait / 1000:.1f} s"


def _usage(spent: Event) -> Usage:
    cached = number(spent.get("cacheRead"))
    return Usage(
        number(spent.get("input")) + cached + number(spent.get("cacheWrite")),
        number(spent.get("output")),
        amount(table(spent.get("cost")).get("total")),
        cached,
    )


def _argv(turn: Turn, model: str) -> Sequence[str]:
    argv = ["-p", "--mode", "json"]
    argv += ["--session", turn.session] if turn.resume else []
    return [*argv, *(["--model", model] if model else [])]


SHAPE = Shape(
    kind="pi",
    command="pi",
    install="npm install -g @earendil-works/pi-coding-agent",
    argv=_argv,
    reader=Stream,
    login=(
        "PI_",
        "ANTHROPIC_API_KEY",
        "GEMINI_API_KEY",
        "OPENAI_API_KEY",
        "OPENROUTER_API_KEY",
    ),
    signs=("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY", "~/.pi/agent/auth.json"),
    stdin=asked,
    env=node.ENV,
    prices=True,
    asks_as="claude",
)
