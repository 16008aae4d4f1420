import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smithers.service.safe import clean, hidden, line

PAYLOADS = {
    "clipboard": ("a\x1b]52;c;ZXZpbA==\x07b", "ab"),
    "clipboard without an end": ("a\x1b]52;c;ZXZpbA==", "a"),
    "link": ("\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\", "text"),
    "title": ("\x1b]0;T\x07x", "x"),
    "report": ("\x1b[6nx\x1b[21tx", "xx"),
    "request": ("\x1bP$qm\x1b\\x", "x"),
    "reset": ("\x1bcx", "x"),
    "other screen": ("\x1b[?1049hx", "x"),
    "8-bit control": ("\x9b31mx\x9d52;c;AA\x9cy", "xy"),
    "escape of an escape": ("\x1b\x1b[31mx", "x"),
    "colour": ("\x1b[1;31mred\x1b[0m", "red"),
    "reordering": ("a\u202eb\u2066c", "abc"),
    "zero width": ("a\u200bb\u2060c\ufeffd\u00ade", "abcde"),
    "tags": ("a\U000e0041\U000e0042b", "ab"),
    "invisible letters": ("a\u3164b\u115fc", "abc"),
    "line separator": ("a\u2028b", "a␤b"),
    "bell, backspace, nul, delete": ("a\x07\x08\x00\x7f", "a␇␈␀␡"),
    "rewritten line": ("good\rEVIL", "⏎EVIL"),
    "progress": ("10%\r50%\r", "⏎50%"),
    "line ends of another system": ("a\r\nb\r\n", "a\nb\n"),
    "undecodable byte": ("a\udc9bb", "a\ufffdb"),
    "private use": ("a\ue0b0b", "ab"),
    "unassigned": ("a\U0003ffffb", "ab"),
    "marks": ("e" + "\u0301" * 50 + "x", "e" + "\u0301" * 4 + "x"),
    "tab": ("ab\tc", "ab  c"),
    "markup stays text": ("[@click=x]y[/x]", "[@click=x]y[/x]"),
    "other scripts": ("日本語 naïve — ✓ ❤️ é", "日本語 naïve — ✓ ❤️ é"),
}

STRICT = {
    "reordering": ("rm \u202e x", "rm ⟨U+202E⟩ x"),
    "escape": ("\x1b[31mx\x9b", "␛[31mx⟨U+009B⟩"),
    "carriage return": ("a\rb\r\n", "a␍b␍\n"),
    "undecodable byte": (b"a\x9bb", "a⟨U+DC9B⟩b"),
    "marks": ("e" + "\u0301" * 5, "e" + "\u0301" * 4 + "⟨U+0301⟩"),
    "selectors": ("❤\ufe0f\ufe0f", "❤\ufe0f⟨U+FE0F⟩"),
}


@pytest.mark.parametrize(("text", "shown"), PAYLOADS.values(), ids=PAYLOADS)
def test_nothing_that_a_terminal_obeys_gets_through(text, shown):
    assert clean(text) == shown


@pytest.mark.parametrize(("text", "shown"), STRICT.values(), ids=STRICT)
def test_the_strict_form_shows_what_it_does_not_pass(text, shown):
    assert clean(text, strict=True) == shown


def test_one_line_stays_one_line():
    assert line("new\nline\r\nx\n") == "new␤line␤x"
    assert "\n" not in line("a\n\u2028b\x0bc")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("plain\n\ttext\r\n", 0),
        ("日本語 ❤️", 0),
        ("a\u202eb\x1b[0m", 2),
        ("a\rb", 1),
        ("e" + "\u0301" * 6, 2),
        ("x" * 4010, 10),
    ],
)
def test_hidden_signs_are_counted(text, count):
    assert hidden(text) == count


def test_a_long_line_is_cut_and_says_by_how_much():
    cut = clean("short\n" + "x" * 10_000)
    first, second = cut.split("\n")
    assert first == "short"
    assert len(second) == 4000
    assert second.endswith("x… +6,000")
    assert line("x" * 50, limit=10) == "x" * 9 + "…"


def test_ten_hostile_megabytes_on_one_line_cost_milliseconds():
    started = time.process_time()
    for text in ("\x1b]" * 5_000_000, "\x1b[" + "1;" * 5_000_000, "a\u0301" * 5_000_000):
        assert len(clean(text)) <= 4000
    assert time.process_time() - started < 1


SIGNS = st.one_of(
    st.characters(),
    st.sampled_from("\x1b\x9b\x9d\x07\\]P[;m\r\n\t\u202e\u200d\u0301\ufe0f\u2028\udc9b\U000e0041"),
)


def is_forbidden(sign):
    return sign != "\n" and (
        ord(sign) < 0x20
        or 0x7F <= ord(sign) <= 0x9F
        or unicodedata.category(sign) in {"Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
    )


@given(st.text(SIGNS), st.booleans(), st.sampled_from([1, 7, 120, 4000]))
def test_no_text_at_all_gets_a_forbidden_sign_through(text, strict, limit):
    once = clean(text, strict=strict, limit=limit)
    assert not [sign for sign in once if is_forbidden(sign)]
    assert clean(once, strict=strict, limit=limit) == once
    assert max(map(len, once.split("\n"))) <= limit
    assert not hidden(once, limit=limit)


@given(st.binary(), st.booleans())
def test_no_bytes_at_all_get_a_forbidden_sign_through(data, strict):
    once = clean(data, strict=strict)
    assert not [sign for sign in once if is_forbidden(sign)]
    assert clean(once, strict=strict) == once
    once.encode()


@given(st.text(SIGNS))
def test_where_nothing_is_hidden_the_strict_form_is_the_text(text):
    text = text.replace("\r\n", "\n").removesuffix("\r")
    if not hidden(text):
        assert clean(text, strict=True) == text.expandtabs(4)
