"""Codex by `codex exec --json`: how it is started, what it prints, how its end is judged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from smithers.agents.answers import strict
from smithers.agents.base import AgentEvent, EventKind, FailureKind, Turn
from smithers.agents.cli import Shape
from smithers.agents.judged import SHORT_WAIT, Judged
from smithers.agents.lines import Event, called, number, table, used, words
from smithers.model.step import JSON, Usage

_RETRIES = re.compile(r"retrying .*\(\d+/\d+ in (\d{1,9}(?:\.\d+)?)(ms|s)\)")
_SCALE = {"ms": 0.001, "s": 1.0}
_SCHEMA = "codex-schema.json"
_TOOLS = frozenset(
    {"command_execution", "file_change", "mcp_tool_call", "collab_tool_call", "web_search"}
)
_KNOWN = (
    ("no rollout found", FailureKind.UNKNOWN_SESSION),
    ("invalid thread id", FailureKind.UNKNOWN_SESSION),
    ("billing", FailureKind.AUTH),
    ("usage limit", FailureKind.RATE_LIMITED),
    ("rate limit", FailureKind.RATE_LIMITED),
    ("not supported when using Codex", FailureKind.CONFIG),
    ("model_not_found", FailureKind.CONFIG),
    ("does not exist", FailureKind.CONFIG),
    ("Invalid schema", FailureKind.CONFIG),
    ("Input exceeds the maximum length", FailureKind.CONFIG),
    ("unexpected argument", FailureKind.CONFIG),
    ("Error loading config", FailureKind.CONFIG),
)
_CURE = "log in with `codex login`, or set CODEX_API_KEY"


class Stream(Judged):
    """One run of the CLI. What it tells of tokens is the whole conversation's so far."""

    def __init__(self, turn: Turn) -> None:
        super().__init__(turn, _KNOWN, _CURE)
        self._counts = turn.scratch.parent
        """Where the tokens of each conversation are kept from turn to turn."""
        self._called: set[str] = set()
        self._delay: float | None = None

    def value(self) -> JSON:
        try:
            value: JSON = json.loads(self.said)
        except (ValueError, RecursionError):
            return None
        return value

    def read(self, event: Event) -> Iterator[tuple[EventKind, str]]:
        match event.get("type"):
            case "thread.started":
                self.session = str(event.get("thread_id") or "")
            case "turn.started":
                yield EventKind.NOTICE, "turn started"
            case "item.started" | "item.updated" | "item.completed":
                ended = event["type"] == "item.completed"
                yield from self._item(table(event.get("item")), completed=ended)
            case "turn.completed":
                self.done, self.error = True, ""
                self.usage = self._spent(table(event.get("usage")))
                yield EventKind.USAGE, used(self.usage)
            case "turn.failed":
                self.done, self.error = False, _told(table(event.get("error")).get("message"))
                yield EventKind.NOTICE, f"failed: {self.error}"
            case "error":
                yield self._trouble(_told(event.get("message")))
            case other:
                yield EventKind.NOTICE, f"unknown event, kept: {other}"

    def warn(self, line: str) -> list[AgentEvent]:
        """Its log, and there alone, tells how long it is going to wait."""
        if found := _RETRIES.search(line):
            self._delay = float(found[1]) * _SCALE[found[2]]
            if self._delay > SHORT_WAIT:
                self.limited(line.partition("sampling_error=")[2] or line, self._delay)
        return []

    def _trouble(self, said: str) -> tuple[EventKind, str]:
        if said.startswith("Reconnecting"):
            if "waiting for network" in said:  # as long as it takes
                self.error, self.give_up = said, True
            return EventKind.RETRY, said
        self.error = said
        return EventKind.NOTICE, said

    def _item(self, item: Event, *, completed: bool) -> Iterator[tuple[EventKind, str]]:
        kind = str(item.get("type"))
        if kind in _TOOLS:
            name = str(item.get("id"))
            if name not in self._called:
                self._called.add(name)
                yield EventKind.TOOL_CALL, _call(kind, item)
            if completed:
                yield EventKind.TOOL_RESULT, _result(item)
        elif not completed:
            return
        elif kind == "agent_message":
            self.said = str(item.get("text") or "")
            yield EventKind.TEXT, self.said
        elif kind == "reasoning":
            yield EventKind.THINKING, str(item.get("text") or "")
        elif kind == "error":  # a warning: the turn goes on
            yield EventKind.NOTICE, str(item.get("message"))
        else:
            yield EventKind.NOTICE, f"{kind}: {json.dumps(item, ensure_ascii=False)}"

    def _spent(self, total: Event) -> Usage:
        """What is new in the total, with what turns used that came to no end and told nothing."""
        names = ("input_tokens", "output_tokens", "cached_input_tokens")
        now = [number(total.get(name)) for name in names]
        file = self._counts / f"codex-{self.session}.json"
        try:
            before = [number(each) for each in json.loads(file.read_text())]
        except (OSError, ValueError, TypeError):
            before = []
        if len(before) != len(now) or any(b > n for b, n in zip(before, now, strict=True)):
            before = [0, 0, 0]
        with suppress(OSError, ValueError):
            self._counts.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(now))
        spent = [n - b for n, b in zip(now, before, strict=True)]
        return Usage(spent[0], spent[1], cached_tokens=spent[2])


