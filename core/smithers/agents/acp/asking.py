"""What an agent of the Agent Client Protocol asks for before it uses a tool, and the answers."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

from smithers.agents.lines import Event, called, table, words
from smithers.agents.patches import patch, text_of
from smithers.agents.permissions import Policy, Question, Ruling, Tool, names
from smithers.model.step import JSON

_TOOLS = {
    "execute": Tool.SHELL,
    "edit": Tool.EDIT,
    "delete": Tool.EDIT,
    "move": Tool.EDIT,
    "read": Tool.READ,
    "search": Tool.READ,
    "fetch": Tool.FETCH,
}
_ONCE = {Ruling.ALLOW: "allow_once", Ruling.DENY: "reject_once"}
"""Kinds of option. What holds for longer is for our own rules to say, never for the agent's."""
_WEIGHT = {Ruling.ALLOW: 0, Ruling.ASK: 1, Ruling.DENY: 2}
_PATHS = ("file_path", "filePath", "filepath", "path", "notebook_path")

Outcome = dict[str, JSON]


class Asking:
    """Answers by a policy. `put` is the first question that only a person can answer."""

    def __init__(self, policy: Policy, workspace: Path) -> None:
        self.put: Question | None = None
        self.denied = ""
        """The last thing that was denied and why: the protocol has no place for it."""
        self._policy = policy
        self._workspace = workspace

    def answer(self, call: Event, options: JSON) -> tuple[Outcome, str]:
        """Answer for a use of a tool, and say how. The strictest ruling of all its parts holds."""
        rulings = [(self._policy.rule(each), each) for each in questions(call, self._workspace)]
        (ruling, why), question = max(rulings, key=lambda each: _WEIGHT[each[0][0]])
        said = f"{question.title}: {ruling} ({why})"
        if ruling is Ruling.ASK:
            self.put = self.put or question
        if ruling is Ruling.DENY:
            self.denied = f"{question.title}: not allowed: {why}"
        if self.put is not None:
            return cancelled(), said
        option = _option(options, _ONCE[ruling])
        if option is None:
            return cancelled(), f"{said}; it offers no such answer, so its request was cancelled"
        return {"outcome": {"outcome": "selected", "optionId": option}}, said


def cancelled() -> Outcome:
    return {"outcome": {"outcome": "cancelled"}}


def questions(call: Event, workspace: Path) -> list[Question]:
    """One for each file that it would touch; at least one."""
    kind, given = str(call.get("kind") or "other"), table(call.get("rawInput"))
    tool = _TOOLS.get(kind, Tool.OTHER)
    name = str(call.get("name") or kind)
    title = str(call.get("title") or name)
    body = _body(call, given, workspace) or title
    if tool is Tool.SHELL:
        command = _command(given) or title
        return [Question(tool, name, command, command)]
    if tool in {Tool.EDIT, Tool.READ} and (paths := _paths(call, given)):
        found = dict.fromkeys(names(path, workspace) for path in paths)
        return [Question(tool, name, path, body, tuple(also)) for path, *also in found]
    subject = called("", given) or title
    return [Question(tool, name, called(name, given) if tool is Tool.OTHER else subject, body)]


def _command(given: Event) -> str:
    command = given.get("command")
    return shlex.join(map(str, command)) if isinstance(command, list) else str(command or "")


def _paths(call: Event, given: Event) -> Iterator[str] | list[str]:
    found = [part.get("path") for part in _content(call) if part.get("type") == "diff"]
    found += [given[key] for key in _PATHS if key in given]
    locations = call.get("locations")
    if isinstance(locations, list):
        found += [table(each).get("path") for each in locations]
    return [path for path in found if isinstance(path, str) and path]


def _body(call: Event, given: Event, workspace: Path) -> str:
    """All that a person has to see of it."""
    diffs = [_diff(part, workspace) for part in _content(call) if part.get("type") == "diff"]
    if diffs and all(diffs):
        return "\n".join(diffs)
    said = [table(part.get("content")) for part in _content(call) if part.get("type") == "content"]
    told = words([dict(each) for each in said])
    return "\n".join(filter(None, [*diffs, told, json.dumps(given, indent=2, ensure_ascii=False)]))


def _diff(part: Event, workspace: Path) -> str:
    path, old = str(part.get("path")), part.get("oldText")
    # One that writes a whole file need not say what stood there.
    before = text_of(workspace / path) if old is None else str(old)
    return patch(path, before or "", str(part.get("newText") or ""))


def _content(call: Event) -> list[Event]:
    content = call.get("content")
    return [table(part) for part in content] if isinstance(content, list) else []


def _option(options: JSON, kind: str) -> str | None:
    """By kind: each agent has an order of its own."""
    entries = map(table, options if isinstance(options, list) else [])
    found = next((each.get("optionId") for each in entries if each.get("kind") == kind), None)
    return found if isinstance(found, str) else None
