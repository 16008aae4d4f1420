"""The logs of attempts, by run, step and number."""

from __future__ import annotations

from pathlib import Path

from smithers.errors import UsageError
from smithers.model.step import Attempt
from smithers.service.directory import Directory, find_key, head
from smithers.service.logfile import LogFile
from smithers.service.safe import line
from smithers.service.views import LogLine
from smithers.store import queries


def log(
    db: Directory,
    run_id: str,
    step: str | None = None,
    attempt: int | None = None,
    *,
    after: int = 0,
    limit: int = 1000,
    raw: bool = False,
) -> list[LogLine]:
    """Lines after number `after` of one attempt's log: by default the last of the step.

    Without a step: that of what runs, else of what began last. `raw`: with what was received.
    Empty as long as nothing is written.
    Raises UnknownRun, UsageError for an unknown step or attempt.
    """
    file = _file(db, run_id, step, attempt)
    return [] if file is None else file.page(after, limit, raw=raw)


def log_length(
    db: Directory, run_id: str, step: str | None = None, attempt: int | None = None
) -> int:
    """Number of the last line that is complete. Chosen, and raising, as `log`."""
    file = _file(db, run_id, step, attempt)
    return 0 if file is None else file.length()


def log_path(db: Directory, run_id: str, attempt: Attempt) -> Path:
    return db.state / "logs" / run_id / f"{attempt.id}.jsonl"


def _file(db: Directory, run_id: str, step: str | None, number: int | None) -> LogFile | None:
    with db.reader.transaction():
        attempt = _attempt(db, run_id, step, number)
    return None if attempt is None else db.log_file(log_path(db, run_id, attempt))


def _attempt(db: Directory, run_id: str, step: str | None, number: int | None) -> Attempt | None:
    seq = head(db, run_id).seq
    if step is None:
        return queries.latest_attempt(db.reader, seq)
    attempts = queries.attempts(db.reader, seq, step)
    if not attempts:
        key = find_key(queries.step_keys(db.reader, seq), run_id, step)
        attempts = queries.attempts(db.reader, seq, key)
    if number is None:
        return attempts[-1] if attempts else None
    for attempt in attempts:
        if attempt.n == number:
            return attempt
    raise UsageError(
        f"{line(step, limit=200)} of {line(run_id)} has no attempt {number}",
        next=f"smithers inspect {line(run_id)}",
    )
