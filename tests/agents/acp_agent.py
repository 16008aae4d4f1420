"""An agent of the Agent Client Protocol that plays a script, for what real ones seldom do.

usage: acp_agent.py SCRIPT LOG <MESSAGES >MESSAGES

SCRIPT is JSON: `answers` to requests by method (an object with `code` is an error), and `turns`,
a list of things to do for each prompt. LOG gets every message that was received, a line each.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

SCRIPT = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
TURNS = iter(SCRIPT["turns"])
SESSION = "session-of-its-own"
DEFAULTS = {
    "initialize": {"protocolVersion": 1, "agentInfo": {"name": "played", "version": "1.0"}},
    "session/new": {"sessionId": SESSION},
}


def send(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def receive():
    line = sys.stdin.readline()
    if not line:
        if SCRIPT.get("stays"):
            signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
            signal.pause()
        sys.exit(SCRIPT.get("exit", 0))
    with Path(sys.argv[2]).open("a", encoding="utf-8") as log:
        log.write(line)
    return json.loads(line)


def update(**fields):
    send(method="session/update", params={"sessionId": SESSION, "update": fields})


def request(method, params):
    send(id=900, method=method, params={"sessionId": SESSION, **params})
    cancelled = False
    while True:
        message = receive()
        cancelled = cancelled or message.get("method") == "session/cancel"
        if message.get("id") == 900 and "method" not in message:
            return cancelled


def say(text, **more):
    content = {"type": "text", "text": text}
    update(sessionUpdate="agent_message_chunk", content=content, **more)


def hang(_):
    while True:
        receive()


def start(argv):
    subprocess.Popen(argv, start_new_session=True)


def ask(call, options, *, heeds=True, end=()):
    """Ask for leave. It heeds a cancellation: that is the end of its turn."""
    cancelled = request("session/request_permission", {"toolCall": call, "options": options})
    return {"stopReason": "cancelled", **dict(end)} if cancelled and heeds else None


ACTIONS = {
    "ask": ask,
    "end": lambda result: result,
    "exit": os._exit,
    "hang": hang,
    "line": lambda text: print(text, flush=True),
    "request": lambda method: request(method, {}) or None,
    "say": say,
    "start": start,
    "stderr": lambda text: print(text, file=sys.stderr, flush=True),
    "tell_env": lambda name: say(os.environ.get(name, "")),
    "update": lambda fields: update(**fields),
}


def play(turn):
    """What the prompt is answered with: what the first action gives that gives anything."""
    for action in turn:
        name, *_ = action
        more = {key: value for key, value in action.items() if key != name}
        result = ACTIONS[name](action[name], **more)
        if result is not None:
            return result
    return {"stopReason": "end_turn"}


def main():
    while True:
        message = receive()
        method = message.get("method")
        if "id" not in message or method is None:
            continue
        for fields in SCRIPT.get("replay", []) if method == "session/load" else []:
            update(**fields)
        answer = SCRIPT.get("answers", {}).get(method, DEFAULTS.get(method, {}))
        if method == "session/prompt":
            answer = play(next(TURNS))
        send(id=message["id"], **{"error" if "code" in answer else "result": answer})


main()
