"""opencode by `run --format json`: how it is started, what it prints, how its end is judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smithers.agents import failures
from smithers.agents.answers import asked, last_object
from smithers.agents.base import AgentEvent, EventKind, FailureKind, Turn, Verdict
from smithers.agents.cli import Shape
from smithers.agents.judged import Judged
from smithers.agents.lines import RAW_LIMIT, Event, amount, called, number, short, table, used
from smithers.model.step import JSON, Usage

_FAILED = 'message="stream error"'
_ATTEMPTS = 3
"""Tries at one request, after which it is not worth the minutes that it goes on."""
_KNOWN = (
    ("Session not found", FailureKind.UNKNOWN_SESSION),
    ("Invalid session ID", FailureKind.UNKNOWN_SESSION),
    ("rate limit", FailureKind.RATE_LIMITED),
    ("too many requests", FailureKind.RATE_LIMITED),
    ("usage limit", FailureKind.RATE_LIMITED),
    ("quota", FailureKind.RATE_LIMITED),
    ("Model not found", FailureKind.CONFIG),
    ("ProviderModelNotFoundError", FailureKind.CONFIG),
    ("API key is missing", FailureKind.AUTH),
    ("ProviderAuthError", FailureKind.AUTH),
    ("ConfigInvalidError", FailureKind.CONFIG),
    ("Unknown argument", FailureKind.CONFIG),
)
_CURE = "log in with `opencode auth login`"


class Stream(Judged):
    """One run of the CLI. Each call to the model is a step, and the last one has to say `stop`."""

    def __init__(self, turn: Turn) -> None:
        super().__init__(turn, _KNOWN, _CURE)
        self._failed = 0
        """Tries at the request that is under way."""
        self._log = ""
        """What its log said of the error that an event calls an error of the server."""

    def value(self) -> JSON:
        return last_object(self.said)

    def read(self, event: Event) -> Iterator[tuple[EventKind, str]]:
        self.session = str(event.get("sessionID") or self.session)
        part = table(event.get("part"))
        match event.get("type"):
            case "step_start":
                self._failed, self.done = 0, False
            case "text":
                self.said = str(part.get("text") or "")
                yield EventKind.TEXT, self.said
            case "reasoning":
                yield EventKind.THINKING, str(part.get("text") or "")
            case "tool_use":
                yield from _tool(part)
            case "step_finish":
                yield self._finished(part)
            case "error":
                yield EventKind.NOTICE, self._trouble(table(event.get("error")))
            case other:
                yield EventKind.NOTICE, f"unknown event, kept: {other}"

    def verdict(self, code: int | None, stderr: str, session: str) -> Verdict:
        if self.error and self._log:
            self.error = f"{self.error} {self._log}"
        return super().verdict(code, stderr, session)

    def warn(self, line: str) -> list[AgentEvent]:
        """Its retries, and there alone, are told in its log."""
        if "message=failed" in line:
            self._log = line.partition(" error=")[2].partition(" cause=")[0]
        if _FAILED not in line or "small=true" in line:
            return []
        self._failed += 1
        said = line.partition("error.error=")[2].strip('"') or line
        self.limited(said, failures.wait_in(said))
        if self._failed >= _ATTEMPTS:
            self.error = said
            self.give_up = True
        return [AgentEvent(EventKind.RETRY, short(said), line[:RAW_LIMIT])]

    def _finished(self, part: Event) -> tuple[EventKind, str]:
        reason = part.get("reason")
        self.done = reason == "stop"
        self.error = "" if reason in ("stop", "tool-calls") else f"ended with {reason}"
        spent = table(part.get("tokens"))
        cache = table(spent.get("cache"))
        cached = number(cache.get("read"))
        now = Usage(
            number(spent.get("input")) + cached + number(cache.get("write")),
            number(spent.get("output")) + number(spent.get("reasoning")),
            amount(part.get("cost")),
            cached,
        )
        self.usage = self.usage + now
        return EventKind.USAGE, used(now)

    def _trouble(self, error: Event) -> str:
        data = table(error.get("data"))
        status, headers = data.get("statusCode"), table(data.get("responseHeaders"))
        self.done = False
        self.error = f"{error.get('name')}: {data.get('message')}"
        self.status = status if isinstance(status, int) else None
        self.wait = failures.wait_in(f"retry in {headers.get('retry-after')} s")
        return self.error


def _tool(part: Event) -> Iterator[tuple[EventKind, str]]:
    """It is told once it has ended."""
    state = table(part.get("state"))
    yield EventKind.TOOL_CALL, called(str(part.get("tool")), table(state.get("input")))
    code = table(state.get("metadata")).get("exit")
    if state.get("status") != "completed":
        yield EventKind.TOOL_RESULT, f"failed: {state.get('error')}"
    elif code in (None, 0):
        yield EventKind.TOOL_RESULT, str(state.get("output") or "")
    else:
        yield EventKind.TOOL_RESULT, f"failed (exit {code}): {state.get('output')}"


def _argv(turn: Turn, model: str) -> Sequence[str]:
    argv = ["run", "--format", "json", "--thinking", "--print-logs", "--log-level", "ERROR"]
    # Without a title it asks the model for one, and that is in no count of tokens.
    argv += ["--session", turn.session] if turn.resume else ["--title", turn.mark.step]
    return [*argv, *(["--model", model] if model else [])]


SHAPE = Shape(
    kind="opencode",
    command="opencode",
    install="npm install -g opencode-ai",
    argv=_argv,
    reader=Stream,
    login=(
        "OPENCODE_API_KEY",
        "OPENCODE_AUTH_CONTENT",
        "OPENCODE_CONFIG",
        "OPENCODE_DISABLE_",
        "XDG_",
        "ANTHROPIC_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_GENERATIVE_AI_API_KEY",
        "OPENAI_API_KEY",
        "OPENROUTER_API_KEY",
    ),
    signs=(
        "OPENCODE_API_KEY",
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
        "GEMINI_API_KEY",
        "~/.local/share/opencode/auth.json",
    ),
    env={"OPENCODE_DISABLE_AUTOUPDATE": "true"},
    stdin=asked,
    prices=True,
    asks_as="acp:opencode acp",
)
