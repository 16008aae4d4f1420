"""What can be typed: every command with its arguments, its help and an example."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import NoReturn

from smithers.cli import VERSION, housekeeping, values
from smithers.cli.screen import screen_width
from smithers.errors import UsageError

_INTRO = "Durable runs of coding agents. Without a command: the terminal app, or a short status."
_EXITS = """exit codes: 0 done (a run: succeeded), 1 failed, 2 bad arguments, 3 waits for someone or
something, 4 cancelled, 5 refused, 124 `wait` ran out of time, 130 interrupted by Ctrl-C"""
_STEP = "key of a step, such as build[2]/review"
_WIDTH = min(screen_width() - 2, 98)

Add = Callable[..., "Parser"]


class _Help(argparse.RawDescriptionHelpFormatter):
    """Knows its width: argparse would load `shutil`, and ask the terminal for each argument."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_WIDTH)


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` where argparse would print and exit."""

    commands: Mapping[str, argparse.ArgumentParser] = {}

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, next=f"{self.prog} --help")


def build() -> Parser:
    """The whole command line. Costs milliseconds, imports nothing of the project's weight."""
    parser = Parser(
        prog="smithers",
        description=_INTRO,
        epilog=_EXITS,
        formatter_class=_Help,
    )
    parser.add_argument("--version", action="version", version=f"smithers {VERSION}")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.set_defaults(handler="home:home", json=False)
    commands = parser.add_subparsers(
        title="commands",
        metavar="COMMAND",
        dest="command",
        prog="smithers",
        parser_class=Parser,
    )

    def add(name: str, handler: str, summary: str, *, example: str) -> Parser:
        command: Parser = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"example: {example}",
            formatter_class=_Help,
        )
        command.add_argument(
            "--json",
            action="store_true",
            default=argparse.SUPPRESS,
            help="one JSON document on stdout; with --follow, one a line",
        )
        command.set_defaults(handler=handler)
        return command

    for group in (
        _runs,
        _verbs,
        _steering,
        _looks,
        _records,
        _agents_at_work,
        _decisions,
        _setup,
        _supervision,
        housekeeping.commands,
    ):
        group(add)
    parser.commands = commands.choices
    return parser


def _runs(add: Add) -> None:
    up = add(
        "up",
        "runs:up",
        "start a run of a recipe, and follow it",
        example='smithers up implement "Add rate limiting to the API" --agent coder=claude',
    )
    up.add_argument("recipe", help="name of a recipe, or file.py[:name]")
    up.add_argument("prompt", nargs="?", help="what to do, in plain words")
    up.add_argument("--input", metavar="JSON|@FILE|-", help="the recipe's input as JSON")
    up.add_argument("-d", "--detach", action="store_true", help="print the id and return")
    up.add_argument("--run-id", metavar="ID", help="name of the run instead of a made-up one")
    _agents(up)
    place = up.add_mutually_exclusive_group()
    place.add_argument("--in-place", action="store_true", help="work on the checkout itself")
    place.add_argument("--worktree", action="store_true", help="work in a git worktree of its own")
    up.add_argument(
        "--budget-minutes", type=values.positive, metavar="N", help="ask after N minutes"
    )
    up.add_argument("--budget-tokens", type=values.number, metavar="N", help="ask after N tokens")
    up.add_argument("--budget-usd", type=values.positive, metavar="N", help="ask after N dollars")

    wait = add(
        "wait",
        "follow:wait",
        "wait until a run needs someone or has finished",
        example="smithers wait @last --until needs-me,finished --timeout 10m",
    )
    wait.add_argument(
        "runs", nargs="+", metavar="RUN", help=f"{values.RUN}; several: the first to be so"
    )
    wait.add_argument(
        "--until",
        type=values.until,
        default=frozenset({"needs-me", "finished"}),
        metavar="WHAT",
        help="needs-me, finished, or both with a comma (default)",
    )
    wait.add_argument("--timeout", type=values.seconds, metavar="TIME", help="such as 90s, 10m, 2h")


def _verbs(add: Add) -> None:
    resume = _on_run(
        add,
        "resume",
        "runs:resume",
        "let a paused, interrupted or failed run go on",
        example="smithers resume @last --agent coder=claude:haiku",
    )
    _agents(resume)
    _follow(resume, "stay and follow it, as `up` does")
    pause = _on_run(
        add,
        "pause",
        "runs:pause",
        "start nothing new in a run; what runs may finish",
        example="smithers pause @last --now",
    )
    pause.add_argument("--now", action="store_true", help="stop what runs, too")
    _on_run(
        add,
        "stop",
        "runs:stop",
        "that is enough: open loops end after this iteration, the run goes on to its end",
        example="smithers stop @last",
    )
    _on_run(
        add,
        "cancel",
        "runs:cancel",
        "end a run for good; its files and its record stay",
        example="smithers cancel @last",
    )
    retry = _on_run(
        add,
        "retry",
        "runs:retry",
        "try a failed step once more",
        example="smithers retry @last build[2]/code --agent coder=claude",
    )
    retry.add_argument("step", metavar="STEP", help=_STEP)
    _agents(retry)
    _follow(retry, "stay and follow it, as `up` does")


def _steering(add: Add) -> None:
    message = _on_run(
        add,
        "message",
        "runs:message",
        "tell the agent of a step something, at its next turn",
        example='smithers message @last code "Leave the public API as it is"',
    )
    message.add_argument("step", metavar="STEP", help=_STEP)
    message.add_argument("text", metavar="TEXT", help="what to tell it; - reads standard input")


def _looks(add: Add) -> None:
    ps = add(
        "ps",
        "look:ps",
        "list runs, newest first",
        example="smithers ps --status running,waiting",
    )
    ps.add_argument(
        "--status", type=values.statuses, default=(), metavar="S", help="only these, by comma"
    )
    ps.add_argument("--all", action="store_true", help="not only the newest 50")
    ps.add_argument("--before", type=int, metavar="CURSOR", help="older than `next` of a page")
    _on_run(
        add,
        "inspect",
        "look:inspect",
        "show a run: steps, attempts, gates",
        example="smithers inspect @last",
    )
    _on_run(
        add,
        "why",
        "look:why",
        "say what a run waits for, and the command that clears it",
        example="smithers why @last",
    )


def _records(add: Add) -> None:
    logs = _on_run(
        add,
        "logs",
        "record:logs",
        "print what agents and checks wrote",
        example="smithers logs @last build[2]/code -f",
    )
    logs.add_argument("step", nargs="?", metavar="STEP", help=f"{_STEP}; all steps without it")
    logs.add_argument(
        "--attempt", type=values.number, metavar="N", help="only this attempt of the step"
    )
    logs.add_argument(
        "--raw", action="store_true", help="what was received, as it was, and nothing else"
    )
    _follow(logs, "go on until the run ends")
    events = _on_run(
        add,
        "events",
        "record:events",
        "print what changed in a run, frame by frame",
        example="smithers events @last -f",
    )
    _follow(events, "go on until the run ends")
    diff = _on_run(
        add,
        "diff",
        "record:diff",
        "show what a run, or an attempt of a step, changed in the files",
        example="smithers diff @last build[2]/code --stat",
    )
    diff.add_argument("step", nargs="?", metavar="STEP", help=f"{_STEP}; the run's without it")
    diff.add_argument(
        "--attempt", type=values.number, metavar="N", help="attempt, the last by default"
    )
    diff.add_argument("--stat", action="store_true", help="only the files and their counts")
    output = _on_run(
        add,
        "output",
        "record:output",
        "print the value that a step returned",
        example="smithers output @last build[2]/review",
    )
    output.add_argument("step", metavar="STEP", help=_STEP)


def _agents_at_work(add: Add) -> None:
    usage = add(
        "usage",
        "usage:usage",
        "add up the tokens and the money that agents have used",
        example="smithers usage @last --by model",
    )
    usage.add_argument("run", nargs="?", metavar="RUN", help=f"{values.RUN}; all without it")
    usage.add_argument(
        "--by", choices=["run", "step", "agent", "model", "day"], default="agent", help="by what"
    )
    agents = add(
        "agents",
        "agents:agents",
        "list the agents there are and what each one can do, or try one",
        example="smithers agents test claude",
    )
    agents.add_argument("action", nargs="?", choices=["list", "test"], default="list")
    agents.add_argument("name", nargs="?", metavar="NAME", help="of the agent to try")
    agents.add_argument(
        "--keep", action="store_true", help="leave the folder in which it was tried"
    )


def _decisions(add: Add) -> None:
    add("inbox", "decide:inbox", "list what waits for a decision", example="smithers inbox")
    approve = _on_run(
        add,
        "approve",
        "decide:approve",
        "open a gate",
        example='smithers approve @last ship --note "reads well"',
    )
    deny = _on_run(
        add,
        "deny",
        "decide:deny",
        "keep a gate shut, and say why",
        example='smithers deny @last ship --reason "no test for the limit itself"',
    )
    for command in (approve, deny):
        command.add_argument("gate", nargs="?", metavar="GATE", help="its step's key, or its id")
        command.add_argument(
            "--remember",
            choices=["once", "step", "run", "recipe"],
            default="once",
            help="of an agent's question: what the answer holds for",
        )
    approve.add_argument("--note", default="", help="kept with the decision")
    deny.add_argument("--reason", required=True, help="kept with the decision, and told the agent")
    _on_run(
        add,
        "land",
        "decide:land",
        "merge a run's branch into the branch that is checked out",
        example="smithers land @last",
    )


def _setup(add: Add) -> None:
    init = add("init", "setup:init", "make a run directory here", example="smithers init")
    init.add_argument("--yes", action="store_true", help="install the skill without asking")
    recipes = add("recipes", "setup:recipes", "list recipes", example="smithers recipes show ralph")
    recipes.add_argument("action", nargs="?", choices=["list", "show"], default="list")
    recipes.add_argument("name", nargs="?", metavar="NAME", help="the recipe to show")
    skill = add(
        "skill",
        "setup:skill",
        "teach agents here to drive Smithers",
        example="smithers skill install --yes",
    )
    skill.add_argument("action", choices=["install", "show"])
    skill.add_argument("--user", action="store_true", help="for all projects, in the home folder")
    skill.add_argument("--yes", action="store_true", help="write without asking")
    skill.add_argument("--force", action="store_true", help="also over a file that was changed")
    demo = add(
        "demo",
        "demo:demo",
        "run the main job on a small project, without any account",
        example="smithers demo --crash",
    )
    demo.add_argument("--dir", metavar="D", help="new folder to make (default: smithers-demo)")
    demo.add_argument("--yes", action="store_true", help="approve at the gate, as agent:demo")
    demo.add_argument("--crash", action="store_true", help="kill the engine half-way, and resume")
    tui = add("tui", "home:tui", "open the terminal app", example="smithers tui @last")
    tui.add_argument("run", nargs="?", metavar="RUN", help=values.RUN)


def _supervision(add: Add) -> None:
    add(
        "supervise",
        "supervise:supervise",
        "bring back runs that have work and no engine, until it is stopped",
        example="smithers supervise",
    )
    service = add(
        "service",
        "supervise:service",
        "have systemd or launchd keep a supervisor of this run directory",
        example="smithers service install --print",
    )
    service.add_argument("action", choices=["install", "uninstall", "status"])
    service.add_argument("--print", action="store_true", help="only print what install would write")
    service.add_argument("--yes", action="store_true", help="write without asking")


def _on_run(add: Add, name: str, handler: str, summary: str, *, example: str) -> Parser:
    command = add(name, handler, summary, example=example)
    command.add_argument("run", metavar="RUN", help=values.RUN)
    return command


def _agents(command: Parser) -> None:
    command.add_argument(
        "--agent",
        action="append",
        default=[],
        type=values.role,
        metavar="ROLE=AGENT",
        help="who plays a role in this run; can be repeated",
    )


def _follow(command: Parser, help_text: str) -> None:
    command.add_argument("-f", "--follow", action="store_true", help=help_text)
