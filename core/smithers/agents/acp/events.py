"""Reads what an agent of the Agent Client Protocol tells while it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from smithers.agents.base import AgentEvent, EventKind
from smithers.agents.lines import RAW_LIMIT, Event, Lines, amount, called, number, table, words
from smithers.model.step import JSON, Usage

_HELD = 1000  # characters of a message that are gathered before they are told
_ENDED = ("completed", "failed")


class Updates(Lines):
    """The notifications of one run of the agent. Requests and answers are for the connection."""

    def __init__(self, *, resumed: bool, counts_all: bool) -> None:
        super().__init__()
        self.replaying = False
        """It tells again what was said in earlier turns."""
        self.aside = ""
        """Its last words outside of a message with an id, since its turn went wrong, if it did."""
        self.spoke = False
        """It said or did something since this was set to False."""
        self.broken = False
        """It marked its turn as failed, whatever reason to stop it gives."""
        self.error: Event = {}
        """The last error that it told between its words."""
        self.begun = False
        """Its last words were the first of a message."""
        self._resumed = resumed
        self._counts_all = counts_all
        self._group: JSON = None
        self._open = False
        self._named = False
        """Its messages have ids: words without one are not its model's."""
        self._calls: dict[str, dict[str, JSON]] = {}
        self._printed: dict[str, str] = {}
        self._told: set[str] = set()

    def read(self, event: Event) -> Iterator[tuple[EventKind, str]]:
        method = event.get("method")
        if is_stray(event):
            yield EventKind.NOTICE, "an answer to nothing, kept"
        if not isinstance(method, str) or "id" in event:
            return
        if method.startswith("_"):  # of the agent's own, beside the protocol
            yield EventKind.NOTICE, method
        elif method != "session/update":
            yield EventKind.NOTICE, f"unknown event, kept: {method}"
        elif not self.replaying:
            yield from self._update(table(table(event.get("params")).get("update")))

    def _update(self, update: Event) -> Iterator[tuple[EventKind, str]]:
        match update.get("sessionUpdate"):
            case "agent_message_chunk":
                yield self._words(update)
            case "agent_thought_chunk":
                self._open = self.begun = False
                yield EventKind.THINKING, words([update.get("content")])
            case "tool_call" | "tool_call_update":
                yield from self._call(update)
            case "plan":
                yield EventKind.NOTICE, f"plan: {_plan(update.get('entries'))}"
            case "usage_update":
                yield self._usage(update)
            case "session_info_update":
                yield self._info(table(table(update.get("_meta")).get("codex")))
            case (
                "available_commands_update"
                | "config_option_update"
                | "current_mode_update"
                | "user_message_chunk"
            ) as name:
                yield EventKind.NOTICE, str(name)
            case other:
                yield EventKind.NOTICE, f"unknown event, kept: {other}"

    def call(self, update: Event) -> Event:
        """All that is known of a use of a tool, with what `update` adds."""
        self._open = False
        key = str(update.get("toolCallId"))
        new = {name: value for name, value in update.items() if value not in (None, {}, [])}
        merged = self._calls[key] = {**self._calls.get(key, {}), **new}
        return merged

    def end(self, result: Event) -> None:
        """Take the answer to a prompt: what it used, and that its message has ended."""
        self._open = False
        told = table(result.get("usage"))
        told = told or table(table(table(result.get("_meta")).get("quota")).get("token_count"))
        if told and self._counts_all:
            self.usage += _tokens(told)

    def _words(self, update: Event) -> tuple[EventKind, str]:
        text, group = words([update.get("content")]), update.get("messageId")
        if group is None:
            self.aside = text.strip()
            if self._named:
                return EventKind.NOTICE, text
        going_on = self._open if group is None else group == self._group
        self._named = self._named or group is not None
        self._group, self._open, self.spoke = group, True, True
        self.begun = not going_on
        self.said = f"{self.said}{text}" if going_on else text
        return EventKind.TEXT, text

    def _call(self, update: Event) -> Iterator[tuple[EventKind, str]]:
        key, call = str(update.get("toolCallId")), self.call(update)
        status, given = call.get("status"), table(call.get("rawInput"))
        self._printed[key] = f"{self._printed.get(key, '')}{_printed(update)}"[:RAW_LIMIT]
        later = update.get("sessionUpdate") == "tool_call_update"  # the first may be a beginning
        if key not in self._told and ((given and later) or status in ("in_progress", *_ENDED)):
            self._told.add(key)
            name = str(call.get("name") or call.get("kind") or "")
            title = f"{name} {call.get('title') or ''}".strip()
            yield EventKind.TOOL_CALL, called(name, given) if given else title
        if status in _ENDED and f"{key} ended" not in self._told:
            self._told.add(f"{key} ended")
            self.spoke = self.spoke or status == "completed"
            text = _result(update) or self._printed[key]
            yield EventKind.TOOL_RESULT, f"failed: {text}" if status == "failed" else text

    def _usage(self, update: Event) -> tuple[EventKind, str]:
        cost = table(update.get("cost"))
        told = f"{number(update.get('used'))} tokens of context"
        if cost.get("currency") != "USD" or self._resumed:  # it is that of the whole conversation
            return EventKind.NOTICE, told
        self.usage = replace(self.usage, cost_usd=amount(cost.get("amount")))
        return EventKind.USAGE, f"{told}, ${self.usage.cost_usd or 0:.4f}"

    def _info(self, codex: Event) -> tuple[EventKind, str]:
        status = table(codex.get("threadStatus")).get("type")
        if status in ("active", "systemError"):
            self.broken = status == "systemError"
            self.aside = ""
        if error := table(codex.get("error")):
            self.error = error
            kind = EventKind.RETRY if error.get("willRetry") else EventKind.NOTICE
            return kind, f"{error.get('message')}: {error.get('additionalDetails') or ''}"
        return EventKind.NOTICE, f"session: {status or 'info'}"


