"""What can be typed to keep house."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from smithers.cli import sizes, values


def commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add `doctor`, `gc`, `export`, `view` and `backup`."""
    doctor = add(
        "doctor",
        "doctor:doctor",
        "check what Smithers needs and what it has, each with its cure",
        example="smithers doctor --fix",
    )
    doctor.add_argument("--fix", action="store_true", help="do the cures that can do no harm")
    doctor.add_argument(
        "--verify", action="store_true", help="work out every record anew from the facts"
    )
    gc = add(
        "gc",
        "keep:gc",
        "remove runs that ended long ago, with all that they have",
        example="smithers gc --older-than 30d --dry-run",
    )
    gc.add_argument(
        "--older-than",
        type=values.seconds,
        default=30 * 86400.0,
        metavar="TIME",
        help="since they ended (default: 30d)",
    )
    gc.add_argument(
        "--larger-than", type=sizes.size, default=0, metavar="SIZE", help="on disk, such as 100M"
    )
    gc.add_argument(
        "--status", type=values.statuses, default=(), metavar="S", help="only these, by comma"
    )
    gc.add_argument(
        "--strays", action="store_true", help="no runs, only what is left of runs that are gone"
    )
    gc.add_argument(
        "--including-unlanded", action="store_true", help="also work that was never merged"
    )
    gc.add_argument("--dry-run", action="store_true", help="only say what would go and what stays")
    gc.add_argument("--yes", action="store_true", help="remove without asking")
    export = add(
        "export",
        "keep:export",
        "write a run into one file that can be looked into anywhere",
        example="smithers export @last crash.smithers.zip",
    )
    export.add_argument("run", metavar="RUN", help=values.RUN)
    export.add_argument("file", nargs="?", metavar="FILE", help="default: RUN.smithers.zip")
    view = add(
        "view",
        "keep:view",
        "look into an exported run: inspect, why, events, logs, diff, output",
        example="smithers view crash.smithers.zip logs build[1]/code",
    )
    view.add_argument("file", metavar="FILE", help="what `smithers export` wrote")
    view.add_argument(
        "words", nargs=argparse.REMAINDER, metavar="COMMAND", help="such as diff; default: inspect"
    )
    backup = add(
        "backup",
        "keep:backup",
        "copy the database while engines write",
        example="smithers backup /media/disk/runs.db",
    )
    backup.add_argument(
        "file", nargs="?", metavar="FILE", help="default: one in .smithers/state/backups"
    )
