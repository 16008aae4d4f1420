"""What Claude Code asks for before it uses a tool, and the answers to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from smithers.agents.lines import Event, called, table
from smithers.agents.patches import patch, text_of
from smithers.agents.permissions import Policy, Question, Ruling, Tool, names
from smithers.model.step import JSON

_TOOLS = {
    "Bash": Tool.SHELL,
    "Edit": Tool.EDIT,
    "MultiEdit": Tool.EDIT,
    "NotebookEdit": Tool.EDIT,
    "Write": Tool.EDIT,
    "Read": Tool.READ,
    "Glob": Tool.READ,
    "Grep": Tool.READ,
    "WebFetch": Tool.FETCH,
    "WebSearch": Tool.FETCH,
}


ASKED: Sequence[JSON] = [*_TOOLS]
"""Tools that rules know."""


class Asking:
    """Answers by a policy. `put` is the first question that only a person can answer."""

    def __init__(self, policy: Policy, workspace: Path) -> None:
        self.put: Question | None = None
        self._policy = policy
        self._workspace = workspace
        self._replies: list[str] = []

    def replies(self) -> Sequence[str]:
        said, self._replies = self._replies, []
        return said

    def answer(self, event: Event) -> str:
        """Answer a control request, and say how."""
        request = table(event.get("request"))
        if request.get("subtype") != "can_use_tool":
            return f"unknown request, kept: {request.get('subtype')}"
        question = _question(request, self._workspace)
        ruling, why = self._policy.rule(question)
        said: dict[str, JSON]
        if ruling is Ruling.ALLOW:
            said = {"behavior": "allow", "updatedInput": request.get("input")}
        elif ruling is Ruling.DENY:
            said = {"behavior": "deny", "message": f"Not allowed: {why}"}
        else:
            self.put = self.put or question
            # It ends its turn by itself, and tells what it has used.
            message = "A person has to allow this. You will be told."
            said = {"behavior": "deny", "message": message, "interrupt": True}
        response = {"subtype": "success", "request_id": event.get("request_id"), "response": said}
        self._replies.append(json.dumps({"type": "control_response", "response": response}))
        return f"{question.title}: {ruling} ({why})"


def _question(request: Event, workspace: Path) -> Question:
    name, given = str(request.get("tool_name")), table(request.get("input"))
    tool = _TOOLS.get(name, Tool.OTHER)
    if tool is Tool.SHELL:
        command = str(given.get("command") or "")
        return Question(tool, name, command, command)
    if tool in {Tool.EDIT, Tool.READ} and (path := _path(given)):
        subject, *also = names(path, workspace)
        return Question(tool, name, subject, _body(given, subject, workspace / path), tuple(also))
    subject = called(name if tool is Tool.OTHER else "", given)
    return Question(tool, name, subject, _told(given))


def _path(given: Event) -> str:
    found = given.get("file_path") or given.get("notebook_path") or given.get("path")
    return str(found or "")


def _body(given: Event, name: str, file: Path) -> str:
    """All that a person has to see of it: what changes, else its input."""
    if "old_string" in given:
        change = patch(name, str(given["old_string"]), str(given.get("new_string") or ""))
        if given.get("replace_all"):
            return f"In all places where it stands:\n{change}"
        return change or _told(given)
    if "content" in given and (old := text_of(file)) is not None:
        return patch(name, old, str(given["content"])) or _told(given)
    return _told(given)


def _told(given: Event) -> str:
    return json.dumps(given, indent=2, ensure_ascii=False)
