"""All findings about a run directory, in the order in which they are told, and their cures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from smithers.errors import SmithersError
from smithers.service import diary, locate
from smithers.service.directory import open_directory
from smithers.service.health import database, home, remains, runs
from smithers.service.health.finding import Finding
from smithers.service.safe import line


def examine(root: Path, *, actor: str, verify: bool = False) -> Iterator[Finding]:
    """Look at everything; `verify` works out every record of every run anew. Changes nothing.

    `actor` is who a cure is recorded for.
    """
    yield from home.folder(root)
    yield from home.network(root)
    yield from home.configuration(root)
    yield runs.sandbox(home.sandbox_level(root))
    broken = False
    for found in database.database(root):
        broken = broken or found.state == "failed"
        yield found
    if broken or not locate.exists(root):
        return
    yield from home.disk(root)
    yield from home.reserve(root)
    with open_directory(root) as db:
        yield from database.journal(db)
        yield from database.log(db)
        yield from runs.engines(db)
        yield from runs.leftovers(db)
        yield runs.containment()
        yield from remains.strays(db, actor)
        yield from remains.repository(db)
        if verify:
            yield from runs.verify(db)


def cure(root: Path, *, actor: str) -> list[Finding]:
    """Do what can do no harm. Returns what was found, each as cured or with why it is not."""
    done = []
    for found in list(examine(root, actor=actor)):
        if found.state == "ok" or found.fix is None:
            continue
        try:
            found.fix()
        except (SmithersError, OSError) as error:
            detail = line(f"{found.detail}; not cured: {error}")
            done.append(Finding(found.name, "failed", detail))
            continue
        diary.note(locate.state_dir(root), actor, f"cured {found.name}", detail=found.detail)
        done.append(Finding(found.name, "ok", found.detail))
    return done
