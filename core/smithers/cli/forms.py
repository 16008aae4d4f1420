"""The JSON that scripts and agents read: keys may be added, never changed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from smithers.clock import iso
from smithers.model.step import JSON, Usage
from smithers.service.views import (
    AttemptView,
    Counts,
    DecisionView,
    DiffView,
    FrameView,
    GateView,
    LogLine,
    MessageView,
    RunRow,
    RunView,
    StepView,
    Summary,
    Waiting,
)

Form = dict[str, JSON]


def emit(form: JSON) -> None:
    """One document on one line. Escaped to ASCII, so that a terminal can be shown it too."""
    sys.stdout.write(json.dumps(form, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def pretty(value: JSON) -> str:
    """For eyes; just as safe."""
    return json.dumps(value, ensure_ascii=True, indent=2)


def time_or_null(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def row(run: RunRow) -> Form:
    """What a list knows of a run."""
    return {
        "id": run.id,
        "recipe": run.recipe,
        "title": run.title,
        "status": run.status.value,
        "status_reason": run.status_reason,
        "created_at": iso(run.created_at),
        "started_at": time_or_null(run.started_at),
        "finished_at": time_or_null(run.finished_at),
        "frame": run.frame,
        "steps": _counts(run.counts),
        "now": run.now,
        "open_gates": run.open_gates,
        "usage": usage(run.usage),
    }


def run(view: RunView) -> Form:
    """The form of a run that every command prints."""
    engine = view.engine
    return {
        **row(view.row),
        "waiting_on": [waiting(each) for each in view.waiting_on],
        "engine": None
        if engine is None
        else {"pid": engine.pid, "host": engine.host, "alive": engine.alive},
        "workspace": view.workspace,
        "branch": view.branch,
        "base": view.base,
        "notes": list(view.notes),
        "agents": dict(view.agents),
        "input": dict(view.input),
        "parent": _parent(view.parent),
        "intent": view.intent.value,
        "intent_by": view.intent_by or None,
        "stop_by": view.stop_by or None,
        "error": view.error,
    }


def detailed(view: RunView, outputs: Mapping[str, JSON]) -> Form:
    """A run with its steps, their attempts and outputs, and its gates."""
    open_waits: dict[str, list[Waiting]] = {}
    for each in view.waiting_on:
        open_waits.setdefault(each.step, []).append(each)
    return {
        **run(view),
        "steps_detail": [
            step(each, open_waits.get(each.key, ()), outputs.get(each.key)) for each in view.steps
        ],
        "gates": [gate(each) for each in view.gates],
    }


def step(view: StepView, waits: Sequence[Waiting], output: JSON = None) -> Form:
    return {
        "key": view.key,
        "kind": view.kind.value,
        "title": view.title,
        "status": view.status.value,
        "reason": view.reason,
        "iteration": view.iteration,
        "attempts": [attempt(each) for each in view.attempts],
        "output": output,
        "waiting_on": [waiting(each) for each in waits],
        "gone": view.gone,
        "wake_at": time_or_null(view.wake_at),
        "messages": [message(each) for each in view.messages],
    }


def message(view: MessageView) -> Form:
    return {
        "n": view.n,
        "text": view.text,
        "actor": view.actor,
        "sent_at": iso(view.sent_at),
        "attempt": view.attempt,
        "delivered_at": time_or_null(view.delivered_at),
    }


def attempt(view: AttemptView) -> Form:
    return {
        "n": view.n,
        "status": view.status.value,
        "agent": view.agent,
        "model": view.model,
        "session": view.session,
        "started_at": iso(view.started_at),
        "finished_at": time_or_null(view.finished_at),
        "exit_code": view.exit_code,
        "error": view.error,
        "usage": usage(view.usage),
        "log": view.log,
        "reopened": view.reopened or None,
    }


def gate(view: GateView) -> Form:
    """Its body only where that was read: an agent's question is nothing without."""
    read = bool(view.body)
    return {
        "run": view.run,
        "id": view.id,
        "step": view.step,
        "kind": view.kind.value,
        "title": view.title,
        "by": view.by,
        "why": view.why,
        "show": view.show,
        "digest": view.digest,
        "opened_at": iso(view.opened_at),
        "decision": None if view.decision is None else decision(view.decision),
        "tool": view.tool or None,
        "subject": view.subject or None,
        "body": view.body if read else None,
        "hidden": view.hidden if read else None,
    }


def decision(view: DecisionView) -> Form:
    return {
        "answer": view.answer,
        "actor": view.actor,
        "established": view.established,
        "note": view.note,
        "remember": view.remember,
        "decided_at": iso(view.decided_at),
    }


def waiting(view: Waiting) -> Form:
    return {
        "kind": view.kind,
        "step": view.step,
        "gate": view.gate or None,
        "since": time_or_null(view.since),
        "text": view.text,
        "next": view.next,
    }


def frame(view: FrameView) -> Form:
    return {
        "frame": view.n,
        "at": iso(view.at),
        "why": view.why,
        "changes": [{"step": each.key, "status": each.status.value} for each in view.changes],
    }


def log_line(step_key: str, number: int, view: LogLine, *, raw: bool) -> Form:
    """With what was received only where that was asked for: it can be long."""
    form: Form = {
        "step": step_key,
        "attempt": number,
        "n": view.n,
        "at": iso(view.at),
        "stream": view.stream,
        "kind": view.kind,
        "text": view.text,
    }
    if raw:
        form["raw"] = view.raw
    return form


def diff(run_id: str, view: DiffView, *, patch: bool) -> Form:
    form: Form = {
        "run": run_id,
        "left": view.left,
        "right": view.right,
        "note": view.note,
        "files": [
            {
                "path": each.path,
                "status": each.status,
                "added": each.added,
                "removed": each.removed,
                "binary": each.binary,
            }
            for each in view.files
        ],
    }
    if patch:
        form["patch"] = view.raw
    return form


def summary(view: Summary) -> Form:
    return {
        "running": view.running,
        "need_you": view.need_you,
        "failed": view.failed,
        "done": view.done,
        "total": view.total,
    }


def usage(view: Usage) -> Form:
    return {
        "input_tokens": view.input_tokens,
        "cached_tokens": view.cached_tokens,
        "output_tokens": view.output_tokens,
        "cost_usd": view.cost_usd,
    }


def error(code: str, message: str, hint: str) -> Form:
    return {"error": {"code": code, "message": message, "next": hint}}


def _counts(counts: Counts) -> Form:
    return {
        "total": counts.total,
        "done": counts.done,
        "failed": counts.failed,
        "running": counts.running,
        "waiting": counts.waiting,
    }


def _parent(text: str) -> Form | None:
    """The run from inside which this one was started; the frame is known of forks only."""
    return {"run": text.split("/", 1)[0], "frame": None, "attempt": text} if text else None
