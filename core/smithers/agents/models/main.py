"""The child of a model: a request on stdin, a line of JSON on stdout for each thing it does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, NoReturn

from pydantic_ai.models import infer_model

from smithers.agents.base import FailureKind
from smithers.agents.models import trouble
from smithers.agents.models.history import Gone
from smithers.agents.models.place import Place
from smithers.agents.models.request import Request, read
from smithers.agents.models.talk import Asks, Say, Talk


def main() -> NoReturn:
    """Play one turn. Exit code 0 whatever came of it: its last line tells that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    request = read(sys.stdin.buffer.readline())
    out = _own()
    workspace = Path(os.path.realpath(request.workspace))
    place = Place(workspace, dict(os.environ), request.mark, request.policy)
    os.environ.update(request.login)

    def say(event: Mapping[str, Any]) -> None:
        out.write(json.dumps(event) + "\n")
        out.flush()

    asyncio.run(_turn(request, place, say))
    os._exit(0)  # to take the libraries apart takes a second, and nothing is left to be kept


async def _turn(request: Request, place: Place, say: Say) -> None:
    say({"type": "started", "text": f"pydantic-ai {version('pydantic-ai-slim')}, {request.model}"})
    try:
        text, value = await Talk(request, infer_model(request.model), place, say).turn()
    except Asks:
        return
    except Gone as gone:
        kind = FailureKind.UNKNOWN_SESSION
        say({"type": "failed", "kind": kind, "text": f"no such conversation: {gone}"})
    except Exception as error:  # noqa: BLE001 - the library's own, of any kind
        failed = trouble.failure(error)
        wait = failed.retry_after
        say({"type": "failed", "kind": failed.kind, "text": failed.message, "retry_after": wait})
    else:
        say({"type": "done", "text": text, "value": value})


def _own() -> IO[str]:
    """Take stdout for ourselves, and let go of stdin: no tool may read the secrets in it."""
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return out


if __name__ == "__main__":
    main()
