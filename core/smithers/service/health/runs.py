"""Runs whose engine is gone, stopped or hung; processes that nobody owns; records that disagree."""

from __future__ import annotations

from collections.abc import Iterator

from smithers.engine import checker
from smithers.model.run import RunStatus
from smithers.process import cgroup, sweep, table
from smithers.process import sandbox as boxes
from smithers.process.cgroup import Containment
from smithers.process.identity import Life
from smithers.service.directory import Directory
from smithers.service.health.finding import FIX, Finding, some
from smithers.service.safe import line
from smithers.service.standing import OPEN, Judge
from smithers.store import pruning, queries, upkeep

_RENEWED_LATE_MS = 6_000
"""An engine that was asleep with the machine renews within this time."""


def engines(db: Directory) -> Iterator[Finding]:
    """Runs with work that nobody does: each with what brings it on."""
    with db.reader.transaction():
        stood = Judge(db).all(queries.heads(db.reader, status=OPEN))
    now = db.clock.now()
    for each in stood:
        run, lease = line(each.head.id), each.head.lease
        name = f"run {run}"
        if each.status is RunStatus.INTERRUPTED:
            detail = line(f"interrupted: {each.reason}")
            yield Finding(name, "warning", detail, f"smithers resume {run}")
        elif lease is not None and each.life is Life.SUSPENDED:
            detail = line(f"its engine, process {lease.owner.pid}, is stopped by a signal")
            yield Finding(name, "warning", detail, f"kill -CONT {lease.owner.pid}")
        elif lease is not None and each.life is Life.ALIVE:
            late = now - lease.expires_at
            if late > _RENEWED_LATE_MS:
                detail = line(f"its engine, process {lease.owner.pid}, hangs for {late // 1000} s")
                yield Finding(name, "warning", detail, f"smithers resume {run}")


def leftovers(db: Directory) -> Iterator[Finding]:
    """Processes that carry the mark of an attempt which is over."""
    marked: dict[int, list[int]] = {}
    for pid in table.pids():
        for token in table.tokens(pid):
            marked.setdefault(token, []).append(pid)
    over = upkeep.ended_marks(db.reader, list(marked))
    left = {token: where for token, where in over.items() if sweep.find({token})}
    if left:
        pids = [str(pid) for token in left for pid in marked[token]]
        run, step = next(iter(left.values()))
        detail = line(f"{some(pids)} outlived their attempt, such as of {run}/{step}")
        yield Finding("processes", "warning", detail, FIX, lambda: _end(list(left)))


def containment() -> Finding:
    """What holds processes of attempts together, and what could get away from it."""
    held = {
        Containment.CGROUP: "each attempt has its own cgroup: what it starts cannot get away",
        Containment.LIMIT: "by environment and limit: an orphan that washed off both gets away",
        Containment.ENVIRONMENT: "by environment: an orphan that washed it off gets away",
    }
    return Finding("containment", "ok", line(held[cgroup.containment()]))


def sandbox(level: str) -> Finding:
    """Whether attempts are kept from the rest of the machine, by the level that config names."""
    why_not = boxes.unavailable()
    if level == "off":
        return Finding("sandbox", "ok", line("off, by config.toml"))
    if why_not:
        detail = line(f"not in force: {why_not}; attempts can do all that you can")
        return Finding("sandbox", "failed" if level else "warning", detail, _cure(why_not))
    return Finding("sandbox", "ok", line(f"{level or 'workspace'}: bubblewrap is there and works"))


def _cure(why_not: str) -> str:
    if "not installed" in why_not:
        return "sudo apt-get install bubblewrap"
    return 'allow user namespaces, or set [sandbox] level = "off" in config.toml'


def _end(tokens: list[int]) -> None:
    sweep.sweep(tokens)


def verify(db: Directory) -> Iterator[Finding]:
    """Every projection of every run, worked out anew from the facts."""
    wrong = 0
    rows = pruning.all_runs(db.reader)
    for row in rows:
        if row.going:
            continue
        found = checker.check(db.reader, row.id)
        if found:
            wrong += 1
            run = line(row.id)
            detail = line(f"{some(found)}")
            yield Finding(f"run {run}", "failed", detail, f"smithers export {run}, and report it")
    if not wrong:
        said = "1 run follows" if len(rows) == 1 else f"{len(rows)} runs follow"
        yield Finding("records", "ok", line(f"{said} from the facts"))
