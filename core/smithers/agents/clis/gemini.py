"""Gemini CLI by `-o stream-json`: how it is started, what it prints, how its end is judged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from smithers.agents import failures
from smithers.agents.answers import asked, last_object
from smithers.agents.base import AgentEvent, EventKind, FailureKind, Turn
from smithers.agents.cli import Shape
from smithers.agents.clis import node
from smithers.agents.judged import Judged
from smithers.agents.lines import RAW_LIMIT, Event, called, number, short, table, used, words
from smithers.model.step import JSON, Usage

_ATTEMPT = re.compile(r"Attempt (\d+) failed")
_ATTEMPTS = 3
"""Tries at one request, after which it is not worth the minutes that it goes on."""
_KNOWN = (
    ("Invalid session identifier", FailureKind.UNKNOWN_SESSION),
    ("No previous sessions found", FailureKind.UNKNOWN_SESSION),
    ("already exists", FailureKind.UNKNOWN_SESSION),
    ("RESOURCE_EXHAUSTED", FailureKind.RATE_LIMITED),
    ("exhausted your", FailureKind.RATE_LIMITED),
    ("set an Auth method", FailureKind.AUTH),
    ("API key not valid", FailureKind.AUTH),
    ("API_KEY_INVALID", FailureKind.AUTH),
    ("must specify the GEMINI_API_KEY", FailureKind.AUTH),
    ("ModelNotFoundError", FailureKind.CONFIG),
    ("not running in a trusted directory", FailureKind.CONFIG),
    ("Unknown argument", FailureKind.CONFIG),
)
_CURE = "log in by `gemini`, or set GEMINI_API_KEY"


class Stream(Judged):
    """One run of the CLI. Its words come in pieces, and are told a line at a time."""

    def __init__(self, turn: Turn) -> None:
        super().__init__(turn, _KNOWN, _CURE)
        self._told = 0
        """Characters of `said` that events have told."""
        self._again = False
        """The next words begin a new message."""
        self._held = ""
        """Lines whose words wait for the end of their line."""

    def value(self) -> JSON:
        return last_object(self.said)

    def feed(self, line: str) -> list[AgentEvent]:
        """Take one line of stdout; what told nothing yet is kept with what comes next."""
        events = super().feed(line)
        if events and self._held:
            events[0] = replace(events[0], raw=f"{self._held}{events[0].raw}"[:RAW_LIMIT])
        self._held = "" if events else f"{self._held}{line}\n"[:RAW_LIMIT]
        return events

    def read(self, event: Event) -> Iterator[tuple[EventKind, str]]:
        kind = event.get("type")
        if kind == "message":
            yield from self._message(event)
            return
        yield from self._rest()
        match kind:
            case "init":
                self.session = str(event.get("session_id") or "")
                yield EventKind.NOTICE, f"Gemini CLI, {event.get('model')}"
            case "tool_use":
                name, given = str(event.get("tool_name")), table(event.get("parameters"))
                yield EventKind.TOOL_CALL, called(name, given)
            case "tool_result":
                yield EventKind.TOOL_RESULT, _result(event)
            case "error":
                yield EventKind.NOTICE, f"{event.get('severity')}: {event.get('message')}"
            case "result":
                yield self._result(event)
            case other:
                yield EventKind.NOTICE, f"unknown event, kept: {other}"

    def warn(self, line: str) -> list[AgentEvent]:
        """Its retries, and there alone, are told on stderr."""
        if self.done:
            return []
        if "ModelNotFoundError" in line:
            self.error = line
        wait = node.wait_told(line)
        found = _ATTEMPT.search(line)
        if wait is None and found is None:
            return []
        self.limited(line, wait or failures.wait_in(line) or self.wait)
        if found and int(found[1]) >= _ATTEMPTS:
            self.error = line
            self.give_up = True
        return [AgentEvent(EventKind.RETRY, short(line), line[:RAW_LIMIT])]

    def _message(self, event: Event) -> Iterator[tuple[EventKind, str]]:
        if event.get("role") != "assistant":  # the prompt
            return
        if self._again:
            self.said, self._told, self._again = "", 0, False
        self.said += str(event.get("content") or "")
        end = self.said.rfind("\n") + 1
        if end > self._told:
            yield EventKind.TEXT, self.said[self._told : end - 1]
            self._told = end

    def _rest(self) -> Iterator[tuple[EventKind, str]]:
        if len(self.said) > self._told:
            yield EventKind.TEXT, self.said[self._told :]
            self._told = len(self.said)
        self._again = True

    def _result(self, event: Event) -> tuple[EventKind, str]:
        self.done = event.get("status") == "success"
        told = str(table(event.get("error")).get("message") or "")
        if not self.done:
            self.error = f"{told} {self.error}".strip() or f"ended with {event.get('status')}"
        else:
            self.error = ""
        spent = table(event.get("stats"))
        read = number(spent.get("input_tokens"))
        # What it thought is counted in the total alone.
        written = max(number(spent.get("output_tokens")), number(spent.get("total_tokens")) - read)
        self.usage = Usage(read, written, None, number(spent.get("cached")))
        return EventKind.USAGE, used(self.usage)


def _result(event: Event) -> str:
    error = table(event.get("error")).get("message")
    said = str(error or words(event.get("output")))
    return said if event.get("status") == "success" else f"failed: {said}"


def _argv(turn: Turn, model: str) -> Sequence[str]:
    # Without a terminal it offers tools that change something only where nothing is asked.
    argv = ["-o", "stream-json", "--approval-mode", "yolo", "--skip-trust"]
    argv += ["--resume" if turn.resume else "--session-id", turn.session]
    return [*argv, *(["-m", model] if model else [])]


SHAPE = Shape(
    kind="gemini",
    command="gemini",
    install="npm install -g @google/gemini-cli",
    argv=_argv,
    reader=Stream,
    login=("GEMINI_API_KEY", "GOOGLE_"),
    signs=("GEMINI_API_KEY", "GOOGLE_API_KEY", "~/.gemini/oauth_creds.json"),
    env={"GEMINI_CLI_NO_RELAUNCH": "true", **node.ENV},
    stdin=asked,
    asks_as="acp:gemini --acp",
)
