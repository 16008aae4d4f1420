"""Questions whose answers must agree with each other, for the checker."""

from __future__ import annotations

from collections.abc import Iterator

from smithers.store.database import Reader, Store


def counts(store: Store | Reader, run_id: str) -> tuple[int, int, int, int, int]:
    """total, done, failed, running, waiting, as the run's row has them."""
    row = store.all(
        "SELECT total, done, failed, running, waiting FROM runs WHERE id = ?", (run_id,)
    )[0]
    return (row[0], row[1], row[2], row[3], row[4])


def last_states(store: Store | Reader, run_id: str) -> dict[str, str]:
    """By step: the status that the newest frame with it gave it."""
    return dict(
        store.all(
            "SELECT key, status FROM step_history AS h "
            "WHERE run = (SELECT seq FROM runs WHERE id = ?) "
            "AND frame = (SELECT max(frame) FROM step_history "
            "WHERE run = h.run AND key = h.key)",
            (run_id,),
        )
    )


def inconsistencies(store: Store | Reader, run_id: str) -> Iterator[str]:
    """What is wrong among the rows of one run, in words."""
    (frames, highest, stored) = store.all(
        "SELECT count(*), coalesce(max(n), 0), (SELECT frame FROM runs WHERE id = ?) "
        "FROM frames WHERE run = (SELECT seq FROM runs WHERE id = ?)",
        (run_id, run_id),
    )[0]
    if not frames == highest == stored:
        yield f"{frames} frames, the highest {highest}, and the run says {stored}"
    for what, sql in _NEVER:
        for row in store.all(sql, (run_id,)):
            yield f"{what}: {', '.join(str(value) for value in row)}"


_NEVER = (
    (
        "a gate that is open has a decision, or one that is closed has none",
        (
            "SELECT g.id FROM gates AS g LEFT JOIN decisions AS d "
            "ON d.run = g.run AND d.gate = g.id "
            "WHERE g.run = (SELECT seq FROM runs WHERE id = ?) AND g.open = (d.gate IS NOT NULL)"
        ),
    ),
    (
        "an output of a step whose last attempt did not succeed",
        (
            "SELECT o.key, a.status FROM outputs AS o JOIN attempts AS a "
            "ON a.run = o.run AND a.key = o.key "
            "WHERE o.run = (SELECT seq FROM runs WHERE id = ?) "
            "AND a.status != 'succeeded' AND a.n = "
            "(SELECT max(n) FROM attempts WHERE run = a.run AND key = a.key)"
        ),
    ),
    (
        "an attempt that succeeded and left no output",
        (
            "SELECT a.key, a.n FROM attempts AS a LEFT JOIN outputs AS o "
            "ON o.run = a.run AND o.key = a.key WHERE a.run = (SELECT seq FROM runs WHERE id = ?) "
            "AND a.status = 'succeeded' AND o.key IS NULL"
        ),
    ),
)
