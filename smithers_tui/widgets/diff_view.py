"""The two panes of a diff: which files, and their lines."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from smithers.service.views import FileChange, Safe
from smithers_tui.view import diffs as view
from smithers_tui.view.line import Line, Span, line_width
from smithers_tui.widgets.paint import Pane


class FileList(Pane):
    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.files: Sequence[FileChange] = ()

    def take(self, files: Sequence[FileChange]) -> None:
        self.files = files
        self.changed()

    @override
    def count(self) -> int:
        return len(self.files)

    @override
    def line(self, n: int) -> Line:
        return view.file_row(self.files[n], self.cells)


class DiffPane(Pane):
    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: Sequence[view.DiffLine] = ()
        self.note = Safe("")
        self._hunks: list[int] = []
        self._files: list[int] = []
        self._widest = 0

    def take(self, lines: Sequence[view.DiffLine], note: Safe) -> None:
        self.lines, self.note = lines, note
        self._hunks, self._files = view.starts(lines, "hunk"), view.starts(lines, "file")
        self._widest = (
            max((line_width((Span(each.text),)) for each in lines), default=0) + view.GUTTER
        )
        self.changed()

    @override
    def changed(self) -> None:
        super().changed()
        if self._widest > self.cells:
            self.virtual_size = self.virtual_size.with_width(self._widest)

    @override
    def count(self) -> int:
        return len(self.lines)

    @override
    def line(self, n: int) -> Line:
        return view.row(self.lines[n], self.cells)

    @override
    def empty(self) -> Line:
        return (Span(self.note, "dim"),)

    def to_hunk(self, by: int) -> None:
        self._jump(self._hunks, by)

    def to_file(self, by: int) -> None:
        self._jump(self._files, by)

    def _jump(self, places: Sequence[int], by: int) -> None:
        if by > 0:
            target = next((n for n in places if n > self.at), None)
        else:
            target = next((n for n in reversed(places) if n < self.at), None)
        if target is not None:
            self.go(target)

    def go(self, n: int) -> None:
        """Line `n` near the top, so that what follows it is in view."""
        self.move(n)
        self.scroll_to(y=max(0, n - 1), animate=False, immediate=True)

    def show_file(self, path: str) -> None:
        for n in self._files:
            if self.lines[n].text == path:
                self.go(n)
                return

    @property
    def file(self) -> str:
        """Path of the file that the cursor is in."""
        before = [n for n in self._files if n <= self.at]
        return self.lines[before[-1]].text if before else ""
