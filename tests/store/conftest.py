"""Real runs, where the store is watched as commands and engines use it."""

from tests.running import workshop

__all__ = ["workshop"]
