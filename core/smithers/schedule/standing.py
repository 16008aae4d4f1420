"""Where a run stands as a whole, given where its steps stand."""

from __future__ import annotations

from smithers.author.base import HELD
from smithers.model.run import Intent, RunStatus
from smithers.model.step import StepStatus
from smithers.schedule.board import Board
from smithers.schedule.loops import ended


def standing(board: Board) -> tuple[RunStatus, str]:
    """Status and reason. Paused without having been asked to be: the workflow must be corrected."""
    run = board.facts.run
    if board.running or board.stopping:
        return RunStatus.RUNNING, ""
    if run.intent is Intent.CANCEL:
        return RunStatus.CANCELLED, _asked("cancelled", run.intent_by)
    if not board.scopes[""].open:
        return _ending(board)
    if run.intent is not Intent.GO:
        return RunStatus.PAUSED, _asked("paused", run.intent_by)
    if board.ready or board.retrying:
        return RunStatus.RUNNING, ""
    if blocked := _all_held(board):
        return RunStatus.PAUSED, blocked
    waits = next(iter(board.waiting), "")
    return RunStatus.WAITING, f"waits at {waits}" if waits else "nothing can start"


def _asked(what: str, who: str) -> str:
    return f"{what} by {who}" if who else what


def _all_held(board: Board) -> str:
    """What holds the first of the steps that wait, if nobody is asked about any of them."""
    plan, states = board.facts.plan, board.states
    held = [key for key in board.waiting if states[key].reason == plan[key].spec.get(HELD)]
    if not held or len(held) < len(board.waiting):
        return ""
    return f"{held[0]} is blocked: {states[held[0]].reason}"


def _ending(board: Board) -> tuple[RunStatus, str]:
    top, states = board.scopes[""].keys, board.states
    failed = [key for key in top if states[key].status is StepStatus.FAILED]
    if failed:
        reason = states[failed[0]].reason.strip().split("\n")[0]
        return RunStatus.FAILED, f"{failed[0]} failed" + (f": {reason}" if reason else "")
    notes = []
    for key in top:
        output = board.facts.outputs.get(key)
        because = ended(output.value) if output is not None else ""
        if because == "exhausted":
            notes.append(f"{key} ended at its bound, not because it was done")
        elif because.startswith("stopped"):
            notes.append(f"{key} {because}")
    return RunStatus.SUCCEEDED, "; ".join(notes)
