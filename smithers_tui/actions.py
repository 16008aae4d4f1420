"""Every key of the app as data: bindings, footers, help and equivalent commands come from here."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum

from smithers.service.views import Safe


class Place(StrEnum):
    """Where a key has its meaning. `EVERYWHERE` and `LIST` hold inside the others."""

    EVERYWHERE = "everywhere"
    LIST = "moving"
    RUNS = "runs"
    RUN = "run"
    DIFF = "diff"
    INBOX = "inbox"


@dataclass(frozen=True, slots=True)
class Action:
    """What a key does. `id` names the method `action_<id>` of the screen or pane it acts on."""

    id: str
    keys: str
    """As Textual names them, separated by commas."""
    shown: str
    """As a person reads them."""
    label: str
    """One or two words for the footer; empty keeps it out of there."""
    meaning: str
    place: Place
    cli: str = ""
    """The same on the command line: a template over `run`, `step`, `gate`."""


def _moving() -> tuple[Action, ...]:
    at = Place.LIST
    return (
        Action("down", "j,down", "j ↓", "", "one line down", at),
        Action("up", "k,up", "k ↑", "", "one line up", at),
        Action("top", "g,home", "g", "", "to the first line", at),
        Action("bottom", "G,end", "G", "", "to the last line; a live log follows again", at),
        Action("half_down", "ctrl+d", "ctrl+d", "", "half a page down", at),
        Action("half_up", "ctrl+u", "ctrl+u", "", "half a page up", at),
        Action("next_page", "pagedown", "PgDn", "", "a page down", at),
        Action("last_page", "pageup", "PgUp", "", "a page up", at),
        Action("sideways(8)", "right", "→", "", "scroll to the right", at),
        Action("sideways(-8)", "left", "←", "", "scroll back to the left", at),
        Action("copy_line", "y", "y", "", "copy the line under the cursor", at),
    )


def _everywhere() -> tuple[Action, ...]:
    at = Place.EVERYWHERE
    return (
        Action("attention", "exclamation_mark", "!", "", "to the next thing that needs me", at),
        Action(
            "inbox", "i", "i", "inbox", "everything that waits for a person", at, "smithers inbox"
        ),
        Action("copy_command", "Y", "Y", "", "copy this place as a command line", at),
        Action("help", "question_mark", "?", "keys", "the keys of this place", at),
        Action("back", "escape", "esc", "back", "one level out; never quits", at),
        Action("quit_app", "q", "q", "quit", "leave; runs go on", at),
    )


def _verbs(at: Place) -> tuple[Action, ...]:
    return (
        Action(
            "pause",
            "p",
            "p",
            "pause",
            "let running steps finish, start nothing",
            at,
            "smithers pause {run}",
        ),
        Action("resume", "r", "r", "resume", "go on where it stopped", at, "smithers resume {run}"),
        Action(
            "stop",
            "S",
            "S",
            "stop",
            "that is enough: end loops after this turn",
            at,
            "smithers stop {run}",
        ),
        Action(
            "cancel",
            "X",
            "X",
            "cancel…",
            "end the run for good; asks first",
            at,
            "smithers cancel {run}",
        ),
    )


def _runs() -> tuple[Action, ...]:
    at = Place.RUNS
    return (
        Action(
            "open",
            "enter",
            "⏎",
            "open",
            "the run's steps, log and frames",
            at,
            "smithers inspect {run}",
        ),
        Action("log", "l", "l", "log", "its live log", at, "smithers logs {run} -f"),
        Action("diff", "d", "d", "diff", "what it changed", at, "smithers diff {run}"),
        Action(
            "look",
            "a",
            "a",
            "look",
            "look at what it asks, then approve or deny",
            at,
            "smithers inbox",
        ),
        *_verbs(at),
        Action(
            "filter", "slash", "/", "filter", "show some: a status, or words", at, "smithers ps"
        ),
        Action("preview", "space", "space", "", "unfold the preview in a narrow window", at),
    )


def _run() -> tuple[Action, ...]:
    at = Place.RUN
    return (
        Action("next_pane", "tab", "tab", "pane", "to the next pane", at),
        Action("last_pane", "shift+tab", "⇧tab", "", "to the pane before", at),
        Action(
            "show('log')", "l", "l", "log", "log of the step", at, "smithers logs {run} {step} -f"
        ),
        Action(
            "show('output')",
            "o",
            "o",
            "output",
            "what the step returned",
            at,
            "smithers output {run} {step}",
        ),
        Action(
            "show('attempts')",
            "t",
            "t",
            "tries",
            "its attempts; ⏎ shows the log of one",
            at,
            "smithers inspect {run}",
        ),
        Action("turn_tab(1)", "right_square_bracket", "]", "", "next tab", at),
        Action("turn_tab(-1)", "left_square_bracket", "[", "", "tab before", at),
        Action("follow", "f", "f", "follow", "go to the end of the log and stay there", at),
        Action("choose", "enter", "⏎", "", "the log of this step or attempt", at),
        Action("diff", "d", "d", "diff", "what the run changed", at, "smithers diff {run}"),
        Action(
            "step_diff", "D", "D", "", "what this step changed", at, "smithers diff {run} {step}"
        ),
        Action(
            "look",
            "a",
            "a",
            "look",
            "look at what it asks, then approve or deny",
            at,
            "smithers inbox",
        ),
        *_verbs(at),
    )


def _diff() -> tuple[Action, ...]:
    at = Place.DIFF
    return (
        Action(
            "side('run')",
            "1",
            "1",
            "run",
            "the whole run against its base",
            at,
            "smithers diff {run}",
        ),
        Action(
            "side('step')",
            "2",
            "2",
            "step",
            "the step's last attempt against its start",
            at,
            "smithers diff {run} {step}",
        ),
        Action("hunk(1)", "n", "n", "hunk", "next hunk", at),
        Action("hunk(-1)", "N", "N", "", "hunk before", at),
        Action("file(1)", "J", "J", "file", "next file", at),
        Action("file(-1)", "K", "K", "", "file before", at),
        Action("next_pane", "tab", "tab", "files", "between files and lines", at),
        Action("last_pane", "shift+tab", "⇧tab", "", "between files and lines", at),
        Action("choose", "enter", "⏎", "", "to the lines of this file", at),
    )


def _inbox() -> tuple[Action, ...]:
    at = Place.INBOX
    return (
        Action(
            "approve",
            "a",
            "a",
            "approve",
            "approve exactly what is shown",
            at,
            "smithers approve {run} {gate}",
        ),
        Action(
            "deny",
            "x",
            "x",
            "deny…",
            "deny; the reason goes back to the run",
            at,
            "smithers deny {run} {gate}",
        ),
        Action(
            "remember",
            "A",
            "A",
            "for…",
            "what the answer to an agent holds for: once, its step, its run, its recipe",
            at,
            "smithers approve {run} {gate} --remember step",
        ),
        Action("next_gate", "n", "n", "next", "the next thing that waits", at),
        Action("last_gate", "N", "N", "", "the one before", at),
        Action("next_pane", "tab", "tab", "", "between the list and what is asked", at),
        Action("last_pane", "shift+tab", "⇧tab", "", "between the list and what is asked", at),
        Action("body_page(1)", "space", "space", "", "a page down in what is asked", at),
        Action("open", "o", "o", "run", "open the run", at, "smithers inspect {run}"),
        Action("diff", "d", "d", "diff", "all that the run changed", at, "smithers diff {run}"),
        Action(
            "pause", "p", "p", "pause", "pause the run, decide later", at, "smithers pause {run}"
        ),
        Action("nothing", "enter", "⏎", "", "does nothing here, on purpose", at),
    )


ACTIONS: tuple[Action, ...] = (*_runs(), *_run(), *_diff(), *_inbox(), *_moving(), *_everywhere())


def at_place(place: Place) -> tuple[Action, ...]:
    return tuple(action for action in ACTIONS if action.place is place)


def named(place: Place, name: str) -> Action:
    """The action of a place, or one that holds everywhere."""
    for action in (*at_place(place), *at_place(Place.EVERYWHERE)):
        if action.id == name:
            return action
    raise KeyError(name)


def command_line(template: str, *, run: str = "", step: str = "", gate: str = "") -> Safe:
    """The command that does the same, quoted for a shell. Its parts are safe already."""
    words = {"run": run, "step": step, "gate": gate}
    filled = {name: shlex.quote(word) if word else "" for name, word in words.items()}
    return Safe(" ".join(template.format(**filled).split()))
