"""A directory in a folder of its own, a clock that stands still, and no animation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import directory
import pytest
import sample


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def root() -> Path:
    """Relative, so that pictures do not depend on where the tests run."""
    return Path("shop-api")


@pytest.fixture
def there(root: Path) -> Iterator[directory.Directory]:
    """An empty run directory."""
    root.mkdir()
    made = directory.Directory(root)
    yield made
    made.db.close()


@pytest.fixture
def shop(root: Path) -> Iterator[directory.Directory]:
    """One run of each state."""
    made = sample.shop(root)
    yield made
    made.db.close()
