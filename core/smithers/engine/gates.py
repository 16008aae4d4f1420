"""Opening a gate: what it is about, byte for byte, and who may decide."""

from __future__ import annotations

import hashlib

from smithers.clock import Clock
from smithers.engine.workspace import Workspace
from smithers.errors import SmithersError
from smithers.model.gate import Answer, Gate
from smithers.model.run import Facts, Run
from smithers.model.step import generic
from smithers.schedule.decision import GateRequest
from smithers.vcs import diffs


def open_gate(
    request: GateRequest, earlier: list[Gate], run: Run, workspace: Workspace, clock: Clock
) -> Gate:
    """The gate for a request. Policy of the run stands over what the workflow says."""
    number = len(earlier) + 1
    show, body, raw = _about(request, number, run, workspace)
    return Gate(
        id=f"{request.key}#{number}",
        key=request.key,
        kind=request.kind,
        title=request.title,
        by=run.gates.get(generic(request.key), request.by),
        why=request.why,
        show=show,
        body=body,
        digest=hashlib.sha256(raw).hexdigest(),
        opened_at=clock.now(),
    )


def ask_again(facts: Facts, workspace: Workspace, clock: Clock) -> list[Gate]:
    """New gates for decisions about a diff that is not what the workspace holds any more.

    Raises VcsError when that cannot be told.
    """
    fresh: list[Gate] = []
    for key, gates in facts.gates.items():
        last = gates[-1]
        if key in facts.outputs or not _approved(last) or _still_about(last, gates, workspace):
            continue
        request = GateRequest(
            key,
            last.kind,
            last.title,
            last.by,
            "what was decided has changed since: it asks again",
            "diff",
        )
        gate = open_gate(request, gates, facts.run, workspace, clock)
        gates.append(gate)
        fresh.append(gate)
    return fresh


def _approved(gate: Gate) -> bool:
    return gate.decision is not None and gate.decision.answer is Answer.APPROVE


def _still_about(gate: Gate, gates: list[Gate], workspace: Workspace) -> bool:
    if gate.show != "diff":
        return True
    _, _, right = gate.body.partition("..")
    workspace.look(gate.key, len(gates) + 1)
    return right == workspace.last or not diffs.files(workspace.path, right, workspace.last)


def _about(
    request: GateRequest, number: int, run: Run, workspace: Workspace
) -> tuple[str, str, bytes]:
    if request.show is None:
        return "", "", request.title.encode()
    if request.show != "diff":
        return "text", request.show, request.show.encode("utf-8", "surrogateescape")
    if not workspace.tracked or not run.base:
        said = "there is no diff: the run works in a folder that git does not track"
        return "text", said, said.encode()
    try:
        workspace.look(request.key, number)
        patch = diffs.patch(workspace.path, run.base, workspace.last)
    except SmithersError as error:
        said = f"the diff cannot be shown: {error}"
        return "text", said, said.encode()
    return "diff", f"{run.base}..{workspace.last}", patch.encode("utf-8", "surrogateescape")
