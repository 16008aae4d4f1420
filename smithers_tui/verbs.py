"""What the app can do to a run, as values, and the one place where the service does it."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from smithers.errors import SmithersError
from smithers.model.gate import Answer, Remember
from smithers.service import safe
from smithers.service.views import Safe
from smithers_tui.messages import VerbDone, VerbRefused


@dataclass(frozen=True, slots=True)
class Pause:
    run: Safe


@dataclass(frozen=True, slots=True)
class Resume:
    run: Safe


@dataclass(frozen=True, slots=True)
class Stop:
    run: Safe


@dataclass(frozen=True, slots=True)
class Cancel:
    run: Safe


@dataclass(frozen=True, slots=True)
class Decide:
    """Holds for exactly what was shown: `digest` is of the bytes that stood on the screen."""

    run: Safe
    gate: Safe
    answer: Answer
    digest: Safe
    note: str
    remember: Remember = Remember.ONCE


Verb = Pause | Resume | Stop | Cancel | Decide


def perform(verb: Verb, root: Path, cli: Safe) -> Message:
    """Do it and tell how it went. Blocks; what the service refuses is an answer, not a crash."""
    try:
        done = _perform(verb, root, me())
    except SmithersError as error:
        return VerbRefused(safe.line(error.what), safe.line(error.next))
    except OSError as error:
        return VerbRefused(safe.line(str(error)), Safe(""))
    return VerbDone(Safe(done), cli)


def _perform(verb: Verb, root: Path, actor: str) -> str:
    # It brings what starts engines, and the first paint needs none of that.
    from smithers.service import control  # noqa: PLC0415

    match verb:
        case Pause(run):
            control.pause(root, run, now=False, actor=actor)
            return f"pausing {run}: running steps finish"
        case Resume(run):
            control.resume(root, run, agents={}, actor=actor)
            return f"resumed {run}"
        case Stop(run):
            control.stop(root, run, actor=actor)
            return f"{run} ends its loops after this turn"
        case Cancel(run):
            control.cancel(root, run, actor=actor)
            return f"cancelled {run}"
        case Decide(run, gate, answer, digest, note, remember):
            control.decide(
                root,
                run,
                gate,
                answer,
                actor=actor,
                established="app",
                note=note,
                digest=digest,
                remember=remember,
            )
            word = "approved" if answer is Answer.APPROVE else "denied"
            return f"{word} {gate} of {run}"


def bring_back(root: Path, runs: Sequence[Safe], hopeless: set[str]) -> None:
    """Start engines for runs that have none. One that does not come up is noted as hopeless."""
    from smithers.service import control  # noqa: PLC0415

    for run in runs:
        try:
            control.ensure_engine(root, run)
        except (SmithersError, OSError):
            hopeless.add(run)


def me() -> str:
    """The person at this terminal, as an actor."""
    try:
        return f"person:{getpass.getuser()}"
    except (KeyError, OSError):
        return "person:unknown"
