"""Oracles of the files: worktree, snapshots, refs, branch; asked of git itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from smithers.errors import SmithersError
from smithers.service.directory import Directory
from tests.faults.flows import Flow

RUN = "r"
BRANCH = f"smithers/{RUN}"


def git(root: Path, *args: str, index: Path | None = None) -> str:
    """What git prints; nothing if it refuses."""
    env = os.environ | ({"GIT_INDEX_FILE": str(index)} if index else {})
    done = subprocess.run(
        ["git", "--no-optional-locks", *args], cwd=root, env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return done.stdout.strip() if done.returncode == 0 else ""


def branch(root: Path) -> str:
    """The files of the run's branch as one hash."""
    return git(root, "rev-parse", f"{BRANCH}^{{tree}}")


def landed(root: Path) -> bool:
    """The run's branch is part of what is checked out, and no merge is half done."""
    return (
        git(root, "merge-base", "HEAD", BRANCH) == git(root, "rev-parse", BRANCH)
        and not (root / ".git/MERGE_HEAD").exists()
    )


def way_out(root: Path, error: SmithersError) -> None:
    """Do what a refusal to land names: end what a dead merge has left."""
    if error.what.startswith("nothing to merge"):
        return  # the git that a dead verb had started has ended meanwhile
    if "in progress" not in error.what:
        raise error
    (root / ".git/index.lock").unlink(missing_ok=True)
    git(root, "merge", "--abort")


def refs_are_whole(root: Path) -> list[str]:
    """Every ref of ours names a commit that is there."""
    names = [*(root / ".git/refs/smithers").rglob("*"), *(root / ".git/refs/heads").rglob("*")]
    commits = [path.read_text().strip() for path in names if path.is_file()]
    return [f"a ref names {each}, which is not there" for each in commits if not _there(root, each)]


def _there(root: Path, commit: str) -> bool:
    loose = root / ".git/objects" / commit[:2] / commit[2:]
    return loose.exists() or bool(git(root, "rev-parse", "-q", "--verify", f"{commit}^{{commit}}"))


def _rows(db: Directory) -> list[tuple[str, int, str, str]]:
    return db.reader.all("SELECT key, attempt, side, commit_id FROM snapshots")


def snapshots_exist(root: Path, db: Directory) -> list[str]:
    """Every snapshot that a row names can be read."""
    rows = _rows(db)
    known = set(git(root, "rev-list", "--all").split())
    return [f"{row} has no commit" for row in rows if row[3] not in known]


def _refs(root: Path) -> dict[str, str]:
    listed = git(root, "for-each-ref", "--format=%(refname) %(objectname)", f"refs/smithers/{RUN}")
    return dict(line.split(" ") for line in listed.splitlines())


def refs_are_recorded(root: Path, db: Directory) -> list[str]:
    """Each ref is of a row; those of an interrupted attempt may have come before theirs."""
    recorded = {commit for *_, commit in _rows(db)}
    broken = {
        f"/{n}/" for (n,) in db.reader.all("SELECT n FROM attempts WHERE status = 'interrupted'")
    }
    return [
        f"{ref} is not recorded"
        for ref, commit in _refs(root).items()
        if commit not in recorded
        and not ref.endswith("/@base")
        and not any(part in ref for part in broken)
    ]


def only_own_edits(root: Path, db: Directory, flow: Flow) -> list[str]:
    """The worktree is the newest snapshot, but for what an agent at work may have written."""
    tree = root / f".smithers/state/worktrees/{RUN}"
    if not (tree / ".git").exists():
        return []
    newest = db.reader.all(
        "SELECT commit_id FROM snapshots WHERE side = 'after' ORDER BY taken_at DESC LIMIT 1"
    )
    base = newest[0][0] if newest else git(root, "rev-parse", f"refs/smithers/{RUN}/@base")
    own = Path(git(tree, "rev-parse", "--absolute-git-dir"))
    if not base or not (own / "smithers/branch").exists():
        return []
    index = own / "oracle.index"
    shutil.copy2(own / "index", index)
    git(tree, "add", "-A", index=index)
    now = git(tree, "write-tree", index=index)
    changed = set(git(root, "diff-tree", "-r", "--name-only", base, now).split())
    return [f"{name} changed, and nobody at work writes it" for name in changed - set(flow.files)]


def branch_holds(root: Path, flow: Flow) -> list[str]:
    """The run's branch is its base and what its agents wrote, and the checkout has it once landed."""
    names = set(git(root, "ls-tree", "-r", "--name-only", BRANCH).split())
    wrong = []
    if names != {"README", *flow.files}:
        wrong.append(f"the branch holds {sorted(names)}")
    places = [BRANCH, *(["HEAD"] if flow.land else [])]
    for name, text in flow.files.items():
        for place in places:
            found = git(root, "show", f"{place}:{name}")
            if found != text.strip():
                wrong.append(f"{name} of {place} is {found!r}")
    if flow.land and git(root, "status", "--porcelain", "--untracked-files=no"):
        wrong.append("the checkout is not as it was committed")
    return wrong
