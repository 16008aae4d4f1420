"""Any command: here a tiny agent, which prints words and knows nothing of Smithers."""

import shlex
import sys
from pathlib import Path

from smithers.config import AgentSpec
from tests.conformance.subject import Limit, Subject
from tests.models import FakeModel

AGENT = Path(__file__).with_name("tiny_agent.py")


def _point(_: Path, model: FakeModel) -> AgentSpec:
    return AgentSpec("command", command=shlex.join([sys.executable, str(AGENT), model.url]))


_WORDS = Limit("its output is words: no tools are seen in it")
_ALONE = Limit("each turn stands alone: a command has no conversations")
_CODE = Limit("all that is known of a failure is its exit code: it is retried like any other")
_UNASKED = Limit("a command asks nobody")

SUBJECT = Subject(
    "command",
    programs=(sys.executable,),
    point=_point,
    quiet=2,
    always=True,
    limits={
        "events": _WORDS,
        "unknown": _ALONE,
        "resumed": _ALONE,
        "denied": _UNASKED,
        "asks": _UNASKED,
        "auth": _CODE,
        "model": _CODE,
        "limited": _CODE,
        "limited_unnamed": _CODE,
        "usage": Limit("unknown: a command tells no numbers"),
        "odd": Limit("all pass, but results of tools are not seen in its words"),
    },
)
