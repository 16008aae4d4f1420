"""From what a script wants done to a call of the tool that the request offers for it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from tests.models.wire import JSON, Call, Request

_TOOLS = {
    "run": (
        "Bash",
        "bash",
        "run_shell_command",
        "exec_command",
        "shell_command",
        "shell",
        "run",
    ),
    "write": ("Write", "write", "write_file"),
    "edit": ("Edit", "edit", "replace", "edit_file"),
    "read": ("Read", "read", "read_file"),
}
_FIELDS = {
    "run": ("command", "cmd"),
    "path": ("file_path", "filePath", "absolute_path", "path"),
    "text": ("content", "contents", "text"),
    "old": ("old_string", "oldString", "oldText", "old"),
    "new": ("new_string", "newString", "newText", "new"),
}
_OUTSIDE = ("sandbox_permissions", "require_escalated")
"""How Codex's shell is asked to run a command outside of its sandbox."""
_STRUCTURED = re.compile(r"structured_?output|final_result", re.IGNORECASE)
_EDIT = (
    "import sys; path, old, new = sys.argv[1:]; text = open(path).read(); assert old in text; "
    "open(path, 'w').write(text.replace(old, new, 1))"
)


def structured(request: Request) -> str:
    """The tool that takes a structured answer, or nothing."""
    return next((name for name in request.tools if _STRUCTURED.search(name)), "")


def call(wanted: JSON, request: Request) -> Call:
    """The call that does what is wanted. LookupError if no tool is offered that can."""
    given = json.loads(json.dumps(wanted).replace("{cwd}", request.cwd))
    if "name" in given:
        text = request.tools.get(given["name"], {}).get("type") == "text"
        return Call(given["name"], given["input"], text)
    action = next(iter(given))
    name = next((name for name in _TOOLS[action] if name in request.tools), None)
    if name is None and action != "run":  # its files are written by its shell
        return call({"run": _in_shell(action, given)}, request)
    if name is None:
        raise LookupError(f"nothing runs a command among {sorted(request.tools)}")
    parts = given if action == "run" else {"path": given[action], **given}
    path = parts.get("path", "")
    if path and not path.startswith("/") and request.cwd:
        parts["path"] = f"{request.cwd}/{path}"
    wants = {key: value for key, value in parts.items() if key in _FIELDS}
    filled = _input(wants, request.tools[name])
    if given.get("outside") and _OUTSIDE[0] in (request.tools[name].get("properties") or {}):
        filled[_OUTSIDE[0]] = _OUTSIDE[1]
    return Call(name, filled)


def _input(wants: Mapping[str, Any], schema: JSON) -> JSON:
    known = schema.get("properties") or {}
    filled: JSON = {}
    if "edits" in known and "old" in wants:  # several replacements at once
        one = {key: wants[key] for key in ("old", "new")}
        filled["edits"] = [_input(one, known["edits"].get("items") or {})]
        wants = {key: value for key, value in wants.items() if key not in one}
    for key, value in wants.items():
        field = next((name for name in _FIELDS[key] if name in known), _FIELDS[key][0])
        listed = (known.get(field) or {}).get("type") == "array"
        filled[field] = ["bash", "-c", value] if listed else value
    for name in schema.get("required") or ():
        filled.setdefault(name, _anything(known.get(name) or {}))
    return filled


def _anything(schema: JSON) -> Any:
    """Some value for a field that is required and means nothing to a script."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    plain = {"boolean": False, "integer": 1, "number": 1, "array": [], "object": {}}
    return plain.get(str(kind).lower(), "as the script says")


def _in_shell(action: str, given: JSON) -> str:
    path = shlex.quote(given[action])
    if action == "read":
        return f"cat {path}"
    if action == "edit":
        old, new = shlex.quote(given["old"]), shlex.quote(given["new"])
        return f"python3 -c {shlex.quote(_EDIT)} {path} {old} {new}"
    return f"mkdir -p $(dirname {path}) && printf %s {shlex.quote(given['text'])} > {path}"
