"""Colours: one theme of our own, and how each role of a line looks in it or without colour."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from textual.theme import Theme

FORGE = Theme(
    name="forge",
    primary="#e0a35c",
    secondary="#7aa2c9",
    accent="#e0a35c",
    warning="#e6c15c",
    error="#e5737d",
    success="#8fbf7f",
    foreground="#d5d3cd",
    background="#15171b",
    surface="#1a1d22",
    panel="#22262d",
    boost="#262b33",
    dark=True,
    variables={
        "border": "#3a4049",
        "border-blurred": "#2c3139",
        "scrollbar": "#2f353e",
        "scrollbar-hover": "#49515d",
        "scrollbar-active": "#e0a35c",
        "scrollbar-background": "#1a1d22",
        "scrollbar-background-hover": "#1a1d22",
        "scrollbar-background-active": "#1a1d22",
        "scrollbar-corner-color": "#1a1d22",
        "block-cursor-background": "#2b313a",
        "block-cursor-foreground": "#f0eee8",
        "block-cursor-text-style": "none",
        "screen-selection-background": "#4a5d75",
        "input-cursor-background": "#e0a35c",
        "input-selection-background": "#4a5d75",
    },
)

_COLOURED: Mapping[str, Style] = {
    role: Style.parse(definition)
    for role, definition in {
        "": "",
        "bold": "bold #ece9e2",
        "brand": "bold #e0a35c",
        "id": "#a9b9cc",
        "dim": "#8c929b",
        "faint": "#5b626c",
        "rule": "#343a43",
        "head": "#737a85",
        "ok": "#8fbf7f",
        "run": "#7fb2e0",
        "warn": "#e6c15c",
        "ask": "bold #f0b35a",
        "bad": "#e5737d",
        "err": "#d99a9f",
        "tool": "#b7a4dd",
        "key": "bold #e0a35c",
        "cmd": "#9fc3b3",
        "code": "#ece9e2",
        "file": "bold #ece9e2",
        "hunk": "#7aa2c9",
        "add": "#9ccc8c on #1b2620",
        "del": "#e58f97 on #2a1d20",
        "armed": "bold #15171b on #e0a35c",
        "deny": "bold #15171b on #d08a90",
        "unarmed": "#8c929b on #2b313a",
        "pill": "bold #15171b on #7fb2e0",
        "tab": "bold #e0a35c underline",
        "cursor": "on #2b313a",
        "cursor-blurred": "on #20242a",
        "del-name": "#e58f97",
        "add-name": "#9ccc8c",
        "found": "#15171b on #e6c15c",
    }.items()
}

_PLAIN: Mapping[str, Style] = {
    role: Style.parse(definition)
    for role, definition in {
        **dict.fromkeys(_COLOURED, ""),
        "bold": "bold",
        "brand": "bold",
        "ask": "bold",
        "bad": "bold",
        "key": "bold",
        "file": "bold",
        "faint": "dim",
        "dim": "dim",
        "rule": "dim",
        "armed": "reverse bold",
        "deny": "reverse bold",
        "unarmed": "dim",
        "pill": "reverse",
        "tab": "bold underline",
        "cursor": "reverse",
        "cursor-blurred": "underline",
        "found": "reverse",
    }.items()
}


def styles(*, colour: bool) -> Mapping[str, Style]:
    return _COLOURED if colour else _PLAIN
