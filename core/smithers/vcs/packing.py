"""What a run changed, as a pack of git objects that needs no repository: and back from it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from smithers.errors import VcsError
from smithers.vcs import layout
from smithers.vcs.git import fields, git, line
from smithers.vcs.repository import resolve

_GITLINK = "160000"


def pack(folder: Path, base: str, commits: Iterable[str]) -> bytes:
    """These commits, and of their trees and files what differs from those of the base.

    Enough to compare any two of them; what no commit changed is not in it. A commit that is gone
    is left out. Empty if all are, or where there is no repository.
    """
    found = layout.find(folder)
    if found is None:
        return b""
    there = [each for each in dict.fromkeys((base, *commits)) if each and resolve(folder, each)]
    if not there:
        return b""
    wanted: dict[str, None] = {}
    for commit in there:
        tree = line(git(folder, "rev-parse", "--verify", f"{commit}^{{tree}}"))
        wanted |= dict.fromkeys((commit, tree))
        wanted |= dict.fromkeys(_differing(folder, there[0], commit))
    listing = "".join(f"{name}\n" for name in wanted).encode()
    return git(folder, "pack-objects", "--stdout", "-q", stdin=listing).out


def unpack(folder: Path, objects: bytes, *, branch: str, tip: str) -> None:
    """Make a folder a repository of just these objects, with a branch at its tip. VcsError."""
    home = folder / ".git"
    for name in ("objects/pack", "refs/heads"):
        (home / name).mkdir(parents=True)
    (home / "HEAD").write_text(f"ref: refs/heads/{branch}\n", encoding="ascii")
    if len(tip) == 64:
        text = "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectformat = sha256\n"
        (home / "config").write_text(text, encoding="ascii")
    if tip:
        (home / "packed-refs").write_text(f"{tip} refs/heads/{branch}\n", encoding="ascii")
    done = git(folder, "index-pack", "--stdin", stdin=objects, check=False)
    if done.code != 0:
        raise VcsError("the files in it are damaged: git cannot read them")


def _differing(folder: Path, base: str, commit: str) -> Iterable[str]:
    """Objects of both sides, folders included, where two commits differ."""
    args = ("diff-tree", "-r", "-t", "-z", "--raw", "--no-renames", "--no-abbrev", base, commit)
    for entry in fields(git(folder, *args)):
        if not entry.startswith(":"):
            continue
        modes, ids = entry[1:].split(" ")[:2], entry.split(" ")[2:4]
        for mode, name in zip(modes, ids, strict=True):
            if mode != _GITLINK and name.strip("0"):
                yield os.fsdecode(name)
