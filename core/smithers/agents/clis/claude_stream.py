"""Reads what Claude Code prints as stream-json, answers what it asks, judges how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from smithers.agents import failures
from smithers.agents.base import Answered, Asked, EventKind, Failed, FailureKind, Verdict
from smithers.agents.clis.claude_asking import Asking
from smithers.agents.lines import Event, Lines, amount, called, number, table, used, words
from smithers.clock import SYSTEM, Clock
from smithers.model.step import Usage

_CURE = "log in with `claude auth login`, or set ANTHROPIC_API_KEY"
_LONG_WAIT = 5000  # milliseconds: a longer wait for a rate limit is ours, not the CLI's
_BY_WORDS = (
    ("No conversation found with session ID", FailureKind.UNKNOWN_SESSION),
    ("is already in use", FailureKind.UNKNOWN_SESSION),
    ("Please run /login", FailureKind.AUTH),
    ("Invalid API key", FailureKind.AUTH),
    ("unknown option", FailureKind.CONFIG),
    ("cannot be used with root", FailureKind.CONFIG),
)


class Stream(Lines):
    """One run of the CLI: what it said so far."""

    def __init__(self, asking: Asking, *, resumed: bool, clock: Clock = SYSTEM) -> None:
        super().__init__()
        self.result: Event | None = None
        self._asking = asking
        self._resumed = resumed
        """It goes on in an earlier conversation, whose cost `total_cost_usd` includes."""
        self._clock = clock
        self._limited_for: float | None = None
        """Seconds until a rate limit is lifted, once the CLI has said so."""
        self._error = ""
        self._counted: set[str] = set()
        """Ids of the model's messages whose tokens are counted."""
        self._billed = Usage()
        """Of the results so far."""

    def replies(self) -> Sequence[str] | None:
        """Answers to what it asked; None once it has given its result."""
        return self._asking.replies() or (() if self.result is None else None)

    def verdict(self, code: int | None, stderr: str, session: str) -> Verdict:
        """Judge the run after its end; `code` None if we have ended it ourselves."""
        if self._asking.put is not None:
            return Asked(self._asking.put, self.usage, self.session or session)
        result = self.result or {}
        ok = (
            result.get("subtype") == "success"
            and result.get("is_error") is False
            and result.get("terminal_reason") in (None, "completed")
        )
        text = str(result.get("result") or "")
        if ok and code == 0:
            value = result.get("structured_output")
            return Answered(text or self.said, value, self.usage, self.session or session)
        message = _message(result, text or self.said, stderr, code)
        kind = failures.at_end(self._kind(result, f"{_errors(result)}\n{stderr}"), code)
        if kind is FailureKind.AUTH:
            message = f"{message} ({_CURE})"
        wait = self._limited_for if kind is FailureKind.RATE_LIMITED else None
        return Failed(kind, message, self.usage, wait, code)

    def _kind(self, result: Event, said: str) -> FailureKind:
        if self.give_up:
            return FailureKind.RATE_LIMITED
        known = failures.of_status(result.get("api_error_status")) or failures.BY_NAME.get(
            self._error
        )
        return known or failures.of_words(said, _BY_WORDS)

    def read(self, event: Event) -> Iterator[tuple[EventKind, str]]:
        session = event.get("session_id")
        if isinstance(session, str):
            self.session = session
        match event.get("type"):
            case "assistant":
                yield from self._assistant(event)
            case "user":
                yield from _user(event)
            case "control_request":
                yield EventKind.PERMISSION, self._asking.answer(event)
            case "result":
                yield from self._result(event)
            case "system":
                yield from self._system(event)
            case "rate_limit_event":
                yield EventKind.NOTICE, self._rate_limit(table(event.get("rate_limit_info")))
            case other:
                yield EventKind.NOTICE, f"unknown event, kept: {other}"

    def _assistant(self, event: Event) -> Iterator[tuple[EventKind, str]]:
        if isinstance(error := event.get("error"), str):
            self._error = error
        self._count(table(event.get("message")))
        failed = bool(event.get("is_api_error_message"))
        for block in _blocks(event):
            match block.get("type"):
                case "text":
                    self.said = str(block.get("text", ""))
                    yield EventKind.NOTICE if failed else EventKind.TEXT, self.said
                case "thinking":
                    yield EventKind.THINKING, str(block.get("thinking", ""))
                case "tool_use":
                    name, given = str(block.get("name")), table(block.get("input"))
                    yield EventKind.TOOL_CALL, called(name, given)
                case other:
                    yield EventKind.NOTICE, str(other)

    def _count(self, message: Event) -> None:
        """Add what one call of the model has used. The result has it exactly, with its price."""
        now, name = _tokens(table(message.get("usage"))), str(message.get("id"))
        if name not in self._counted:
            self._counted.add(name)
            self.usage = self.usage + now

    def _result(self, event: Event) -> Iterator[tuple[EventKind, str]]:
        first = self.result is None
        self.result = event
        now = _usage(event, total=first and not self._resumed)
        self.usage = self._billed = self._billed + now
        yield EventKind.USAGE, used(now)

    def _system(self, event: Event) -> Iterator[tuple[EventKind, str]]:
        match event.get("subtype"):
            case "init":
                version, model = event.get("claude_code_version"), event.get("model")
                yield EventKind.NOTICE, f"Claude Code {version}, {model}"
            case "api_retry":
                yield EventKind.RETRY, self._retry(event)
            case other:
                message = event.get("message")
                yield EventKind.NOTICE, f"{other}: {message}" if message else str(other)

    def _retry(self, event: Event) -> str:
        status, wait = event.get("error_status"), amount(event.get("retry_delay_ms")) or 0.0
        if status == 429 and wait > _LONG_WAIT:
            self._limited_for = wait / 1000
            self.give_up = True
        self.said = f"{status or ''} {event.get('error')}: again in {wait / 1000:.1f} s".strip()
        return self.said

    def _rate_limit(self, info: Event) -> str:
        resets = amount(info.get("resetsAt"))
        if info.get("status") == "rejected" and resets is not None:
            self._limited_for = max(0.0, resets - self._clock.now() / 1000)
        return f"rate limit: {info.get('status')}"


