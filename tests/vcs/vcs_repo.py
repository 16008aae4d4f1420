"""A real repository to act on as its person would."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Repo:
    top: Path

    def git(self, *args: str, check: bool = True, **env: str) -> str:
        done = subprocess.run(
            ["git", *args],
            cwd=self.top,
            capture_output=True,
            check=False,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
        )
        assert not check or done.returncode == 0, (args, done.stderr)
        return os.fsdecode(done.stdout).rstrip("\n")

    def write(self, name: str, text: str | bytes = "x\n") -> Path:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def commit(self, message: str = "change") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def tree(self, commit: str) -> dict[str, str]:
        """Content of every file of a commit."""
        names = self.git("ls-tree", "-r", "-z", "--name-only", commit).split("\0")
        return {name: self.git("cat-file", "-p", f"{commit}:{name}") for name in names if name}

    def state(self) -> dict[str, object]:
        """All that only the person may move."""
        git_dir = Path(self.git("rev-parse", "--absolute-git-dir"))
        index = git_dir / "index"
        return {
            "head": (git_dir / "HEAD").read_bytes(),
            "index": index.read_bytes() if index.exists() else b"",
            "inode": index.stat().st_ino if index.exists() else 0,
            "heads": self.git("for-each-ref", "refs/heads", "refs/tags"),
            "stash": self.git("stash", "list"),
            "status": self.git("--no-optional-locks", "status", "--porcelain", "-uall"),
            "config": (git_dir / "config").read_bytes() if (git_dir / "config").exists() else b"",
        }
