"""How much is measured, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    folder: Path
    """An empty folder on the disk that counts."""
    quick: bool = False
    """A tenth of the sizes, once: to see that it works, not to judge by."""

    @property
    def repeats(self) -> int:
        return 1 if self.quick else 5

    def size(self, full: int) -> int:
        return max(20, full // 10) if self.quick else full

    def place(self, name: str) -> Path:
        """A new folder in there."""
        for number in range(10_000):
            path = self.folder / f"{name}-{number}"
            if not path.exists():
                path.mkdir(parents=True)
                return path
        raise AssertionError(name)