def _user(event: Event) -> Iterator[tuple[EventKind, str]]:
    for block in _blocks(event):
        if block.get("type") == "tool_result":
            text = words(block.get("content"))
            yield EventKind.TOOL_RESULT, f"failed: {text}" if block.get("is_error") else text
        else:
            yield EventKind.NOTICE, words([dict(block)])


def _usage(event: Event, *, total: bool) -> Usage:
    """Tell what this run used: `modelUsage` and `total_cost_usd` count the whole conversation.

    `total`: there was nothing before, so that the total is the cost of this run.
    """
    parts = [table(part) for part in table(event.get("model_usage_since_last_result")).values()]
    if parts:
        keys = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
        return Usage(
            sum(number(part.get(key)) for part in parts for key in keys),
            sum(number(part.get("outputTokens")) for part in parts),
            sum(amount(part.get("costUSD")) or 0.0 for part in parts),
            sum(number(part.get("cacheReadInputTokens")) for part in parts),
        )
    nothing = event.get("model_usage_since_last_result") == {}
    cost = amount(event.get("total_cost_usd")) if total else (0.0 if nothing else None)
    return replace(_tokens(table(event.get("usage"))), cost_usd=cost)


def _tokens(spent: Event) -> Usage:
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return Usage(
        sum(number(spent.get(name)) for name in names),
        number(spent.get("output_tokens")),
        cached_tokens=number(spent.get("cache_read_input_tokens")),
    )


def _errors(result: Event) -> str:
    """What it says of its errors, and no word of its answer."""
    errors = result.get("errors")
    if isinstance(errors, list) and errors:
        return "; ".join(map(str, errors))
    return str(result.get("result") or "") if result.get("is_error") is True else ""


def _message(result: Event, text: str, stderr: str, code: int | None) -> str:
    what = _errors(result) or text or stderr.strip()
    if result:
        return what or f"ended with {result.get('terminal_reason') or result.get('subtype')}"
    return f"ended without a result (exit {code}): {what}" if what else f"no result (exit {code})"


def _blocks(event: Event) -> list[Event]:
    content = table(event.get("message")).get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [table(block) for block in content] if isinstance(content, list) else []
