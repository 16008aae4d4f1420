"""What questions answer with. Every `Safe` has passed the one wall against hostile text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, NewType

from smithers.model.gate import GateKind
from smithers.model.run import Intent, RunStatus
from smithers.model.step import JSON, AttemptStatus, StepKind, StepStatus, Usage

Safe = NewType("Safe", str)
"""Text that can go to a terminal: no control, no escape sequence, no hidden or reordering sign."""


class Counts(NamedTuple):
    total: int
    done: int
    failed: int
    running: int
    waiting: int


class Waiting(NamedTuple):
    """One thing that a run waits for, and the command that clears it."""

    kind: Safe
    """`approval`, `no_progress`, `exhausted`, `budget`, `timer`, `resume`, `failed`, …"""
    step: Safe
    gate: Safe
    since: int | None
    text: Safe
    next: Safe


class EngineView(NamedTuple):
    pid: int
    host: Safe
    alive: bool


class RunRow(NamedTuple):
    """A line of the list of runs. `status` has `interrupted` laid over it already."""

    seq: int
    """Order of creation in this directory; pages are cut by it."""
    id: Safe
    recipe: Safe
    title: Safe
    status: RunStatus
    status_reason: Safe
    created_at: int
    started_at: int | None
    finished_at: int | None
    frame: int
    counts: Counts
    now: Safe
    """Key of the step that runs, waits or failed: what a person looks for."""
    open_gates: int
    usage: Usage


class AttemptView(NamedTuple):
    n: int
    status: AttemptStatus
    agent: Safe
    model: Safe
    session: Safe
    started_at: int
    finished_at: int | None
    exit_code: int | None
    error: Safe
    usage: Usage
    log: Safe
    """Path of its log, absolute."""
    reopened: Safe
    """Who asked for another try after it failed, or nobody."""


class MessageView(NamedTuple):
    """What was left for the agent of a step."""

    n: int
    step: Safe
    text: Safe
    actor: Safe
    sent_at: int
    attempt: int | None
    """The last attempt whose conversation was told, or None while it waits."""
    delivered_at: int | None


class StepView(NamedTuple):
    key: Safe
    scope: Safe
    kind: StepKind
    title: Safe
    status: StepStatus
    reason: Safe
    iteration: int | None
    attempts: tuple[AttemptView, ...]
    gone: bool
    wake_at: int | None
    messages: tuple[MessageView, ...]


class DecisionView(NamedTuple):
    answer: Safe
    actor: Safe
    established: Safe
    note: Safe
    decided_at: int
    remember: str = "once"
    """What the answer to an agent's question holds for: `once`, `step`, `run` or `recipe`."""


class GateView(NamedTuple):
    """A gate with the exact text or diff that it is about, cleaned for the eye.

    `digest` is of the raw bytes.
    """

    run: Safe
    run_title: Safe
    recipe: Safe
    id: Safe
    step: Safe
    kind: GateKind
    title: Safe
    by: Safe
    why: Safe
    show: Safe
    """`diff`, `patch` (a change that is not made yet), `text` or empty."""
    digest: Safe
    opened_at: int
    hidden: int
    """Signs of the raw text that cannot be shown and were replaced."""
    body: Safe
    """For `text` the text; else the patch, that of a `diff` cut at 2,000 lines with a notice."""
    decision: DecisionView | None
    tool: Safe = Safe("")
    """`shell`, `edit`, `read`, `fetch` or `other`, of an agent's question."""
    subject: Safe = Safe("")
    """The command, path or address that it asks about, on one line."""

    @property
    def patch(self) -> bool:
        """The body is a patch."""
        return self.show in {"diff", "patch"}


class RunView(NamedTuple):
    """Everything of one run but its logs and diffs."""

    row: RunRow
    engine: EngineView | None
    workspace: Safe
    branch: Safe
    base: Safe
    notes: tuple[Safe, ...]
    input: Mapping[str, JSON]
    """As given; goes out as JSON only, never to a terminal."""
    error: Safe
    parent: Safe
    intent: Intent
    """What was last asked of it, and by whom; nobody asks a run to go when it begins."""
    intent_by: Safe
    stop_by: Safe
    """Who said that it is enough, or nobody."""
    agents: Mapping[str, str]
    waiting_on: tuple[Waiting, ...]
    steps: tuple[StepView, ...]
    """In plan order: a scope's steps follow the loop that opened it."""
    gates: tuple[GateView, ...]
    """Without bodies; `gate()` reads one with it."""


class Change(NamedTuple):
    key: Safe
    status: StepStatus


class FrameView(NamedTuple):
    n: int
    at: int
    why: Safe
    changes: tuple[Change, ...]


class LogLine(NamedTuple):
    """One line of an attempt's log. `n` counts from 1."""

    n: int
    at: int
    stream: Safe
    """`out`, `err`, `agent` or `engine`."""
    kind: Safe
    text: Safe
    raw: str | None = None
    """What was received, if that was asked for; None: the same as of the line before.

    For `--json` and a pipe; never for a terminal.
    """


class FileChange(NamedTuple):
    path: Safe
    status: Safe
    """`A`, `M`, `D`, `R`, `T`."""
    added: int
    removed: int
    binary: bool


class DiffView(NamedTuple):
    """What changed between two named sides."""

    left: Safe
    """`base 9ab1c2d` or `before build[2]/code, attempt 1`."""
    right: Safe
    files: tuple[FileChange, ...]
    patch: Safe
    note: Safe
    """Why it is empty, or what it cannot show."""
    raw: str
    """The patch as git wrote it, for `--json` and a pipe; never for a terminal."""


class Summary(NamedTuple):
    """What stands above every list."""

    running: int
    need_you: int
    failed: int
    done: int
    total: int


class AgentView(NamedTuple):
    """One agent, by a name that `--agent ROLE=NAME` takes. None: not known."""

    name: Safe
    kind: Safe
    path: Safe
    """Of its program or script; empty where there is none."""
    version: Safe
    logged_in: bool | None
    model: Safe
    """Of config; empty: its own choice."""
    roles: tuple[Safe, ...]
    asks: bool | None
    resumes: bool
    schema: bool | None
    prices: bool | None
    problem: Safe
    """Why it cannot be used; empty: it can."""
    cure: Safe
