"""The wall between foreign text and a terminal: what comes out holds nothing a terminal obeys."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from smithers.service.views import Safe

LIMIT = 4000
"""Characters of a line that are shown."""

_CACHED = 8192
_MARKS_KEPT = 4
_TAB = 4

# ECMA-48: strings (OSC, DCS, SOS, PM, APC) to their end or that of the line, CSI, other escapes;
# in 7-bit and 8-bit form, unterminated ones too. No ESC survives it.
_SEQUENCE = re.compile(
    "(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]{0,4096}(?:\x07|\x1b\\\\|\x9c)?"
    "|(?:\x1b\\[|\x9b)[\x30-\x3f]{0,64}[\x20-\x2f]{0,8}[\x40-\x7e]?"
    "|\x1b[\x20-\x2f]{0,8}[\x30-\x7e]?"
)
# A superset of runs of combining marks; arrows, boxes and dingbats hold none.
_MARK_RUN = re.compile(f"[^\\w\\s\x00-\x7f\u2190-\u2bff]{{{_MARKS_KEPT + 1},}}")
_SELECTOR_RUN = re.compile("(?<=[\ufe0e\ufe0f])[\ufe0e\ufe0f]+")

_INVISIBLE = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0D),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0xE0000, 0xE0FFF),
)
"""Default-ignorable signs that no category gives away; of U+FE0E and U+FE0F one is kept."""

_HIDDEN_CATEGORIES = frozenset({"Cf", "Cn", "Co"})


def _replacement(code: int, *, strict: bool) -> str | None:
    """What stands for a sign that may not pass, or None if it may."""
    if code < 0x20:
        return None if code == 0x09 else chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if code in {0x2028, 0x2029}:
        return "␤"
    if 0xD800 <= code <= 0xDFFF and not strict:
        return "\ufffd"
    if 0x80 <= code <= 0x9F or 0xD800 <= code <= 0xDFFF:
        return f"⟨U+{code:04X}⟩"
    if unicodedata.category(chr(code)) in _HIDDEN_CATEGORIES or any(
        first <= code <= last for first, last in _INVISIBLE
    ):
        return f"⟨U+{code:04X}⟩" if strict else ""
    return None


class _Table(dict[int, "int | str | None"]):
    """A table for `str.translate` that fills itself, so that start-up classifies nothing."""

    def __init__(self, entry: Callable[[int], int | str | None]) -> None:
        super().__init__()
        self._entry = entry

    def __missing__(self, code: int) -> int | str | None:
        entry = self._entry(code)
        if len(self) < _CACHED:
            self[code] = entry
        return entry


def _as_log(code: int) -> int | str:
    shown = _replacement(code, strict=False)
    return code if shown is None else shown


def _as_gate(code: int) -> int | str:
    shown = _replacement(code, strict=True)
    return code if shown is None else shown


def _as_count(code: int) -> str | None:
    return None if _replacement(code, strict=True) is None else "x"


_LOG = _Table(_as_log)
_GATE = _Table(_as_gate)
_COUNT = _Table(_as_count)


def clean(text: str | bytes, *, strict: bool = False, limit: int = LIMIT) -> Safe:
    """Any number of lines made safe: escape sequences and hidden signs go, tabs become spaces.

    `strict` is for gates and diffs: nothing is dropped, each sign that cannot pass is shown.
    A line over `limit` characters is cut and says by how much.
    """
    lines = _text(text).split("\n")
    return Safe("\n".join([_clean_line(each, strict=strict, limit=limit) for each in lines]))


def line(text: str | bytes, *, strict: bool = False, limit: int = 1000) -> Safe:
    """As `clean`, on one line: line ends become ␤."""
    flat = _text(text)
    if "\n" in flat:
        flat = flat.rstrip("\n").replace("\r\n", "\n").replace("\n", "␤")
    return Safe(_clean_line(flat, strict=strict, limit=limit))


def hidden(text: str | bytes, *, limit: int = LIMIT) -> int:
    """Signs that the strict form replaces or cuts off; the carriage return of CRLF is none."""
    raw = _text(text).replace("\r\n", "\n").removesuffix("\r")
    count = 0
    for each in raw.split("\n"):
        count += max(0, len(each) - limit)
        if not (each.isascii() and each.isprintable()):
            count += len(each.translate(_COUNT)) + len(each) - len(_fewer_marks(each))
    return count


def _text(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")


def _clean_line(text: str, *, strict: bool, limit: int) -> str:
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    if not strict and "\r" in text:
        # What a terminal would have left on the line, with a mark that something was before it.
        *before, text = text.rstrip("\r").rsplit("\r", 1)
        text = f"⏎{text}" if before else text
    beyond = max(0, len(text) - 8 * limit)  # bounds the work on a line of megabytes
    text = text[: 8 * limit]
    if not strict:
        text = _SEQUENCE.sub("", text)
    text = text.translate(_GATE if strict else _LOG)
    if not text.isascii():
        text = _fewer_marks(text, strict=strict)
    return _cut(text.expandtabs(_TAB), beyond, limit)


def _fewer_marks(text: str, *, strict: bool = False) -> str:
    """At most four combining marks on a base, and one variation selector."""

    def fewer(match: re.Match[str]) -> str:
        kept, run = [], 0
        for sign in match[0]:
            run = run + 1 if unicodedata.category(sign) in {"Mn", "Me"} else 0
            if run <= _MARKS_KEPT:
                kept.append(sign)
            elif strict:
                kept.append(f"⟨U+{ord(sign):04X}⟩")
        return "".join(kept)

    def shown(match: re.Match[str]) -> str:
        return "".join(f"⟨U+{ord(sign):04X}⟩" for sign in match[0]) if strict else ""

    return _MARK_RUN.sub(fewer, _SELECTOR_RUN.sub(shown, text))


def _cut(text: str, beyond: int, limit: int) -> str:
    if len(text) <= limit and not beyond:
        return text
    # The mark lies within the limit, so that cleaning twice changes nothing.
    mark = f"… +{len(text) + beyond - limit:,}" if limit >= 100 else "…"
    return text[: max(0, limit - len(mark))] + mark
