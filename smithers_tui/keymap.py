"""The registry's keys as bindings of Textual. Each has an id, so that a person can map it anew."""

from __future__ import annotations

from textual.binding import Binding

from smithers_tui.actions import Place, at_place


def bindings(*places: Place) -> list[Binding]:
    return [
        Binding(action.keys, action.id, action.meaning, show=False, id=f"{place}.{action.id}")
        for place in places
        for action in at_place(place)
    ]
