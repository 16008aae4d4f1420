"""Reads what Claude Code prints with `--output-format stream-json`, and judges how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from smithers.agents.base import AgentEvent, Answered, EventKind, Failed, FailureKind, Verdict
from smithers.clock import SYSTEM, Clock
from smithers.model.step import JSON, Usage

_RAW_LIMIT = 1 << 16  # characters of a line that are kept with its event
_SHOWN = 2000  # characters of an event's text
_LONG_WAIT = 5000  # milliseconds: a longer wait for a rate limit is ours, not the CLI's
_TOOL_SUBJECTS = ("file_path", "command", "path", "pattern", "url", "query", "description")

_BY_STATUS = {
    401: FailureKind.AUTH,
    402: FailureKind.AUTH,
    403: FailureKind.AUTH,
    404: FailureKind.CONFIG,  # unknown model
    429: FailureKind.RATE_LIMITED,
}
_BY_ERROR = {
    "authentication_failed": FailureKind.AUTH,
    "billing_error": FailureKind.AUTH,
    "model_not_found": FailureKind.CONFIG,
    "rate_limit": FailureKind.RATE_LIMITED,
}
_BY_WORDS = (
    ("No conversation found with session ID", FailureKind.UNKNOWN_SESSION),
    ("is already in use", FailureKind.UNKNOWN_SESSION),
    ("Please run /login", FailureKind.AUTH),
    ("Invalid API key", FailureKind.AUTH),
    ("unknown option", FailureKind.CONFIG),
    ("cannot be used with root", FailureKind.CONFIG),
)


@dataclass(slots=True)
class Stream:
    """One run of the CLI: what it said so far."""

    resumed: bool = False
    """It goes on in an earlier conversation, whose cost `total_cost_usd` includes."""
    clock: Clock = SYSTEM
    limited_for: float | None = None
    """Seconds until a rate limit is lifted, once the CLI has said so."""
    give_up: bool = False
    """The CLI now waits for long: better to end it and to wait without it."""
    session: str = ""
    result: Mapping[str, JSON] | None = None
    usage: Usage = field(default_factory=Usage)
    _error: str = ""
    _said: str = ""

    def feed(self, line: str) -> list[AgentEvent]:
        """Take one line of stdout. Anything unknown becomes a notice."""
        if not line.strip():
            return []
        raw = line[:_RAW_LIMIT]
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            return [AgentEvent(EventKind.NOTICE, _short(line), raw)]
        return [AgentEvent(kind, _short(text), raw) for kind, text in self._read(event)]

    def verdict(self, code: int | None, stderr: str, session: str) -> Verdict:
        """Judge the run after its end; `code` None if we have ended it ourselves."""
        result = self.result or {}
        ok = (
            result.get("subtype") == "success"
            and result.get("is_error") is False
            and result.get("terminal_reason") in {None, "completed"}
        )
        text = str(result.get("result") or "")
        if ok and code == 0:
            said = text or self._said
            value = result.get("structured_output")
            return Answered(said, value, self.usage, self.session or session)
        message = _message(result, text or self._said, stderr, code)
        kind = self._kind(result, f"{message}\n{stderr}")
        wait = self.limited_for if kind is FailureKind.RATE_LIMITED else None
        return Failed(kind, message, self.usage, wait, code)

    def _kind(self, result: Mapping[str, JSON], words: str) -> FailureKind:
        if self.give_up:
            return FailureKind.RATE_LIMITED
        status = result.get("api_error_status")
        if isinstance(status, int) and status in _BY_STATUS:
            return _BY_STATUS[status]
        if self._error in _BY_ERROR:
            return _BY_ERROR[self._error]
        return next((kind for text, kind in _BY_WORDS if text in words), FailureKind.ERROR)

    def _read(self, event: Mapping[str, JSON]) -> Iterator[tuple[EventKind, str]]:
        session = event.get("session_id")
        if isinstance(session, str):
            self.session = session
        match event.get("type"):
            case "assistant":
                yield from self._assistant(event)
            case "user":
                yield from _user(event)
            case "result":
                yield from self._result(event)
            case "system":
                yield from self._system(event)
            case "rate_limit_event":
                yield EventKind.NOTICE, self._rate_limit(_object(event.get("rate_limit_info")))
            case other:
                yield EventKind.NOTICE, str(other)

    def _assistant(self, event: Mapping[str, JSON]) -> Iterator[tuple[EventKind, str]]:
        if isinstance(error := event.get("error"), str):
            self._error = error
        failed = bool(event.get("is_api_error_message"))
        for block in _blocks(event):
            match block.get("type"):
                case "text":
                    self._said = str(block.get("text", ""))
                    yield EventKind.NOTICE if failed else EventKind.TEXT, self._said
                case "thinking":
                    yield EventKind.THINKING, str(block.get("thinking", ""))
                case "tool_use":
                    yield EventKind.TOOL_CALL, _call(block)
                case other:
                    yield EventKind.NOTICE, str(other)

    def _result(self, event: Mapping[str, JSON]) -> Iterator[tuple[EventKind, str]]:
        first = self.result is None
        self.result = event
        used = _usage(event, total=first and not self.resumed)
        self.usage = used if first else self.usage + used
        cost = "" if used.cost_usd is None else f", ${used.cost_usd:.4f}"
        tokens = f"{used.input_tokens or 0} in, {used.output_tokens or 0} out"
        yield EventKind.USAGE, f"{tokens}{cost}"

    def _system(self, event: Mapping[str, JSON]) -> Iterator[tuple[EventKind, str]]:
        match event.get("subtype"):
            case "init":
                version, model = event.get("claude_code_version"), event.get("model")
                yield EventKind.NOTICE, f"Claude Code {version}, {model}"
            case "api_retry":
                yield EventKind.RETRY, self._retry(event)
            case other:
                message = event.get("message")
                yield EventKind.NOTICE, f"{other}: {message}" if message else str(other)

    def _retry(self, event: Mapping[str, JSON]) -> str:
        status, delay = event.get("error_status"), event.get("retry_delay_ms")
        wait = delay if isinstance(delay, int | float) else 0
        if status == 429 and wait > _LONG_WAIT:
            self.limited_for = wait / 1000
            self.give_up = True
        return f"{status or ''} {event.get('error')}: again in {wait / 1000:.1f} s".strip()

    def _rate_limit(self, info: Mapping[str, JSON]) -> str:
        resets = info.get("resetsAt")
        if info.get("status") == "rejected" and isinstance(resets, int | float):
            self.limited_for = max(0.0, resets - self.clock.now() / 1000)
        return f"rate limit: {info.get('status')}"


def _user(event: Mapping[str, JSON]) -> Iterator[tuple[EventKind, str]]:
    for block in _blocks(event):
        if block.get("type") == "tool_result":
            text = _text(block.get("content"))
            yield EventKind.TOOL_RESULT, f"failed: {text}" if block.get("is_error") else text
        else:
            yield EventKind.NOTICE, _text([dict(block)])


def _call(block: Mapping[str, JSON]) -> str:
    given = _object(block.get("input"))
    subject = next((str(given[key]) for key in _TOOL_SUBJECTS if key in given), "")
    if not subject and given:
        subject = json.dumps(given, ensure_ascii=False)
    return f"{block.get('name')} {subject}".strip()


def _usage(event: Mapping[str, JSON], *, total: bool) -> Usage:
    """Tell what this run used: `modelUsage` and `total_cost_usd` count the whole conversation.

    `total`: there was nothing before, so that the total is the cost of this run.
    """
    parts = [_object(part) for part in _object(event.get("model_usage_since_last_result")).values()]
    if parts:
        keys = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
        return Usage(
            sum(_int(part.get(key)) for part in parts for key in keys),
            sum(_int(part.get("outputTokens")) for part in parts),
            sum(_float(part.get("costUSD")) or 0.0 for part in parts),
        )
    used = _object(event.get("usage"))
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    cost = _float(event.get("total_cost_usd"))
    nothing = event.get("model_usage_since_last_result") == {}
    return Usage(
        sum(_int(used.get(name)) for name in names),
        _int(used.get("output_tokens")),
        cost if total else (0.0 if nothing else None),
    )


def _message(result: Mapping[str, JSON], text: str, stderr: str, code: int | None) -> str:
    errors = result.get("errors")
    told = "; ".join(map(str, errors)) if isinstance(errors, list) else ""
    what = told or text or stderr.strip()
    if result:
        return what or f"ended with {result.get('terminal_reason') or result.get('subtype')}"
    return f"ended without a result (exit {code}): {what}" if what else f"no result (exit {code})"


def _blocks(event: Mapping[str, JSON]) -> list[Mapping[str, JSON]]:
    content = _object(event.get("message")).get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [_object(block) for block in content] if isinstance(content, list) else []


def _text(content: JSON) -> str:
    if isinstance(content, list):
        blocks = map(_object, content)
        return "\n".join(str(b.get("text") or f"[{b.get('type')}]") for b in blocks)
    return str(content or "")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"


def _object(value: JSON) -> Mapping[str, JSON]:
    return value if isinstance(value, dict) else {}


def _int(value: JSON) -> int:
    return value if isinstance(value, int) else 0


def _float(value: JSON) -> float | None:
    return float(value) if isinstance(value, int | float) else None
