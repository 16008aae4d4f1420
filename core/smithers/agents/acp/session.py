"""A session with an agent of the Agent Client Protocol: begun or found again, and set as wanted."""

from __future__ import annotations

from acp import PROTOCOL_VERSION, RequestError

from smithers.agents.acp.client import Link
from smithers.agents.acp.failures import Unable, refused
from smithers.agents.acp.known import offers
from smithers.agents.base import FailureKind
from smithers.agents.lines import Event, table
from smithers.model.step import JSON

_CAPABILITIES = {
    # It reads, writes and runs by itself: what we did for it would pass by its own questions.
    "fs": {"readTextFile": False, "writeTextFile": False},
    "terminal": False,
    # What its commands print comes with its updates.
    "_meta": {"terminal_output": True},
}


async def greet(link: Link) -> Event:
    """Tell it what we can, and hear what it can."""
    hello = await link.ask(
        "initialize", protocolVersion=PROTOCOL_VERSION, clientCapabilities=_CAPABILITIES
    )
    version = hello.get("protocolVersion")
    if version != PROTOCOL_VERSION:
        what = f"it speaks version {version} of the protocol, we speak {PROTOCOL_VERSION}"
        raise Unable(FailureKind.CONFIG, what)
    return hello


async def find(link: Link, can: Event, id: str, where: dict[str, JSON]) -> Event:
    """Go on in an earlier session: it says what `session/new` would."""
    resumes = table(can.get("sessionCapabilities")).get("resume") is not None
    if not resumes and not can.get("loadSession"):
        what = "it cannot go on in an earlier conversation"
        raise Unable(FailureKind.UNKNOWN_SESSION, what)
    try:
        method = "session/resume" if resumes else "session/load"
        return await link.ask(method, sessionId=id, **where)
    except RequestError as error:
        found = refused(error)
        if found.kind is FailureKind.ERROR:  # few say that it is the conversation they miss
            found.kind = FailureKind.UNKNOWN_SESSION
        raise found from error


async def choose(link: Link, id: str, session: Event, what: str, wanted: tuple[str, ...]) -> bool:
    """Set the first of `wanted` that is offered as its `mode` or `model`; False if none is."""
    for value in wanted:
        for offer in offers(session, what):
            if value == offer.current:
                return True
            if value in offer.values:
                await link.ask(offer.method, sessionId=id, **offer.choose(value))
                return True
    return False


async def set_model(link: Link, id: str, session: Event, model: str) -> None:
    if model and not await choose(link, id, session, "model", (model,)):
        have = [value for offer in offers(session, "model") for value in offer.values]
        what = f"it offers no model {model!r}, only: {', '.join(have) or 'its own'}"
        raise Unable(FailureKind.CONFIG, what)
