"""Who kept house, when, and what was done: for what leaves no row behind that could tell of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from smithers.clock import SYSTEM, iso

NAME = "housekeeping.jsonl"
"""In the state folder; one record a line."""


def note(state: Path, actor: str, did: str, **more: object) -> None:
    """Add a record, durably."""
    record = {"at": iso(SYSTEM.now()), "actor": actor, "did": did, **more}
    handle = os.open(state / NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, json.dumps(record).encode() + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)
