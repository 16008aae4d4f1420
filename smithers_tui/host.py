"""What panes and places may ask of the app that holds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from textual.message_pump import MessagePump
from textual.widget import Widget

from smithers.service.views import GateView, RunRow, Safe, Summary
from smithers_tui.feed import Feed
from smithers_tui.messages import LightChanged
from smithers_tui.verbs import Verb


@dataclass
class Overview:
    """What every place shows of the whole directory."""

    summary: Summary | None = None
    gates: tuple[GateView, ...] | None = None
    lost: tuple[RunRow, ...] = ()
    light: LightChanged | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What was done last, in what tone, and the command that does the same."""

    what: Safe
    role: str
    cli: Safe


class Host(Protocol):
    root: Path
    root_name: Safe
    root_path: Safe
    feed: Feed
    colour: bool
    overview: Overview
    said: Said | None

    def now(self) -> int:
        """Milliseconds since 1970; tests hold it still."""
        ...

    def tell(self, what: Safe, cli: Safe = ..., role: str = ...) -> None:
        """Say what was done, until something else is said."""
        ...

    def copy(self, text: str) -> None:
        """To the clipboard of the terminal."""
        ...

    def do(self, verb: Verb, cli: Safe, target: MessagePump) -> None:
        """Run a verb in a thread; its outcome is posted to the target."""
        ...

    def open_run(self, run: str, step: str = ...) -> None: ...

    def open_diff(self, run: str, step: str | None = ...) -> None: ...

    def open_inbox(self, run: str = ...) -> None: ...

    def leave(self) -> None:
        """End the app. Runs go on."""
        ...


def host(widget: Widget) -> Host:
    return cast("Host", widget.app)
