"""Write the skill where coding agents look for it. A copy that somebody has edited is kept."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from smithers.errors import Refused

_PLACES = (".claude/skills/smithers/SKILL.md", ".agents/skills/smithers/SKILL.md")
_SEAL = re.compile(r"^  digest: ([0-9a-f]{16})\n", re.MULTILINE)

Plan = list[tuple[Path, str]]
"""Each file to write, and its whole text."""


def plan(root: Path) -> Plan:
    """Say what would be written under `root`: for Claude Code, and for agents in general."""
    text = seal((Path(__file__).parent / "SKILL.md").read_text(encoding="utf-8"))
    return [(root / place, text) for place in _PLACES]


def write(plan: Plan, *, force: bool = False) -> list[Path]:
    """Write the files that are missing or out of date, each whole or not at all; returns those.

    Raises Refused, with nothing written, if a file there has been edited by hand. `force` replaces
    such files too.
    """
    due = [(path, text) for path, text in plan if _text(path) != text]
    by_hand = [path for path, _ in due if edited(path)]
    if by_hand and not force:
        names = ", ".join(str(path) for path in by_hand)
        raise Refused(
            f"not ours, or edited by hand: {names}",
            kept="the file as it is; nothing was written",
            next="move it away, or `smithers skill install --force` to replace it",
        )
    for path, text in due:
        _replace(path, text)
    return [path for path, _ in due]


def seal(text: str) -> str:
    """Put a digest of the text into its front matter: an unedited copy can be told from another."""
    head, body = text.removeprefix("---\n").split("\n---\n", 1)
    return f"---\n{head}\nmetadata:\n  digest: {_digest(text)}\n---\n{body}"


def edited(path: Path) -> bool:
    """Whether a file is not as we once wrote it."""
    text = _text(path)
    if text is None:
        return False
    found = _SEAL.search(text)
    plain = _SEAL.sub("", text, count=1).replace("\nmetadata:\n---\n", "\n---\n", 1)
    return found is None or found[1] != _digest(plain)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _text(path: Path) -> str | None:
    """Text of the file, None where there is none. What is not UTF-8 is not ours."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".smithers-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
