"""Every error a user can meet, as one tree; each says what happened, what is kept, what to do next.

SmithersError
├── UsageError            exit 2   bad arguments, input, config or workflow; nothing changed
│   ├── ConfigError                config.toml
│   ├── RenderError                a workflow that renders to no plan
│   └── UnknownRun                 no run fits, or several do
├── Refused               exit 5   not allowed, decided already, driven by a live engine
├── NeedsPerson           exit 5   a decision that only a person at a terminal may take
├── StoreError            exit 2   the run directory is not there, or cannot be read or written
│   ├── StoreGone         exit 1   database deleted, moved or replaced while open
│   ├── StoreTooNew                written by a newer program
│   ├── StoreFull         exit 1   no room on the disk; nothing of the write was done
│   └── StoreBusy         exit 5   another process holds the writer
├── LeaseLost             exit 5   another engine has taken over; this one must leave
├── AgentError            exit 1   an agent that is not there or cannot be started
│   └── UnknownAgent      exit 2   a name that means no agent
└── VcsError              exit 1   git said no
    └── LandRefused       exit 5   a branch that cannot be merged, and exactly why
"""

from __future__ import annotations


class SmithersError(Exception):
    """Base of all.

    `what` happened, what is `kept`, the `next` command or step; `code` is stable.
    """

    code = "error"
    exit_code = 1

    def __init__(self, what: str, *, kept: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.kept = kept
        self.next = next

    def __str__(self) -> str:
        kept = f". kept: {self.kept}" if self.kept else ""
        hint = f". next: {self.next}" if self.next else ""
        return f"{self.what}{kept}{hint}"


class UsageError(SmithersError):
    code = "usage"
    exit_code = 2


class ConfigError(UsageError):
    code = "config"


class RenderError(UsageError):
    code = "render"


class UnknownRun(UsageError):
    code = "unknown_run"


class Refused(SmithersError):
    code = "refused"
    exit_code = 5


class NeedsPerson(Refused):
    code = "needs_person"


class StoreError(SmithersError):
    code = "store"
    exit_code = 2


class StoreGone(StoreError):
    code = "store_gone"
    exit_code = 1


class StoreTooNew(StoreError):
    code = "store_too_new"


class StoreFull(StoreError):
    code = "store_full"
    exit_code = 1


class StoreBusy(StoreError):
    code = "store_busy"
    exit_code = 5


class LeaseLost(Refused):
    code = "lease_lost"


class AgentError(SmithersError):
    code = "agent"


class UnknownAgent(AgentError):
    code = "unknown_agent"
    exit_code = 2


class VcsError(SmithersError):
    code = "vcs"


class LandRefused(VcsError):
    code = "land_refused"
    exit_code = 5
