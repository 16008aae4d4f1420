"""What attempts consumed, added up where the rows are."""

from __future__ import annotations

from smithers.model.step import Usage
from smithers.store.database import Reader, Store


def of_run(store: Store | Reader, run_id: str) -> tuple[Usage, int]:
    """Usage of all attempts of a run, and the milliseconds that the ended ones took."""
    row = store.all(
        "SELECT sum(input_tokens), sum(output_tokens), sum(cost_usd), "
        "coalesce(sum(max(0, coalesce(finished_at, started_at) - started_at)), 0) FROM attempts "
        "WHERE run = (SELECT seq FROM runs WHERE id = ?)",
        (run_id,),
    )[0]
    return Usage(row[0], row[1], row[2]), int(row[3])
