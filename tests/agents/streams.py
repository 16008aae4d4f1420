"""Recorded lines of real programs, read as if a run of theirs had just ended."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path

from smithers.agents.base import Turn
from smithers.process.marks import Mark

HUGE = 10**400
TRANSCRIPTS = Path(__file__).parent / "transcripts"


def turn(tmp_path, **more):
    parts = {"session": "asked", "resume": False, "schema": None}
    scratch = tmp_path / "scratch" / "attempt"
    return Turn("Do it", tmp_path, scratch, Mark("run", "step", 1, 7), **{**parts, **more})


def recorded(program, name):
    return (TRANSCRIPTS / program / f"{name}.jsonl").read_text().splitlines()


def play(stream, lines, code=0, stderr=""):
    """Feed the lines, stderr last; returns the verdict and the events as (kind, text)."""
    events = [event for line in lines for event in stream.feed(line)]
    events += [event for line in stderr.splitlines() for event in stream.warn(line)]
    told = [(event.kind.value, event.text) for event in events]
    return stream.verdict(code, stderr, "asked"), told


def session_of(stream, lines):
    """The conversation's id as the first event that has one tells it, and the number of its line."""
    for number, line in enumerate(lines, 1):
        for event in stream.feed(line):
            if event.session:
                return event.session, number
    return None


def spoilt(lines):
    """Each line with each of its values, however deep, replaced by what nobody expects there."""
    for line in lines:
        event = json.loads(line)
        for path in list(_paths(event)):
            for value in (None, 7, "x", "", "\ud800", "\0", "a/b", [], {}, [None], True, HUGE, inf):
                yield json.dumps(_with(event, path, value))


def _paths(value, path=()):
    children = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in children:
        yield (*path, key)
        if isinstance(child, (dict, list)):
            yield from _paths(child, (*path, key))


def _with(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with(value[path[0]], path[1:], new)
    return copy
