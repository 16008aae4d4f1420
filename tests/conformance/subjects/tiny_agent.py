"""A whole coding agent in one file, for `command:`: asks a model, uses three tools, prints words.

usage: python tiny_agent.py URL <PROMPT
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

URL = sys.argv[1]
TEXT = {"type": "string"}
TOOLS = {
    "write": {"path": TEXT, "text": TEXT},
    "edit": {"path": TEXT, "old": TEXT, "new": TEXT},
    "read": {"path": TEXT},
    "run": {"command": TEXT},
}


def use(name: str, given: dict[str, str]) -> str:
    """Use a tool and tell what came of it."""
    if name == "run":
        done = subprocess.run(["/bin/sh", "-c", given["command"]], capture_output=True, check=False)
        return (done.stdout + done.stderr).decode(errors="replace")
    path = Path(given["path"])
    if name == "write":
        path.write_text(given["text"])
    elif name == "edit":
        path.write_text(path.read_text().replace(given["old"], given["new"], 1))
    return path.read_text()


def ask(messages: list[dict[str, object]]) -> dict[str, object]:
    """Ask the model."""
    offered = [
        {"type": "function", "function": {"name": name, "parameters": {"properties": fields}}}
        for name, fields in TOOLS.items()
    ]
    body = json.dumps({"model": "any", "messages": messages, "tools": offered}).encode()
    request = urllib.request.Request(f"{URL}/v1/chat/completions", body)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["choices"][0]["message"]


def main() -> None:
    """Go on until the model uses no tool any more."""
    prompt = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    schema = os.environ.get("SMITHERS_SCHEMA")
    if schema:
        prompt += f"\nAnswer with JSON alone, by this schema: {Path(schema).read_text()}"
    messages = [
        {"role": "system", "content": f"Working directory: {Path.cwd()}"},
        {"role": "user", "content": prompt.encode("utf-8", "replace").decode()},
    ]
    while True:
        message = ask(messages)
        messages.append(message)
        print(message.get("content") or "", flush=True)
        if not message.get("tool_calls"):
            return
        for call in message["tool_calls"]:
            name, given = call["function"]["name"], json.loads(call["function"]["arguments"])
            told = use(name, given)
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": told})


main()
