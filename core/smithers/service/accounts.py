"""What agents have used: tokens and money, by run, step, agent, model or day."""

from __future__ import annotations

from typing import NamedTuple

from smithers.model.step import Usage
from smithers.service.directory import Directory, head
from smithers.service.safe import line
from smithers.service.views import Safe
from smithers.store import usage

BY = tuple(usage.BY)


class Account(NamedTuple):
    key: Safe
    usage: Usage
    attempts: int
    unpriced: int
    """Attempts whose cost is unknown: it is in no sum, and is never guessed."""


def accounts(db: Directory, by: str, run: str | None = None) -> list[Account]:
    """What was used by each run, step, agent, model or day; of one run, or of all there are.

    Raises UnknownRun.
    """
    if run is not None:
        head(db, run)
    found = usage.by(db.reader, by, run)
    return [Account(line(one.key or "-"), *one[1:]) for one in found]


def total(found: list[Account]) -> Account:
    return Account(
        line("total"),
        sum((one.usage for one in found), Usage()),
        sum(one.attempts for one in found),
        sum(one.unpriced for one in found),
    )
