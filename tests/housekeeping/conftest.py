"""A repository with old runs in it, and real engines where something must be at work meanwhile."""

import os

import pytest

from tests.housekeeping.house import House
from tests.running import workshop

__all__ = ["workshop"]


@pytest.fixture
def house(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("SMITHERS_", "GIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("COLUMNS", "100")
    made = House(tmp_path / "project")
    monkeypatch.chdir(made.root)
    yield made
    made.store.close()
