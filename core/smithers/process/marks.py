"""Two marks by which every process of an attempt is found again: environment and rlimit."""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from dataclasses import dataclass

if sys.platform == "linux":
    import resource

VARIABLE = "SMITHERS_ATTEMPT"

# A limit on the CPU microseconds of real-time scheduling: so high that it never acts, inherited
# over fork, exec and setuid, and readable in /proc/PID/limits of a process that emptied its
# environment or overwrote it.
_LIMIT_BASE = 2**62
_TOKEN_BITS = 48


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose processes these are."""

    run: str
    step: str
    attempt: int
    token: int
    """48 random bits of this attempt alone."""

    def environ(self) -> dict[str, str]:
        """Variables that every child inherits and that stand in `/proc/PID/environ`."""
        return {
            "SMITHERS_RUN": self.run,
            "SMITHERS_STEP": self.step,
            VARIABLE: f"{self.run}/{self.step}.{self.attempt}.{self.token:012x}",
        }

    def limit(self) -> int:
        """Soft `RLIMIT_RTTIME` that carries the token, in microseconds."""
        return _LIMIT_BASE + self.token

    def set_limit(self) -> None:
        """Mark the calling process; meant for a child between fork and exec. Linux only."""
        if sys.platform == "linux":
            _, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
            if hard == resource.RLIM_INFINITY:
                with suppress(OSError, ValueError):  # a kernel without it: one mark less
                    resource.setrlimit(resource.RLIMIT_RTTIME, (self.limit(), hard))


def token_of_folder(path: str) -> int:
    """The token of what prepares this folder: the same for each engine of the run that has it."""
    return int.from_bytes(hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()[:6])


def token_of_limit(soft: int) -> int | None:
    """Read the token in a soft `RLIMIT_RTTIME`, or None if it is an ordinary limit."""
    token = soft - _LIMIT_BASE
    return token if 0 <= token < 2**_TOKEN_BITS else None


def token_of_variable(value: str) -> int | None:
    """Read the token at the end of `SMITHERS_ATTEMPT`, or None if there is none."""
    try:
        return int(value.rpartition(".")[2], 16)
    except ValueError:
        return None
