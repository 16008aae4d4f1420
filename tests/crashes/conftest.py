"""Engines are real here, and so is everything that they drive."""

from tests.running import workshop

__all__ = ["workshop"]
