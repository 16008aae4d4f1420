"""Gates as they are shown to who decides: the exact bytes, made visible."""

from __future__ import annotations

import re
from pathlib import Path

from smithers.errors import UsageError, VcsError
from smithers.model.gate import Gate, GateKind
from smithers.model.run import Run
from smithers.service import shaping
from smithers.service.directory import Directory, head
from smithers.service.safe import LIMIT, clean, hidden, line
from smithers.service.views import GateView, Safe
from smithers.store import queries

LINES_SHOWN = 2000
QUESTION_LIMIT = 1 << 20
"""Characters of a line that are shown of what an agent asks for, which is never cut unseen."""

_SIDES = re.compile(r"([0-9a-f]{7,64})\.\.([0-9a-f]{7,64})\Z")


def inbox(db: Directory) -> list[GateView]:
    """Open gates of all runs that have not ended, oldest first, without bodies."""
    return [
        shaping.gate_view(each.run, each.run_title, each.recipe, each.gate)
        for each in queries.inbox(db.reader)
    ]


def gate(db: Directory, run_id: str, gate_id: str) -> GateView:
    """One gate with its body. `hidden` is above 0 if anything of it cannot be shown as it is.

    Raises UnknownRun, UsageError for an unknown gate.
    """
    with db.reader.transaction():
        seq = head(db, run_id).seq
        found = queries.gate(db.reader, seq, gate_id)
        run = queries.run(db.reader, seq)
    if found is None:
        raise UsageError(
            f"no gate {line(gate_id, limit=80)} in {line(run_id)}",
            next=f"smithers why {line(run_id)}",
        )
    body, signs = _body(run, found)
    view = shaping.gate_view(run.id, run.title, run.recipe, found)
    return view._replace(body=body, hidden=view.hidden + signs)


def _body(run: Run, gate: Gate) -> tuple[Safe, int]:
    if gate.show != "diff":
        limit = QUESTION_LIMIT if gate.kind is GateKind.PERMISSION else LIMIT
        return clean(gate.body, strict=True, limit=limit), hidden(gate.body, limit=limit)
    sides = _SIDES.match(gate.body)
    if sides is None:
        return line(f"(no diff can be made of {gate.body})"), 1
    from smithers.vcs import diffs  # noqa: PLC0415  what only lists does not pay for git

    try:
        patch = diffs.patch(repository_of(run), sides[1], sides[2])
    except VcsError as error:
        # Counted as hidden: nobody should say yes to what could not be shown.
        return line(f"(the diff cannot be shown: {error.what})"), 1
    lines = patch.split("\n")
    shown = clean("\n".join(lines[:LINES_SHOWN]), strict=True)
    beyond = len(lines) - LINES_SHOWN
    if beyond > 0:
        shown = Safe(f"{shown}\n… {beyond:,} more lines. next: smithers diff {line(run.id)}")
    return shown, hidden(patch)


def cut(gate: Gate) -> bool:
    """Whether not all can be shown of what an agent asks for."""
    long = any(len(each) > QUESTION_LIMIT for each in gate.body.split("\n"))
    return gate.kind is GateKind.PERMISSION and long


def repository_of(run: Run) -> Path:
    """A folder of the repository with the run's commits: its worktree, else the main checkout."""
    workspace = Path(run.workspace)
    return workspace if run.workspace and workspace.is_dir() else Path(run.root)
