"""The scripted agent: it asks no model, so what the model would say is its script."""

import json
from pathlib import Path
from typing import Any

from smithers.config import AgentSpec
from tests.conformance.subject import Limit, Subject
from tests.models import FakeModel

_KINDS = {401: "auth", 404: "config", 429: "rate_limit"}


def _point(home: Path, model: FakeModel) -> AgentSpec:
    turns: list[dict[str, Any]] = [{"do": []}]
    for reply in model.replies:
        doing = turns[-1]["do"]
        if text := reply.get("text"):
            doing.append({"say": text})
        if "hang" in reply or "stall" in reply:
            doing.append({"wait_for": str(home / "go")})
        if "error" in reply:
            doing.append(_fail(reply))
        doing += [_act(wanted) for wanted in reply.get("tools", [])]
        if "json" in reply:
            turns[-1]["output"] = reply["json"]
        if not reply.get("tools"):
            turns.append({"do": []})
    script = home / "script.json"
    script.write_text(
        json.dumps({"turns": [turn for turn in turns if len(turn) > 1 or turn["do"]]})
    )
    return AgentSpec("scripted", command=str(script))


def _fail(reply: dict[str, Any]) -> dict[str, Any]:
    kept = {key: reply[key] for key in ("retry_after", "message") if key in reply}
    return {"fail": _KINDS.get(reply["error"], "error"), **kept}


def _act(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"run": f"cat {wanted['read']}"} if "read" in wanted else wanted


_UNASKED = Limit("it asks nobody: it does what stands in its script")
_ALONE = Limit("each turn stands alone: a script has no conversations")
_NO_STREAM = Limit("there is no stream", untested="there is no stream to break")

SUBJECT = Subject(
    "scripted",
    programs=(),
    point=_point,
    quiet=2,
    always=True,
    asks=False,
    limits={
        "events": Limit("what it does it does itself: there is no line that was received"),
        "unknown": _ALONE,
        "resumed": _ALONE,
        "afresh": Limit("its turn is played again, whatever it is told"),
        "ended": Limit("the engine plays it", untested="there is no process to end"),
        "denied": _UNASKED,
        "asks": _UNASKED,
        "auth": Limit("its messages stand in its script"),
        "dropped": _NO_STREAM,
        "garbage": _NO_STREAM,
        "usage": Limit("it tells the numbers of its script"),
    },
)
