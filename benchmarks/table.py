"""The table on paper."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.rows import Row

HEADS = ("what", "measured", "beside it", "ratio", "budget", "verdict", "n")
RIGHT = (1, 3, 4, 6)


def figure(value: float) -> str:
    """Three digits that count, never in powers of ten."""
    if value and abs(value) < 100:
        digits = 3 if abs(value) < 1 else 2 if abs(value) < 10 else 1
        return f"{value:.{digits}f}"
    return f"{value:,.0f}"


def cells(row: Row) -> tuple[str, ...]:
    reference = "-"
    if row.reference is not None:
        reference = f"{figure(row.reference)} {row.unit} {row.beside}".rstrip()
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}x"
    return (
        row.what,
        f"{figure(row.measured)} {row.unit}",
        reference,
        ratio,
        _budget(row),
        verdict(row),
        str(row.count),
    )


def _budget(row: Row) -> str:
    if row.budget is None:
        return "-"
    if row.budget.of == "ratio":
        return f"{row.budget.most:g}x"
    return f"{row.budget.most:g} {row.budget.unit}"


def verdict(row: Row) -> str:
    """`ok`, or by how much the row is over."""
    if row.budget is None or row.excess is None:
        return "-"
    if row.excess <= 0:
        return "ok"
    unit = "x" if row.budget.of == "ratio" else f" {row.budget.unit}"
    return f"over by {figure(row.excess)}{unit}"


def lines(rows: Sequence[Row]) -> list[str]:
    """The whole table, in columns."""
    body = [HEADS, *(cells(row) for row in rows)]
    widths = [max(len(line[place]) for line in body) for place in range(len(HEADS))]
    padded = [_line(line, widths) for line in body]
    return [padded[0], "  ".join("-" * width for width in widths), *padded[1:]]


def _line(line: Sequence[str], widths: Sequence[int]) -> str:
    fitted = (
        cell.rjust(width) if place in RIGHT else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(line, widths, strict=True))
    )
    return "  ".join(fitted).rstrip()