def is_stray(message: Event) -> bool:
    """Whether it is the answer to a request that cannot be one of ours."""
    return "method" not in message and isinstance(message.get("id"), dict | list)


class Gathering:
    """Emits events, the pieces of one message or thought as few."""

    def __init__(self, emit: Callable[[AgentEvent], None]) -> None:
        self._emit = emit
        self._held: AgentEvent | None = None

    def take(self, event: AgentEvent, *, breaks: bool = False) -> None:
        """Tell an event, or keep it while it may go on; `breaks`: it begins a message."""
        held = self._held
        if held is not None and held.kind is event.kind and not breaks:
            raw = f"{held.raw}\n{event.raw}"[:RAW_LIMIT]
            self._held = replace(held, text=held.text + event.text, raw=raw)
        else:
            self.flush()
            if event.kind not in {EventKind.TEXT, EventKind.THINKING}:
                self._emit(event)
                return
            self._held = event
        if len(self._held.text) >= _HELD:
            self.flush()

    def flush(self) -> None:
        if self._held is not None:
            self._emit(self._held)
            self._held = None


def _tokens(told: Event) -> Usage:
    """Some count what came from a cache as input, and some beside it: their total tells which."""
    keys = ("inputTokens", "input_tokens"), ("outputTokens", "output_tokens")
    given, made = (next((number(told[key]) for key in pair if key in told), 0) for pair in keys)
    cached, written = number(told.get("cachedReadTokens")), number(told.get("cachedWriteTokens"))
    total = number(told.get("totalTokens"))
    whole = max(given, min(given + cached + written, total - made))
    return Usage(whole, made, None, cached if "cachedReadTokens" in told else None)


def _result(call: Event) -> str:
    parts = call.get("content")
    blocks = [table(part) for part in parts] if isinstance(parts, list) else []
    said = [block.get("content") for block in blocks if block.get("type") == "content"]
    output = call.get("rawOutput")
    return words(said) or (output if isinstance(output, str) else "")


def _printed(update: Event) -> str:
    data = table(table(update.get("_meta")).get("terminal_output")).get("data")
    return data if isinstance(data, str) else ""


def _plan(entries: JSON) -> str:
    found = [table(entry) for entry in entries] if isinstance(entries, list) else []
    return "; ".join(f"[{entry.get('status')}] {entry.get('content')}" for entry in found)
