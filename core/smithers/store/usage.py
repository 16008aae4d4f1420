"""What attempts consumed: kept while they run, and added up where the rows are."""

from __future__ import annotations

from typing import NamedTuple

from smithers.model.run import Owner
from smithers.model.step import Attempt, AttemptStatus, Usage
from smithers.store import leases
from smithers.store.database import Reader, Store


def keep(store: Store, run_id: str, attempt: Attempt, owner: Owner, used: Usage) -> None:
    """Keep what a running attempt has used so far. Raises LeaseLost."""
    # The end of an engine loses none of it, and the end of the machine a second's worth.
    with store.write(durable=False) as db:
        seq = leases.held_by(db, run_id, owner)
        db.execute(
            "UPDATE attempts SET input_tokens = ?, output_tokens = ?, cost_usd = ?, "
            "cached_tokens = ? WHERE run = ? AND key = ? AND n = ? AND status = ?",
            (
                used.input_tokens,
                used.output_tokens,
                used.cost_usd,
                used.cached_tokens,
                seq,
                attempt.key,
                attempt.n,
                AttemptStatus.RUNNING.value,
            ),
        )


def of_run(store: Store | Reader, run_id: str) -> tuple[Usage, int]:
    """Usage of all attempts of a run that have ended, and the milliseconds that they took."""
    row = store.all(
        "SELECT sum(input_tokens), sum(output_tokens), sum(cost_usd), "
        "coalesce(sum(max(0, coalesce(finished_at, started_at) - started_at)), 0) FROM attempts "
        "WHERE run = (SELECT seq FROM runs WHERE id = ?) AND status != ?",
        (run_id, AttemptStatus.RUNNING.value),
    )[0]
    return Usage(row[0], row[1], row[2]), int(row[3])


BY = {
    "run": "r.id",
    "step": "r.id || ' ' || a.key",
    "agent": "a.agent",
    "model": "a.model",
    "day": "date(a.started_at / 1000, 'unixepoch', 'localtime')",
}
"""What use can be added up by, each with its key in a row of an attempt."""


class Used(NamedTuple):
    key: str
    usage: Usage
    attempts: int
    unpriced: int
    """Attempts whose agent did not say what they cost."""


def by(db: Reader, what: str, run_id: str | None = None) -> list[Used]:
    """Use by one of `BY`, of one run or of all; only of attempts in which an agent was at work."""
    rows = db.all(
        f"SELECT {BY[what]} AS what, sum(a.input_tokens), sum(a.output_tokens), "  # noqa: S608
        "sum(a.cost_usd), sum(a.cached_tokens), count(*), sum(a.cost_usd IS NULL) "
        "FROM attempts AS a JOIN runs AS r ON r.seq = a.run "
        "WHERE a.agent != '' AND (?1 IS NULL OR r.id = ?1) GROUP BY what ORDER BY what",
        [run_id],
    )
    return [Used(row[0], Usage(*row[1:5]), row[5], row[6]) for row in rows]