def _told(message: JSON) -> str:
    """An error of the provider comes as its JSON body, or as words."""
    said = str(message or "")
    try:
        inner = table(table(json.loads(said)).get("error"))
    except (ValueError, RecursionError):
        return said
    return f"{inner.get('message')} ({inner.get('code')})" if inner.get("message") else said


def _call(kind: str, item: Event) -> str:
    match kind:
        case "command_execution":
            return called("shell", {"command": item.get("command")})
        case "file_change":
            changes = item.get("changes")
            each = [table(change) for change in changes] if isinstance(changes, list) else []
            return "edit " + ", ".join(f"{c.get('kind')} {c.get('path')}" for c in each)
        case "web_search":
            return called("web_search", {"query": item.get("query")})
        case _:
            pass
    given = {k: v for k, v in item.items() if k in {"arguments", "prompt"}}
    return called(f"{item.get('server') or kind}.{item.get('tool')}", given)


def _result(item: Event) -> str:
    status, code = item.get("status"), item.get("exit_code")
    error = table(item.get("error")).get("message")
    said = str(item.get("aggregated_output") or error or "")
    said = said or words(table(item.get("result")).get("content"))
    good = status in (None, "completed") and code in (None, 0) and not error
    return said if good else f"failed ({status if code is None else f'exit {code}'}): {said}"


def _argv(turn: Turn, model: str) -> Sequence[str]:
    argv = ["exec", *(["resume"] if turn.resume else []), "--json", "--skip-git-repo-check"]
    argv += ["-c", 'sandbox_mode="workspace-write"']
    # It waits five seconds at its end for a host that may not be there.
    argv += ["-c", "analytics.enabled=false"]
    if turn.schema is not None:
        argv += ["--output-schema", str(turn.scratch / _SCHEMA)]
    if model:
        argv += ["-m", model]
    return [*argv, *([turn.session] if turn.resume else []), "-"]


def _prepare(turn: Turn) -> Mapping[str, str]:
    if turn.schema is not None:
        turn.scratch.mkdir(parents=True, exist_ok=True)
        (turn.scratch / _SCHEMA).write_text(json.dumps(strict(dict(turn.schema))))
    return {}


SHAPE = Shape(
    kind="codex",
    command="codex",
    install="npm install -g @openai/codex",
    argv=_argv,
    reader=Stream,
    login=("CODEX_HOME", "CODEX_API_KEY", "OPENAI_"),
    signs=("CODEX_API_KEY", "~/.codex/auth.json"),
    env={"RUST_LOG": "error,codex_core::responses_retry=warn"},
    prepare=_prepare,
    own_sandbox=True,
    schema=True,
    asks_as="acp:codex-acp",
)
