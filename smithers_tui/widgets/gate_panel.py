"""The approval panel: facts, the exact bytes, and keys that arm only once they could be read."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input
from typing_extensions import override

from smithers.model.gate import Remember
from smithers.service.views import GateView, Safe
from smithers_tui.host import host
from smithers_tui.view import gates as view
from smithers_tui.view.line import BLANK, Line, Span, own, say
from smithers_tui.widgets.paint import Painted, Sheet

ARM = 0.4
"""Seconds between new content and the first key that counts."""


class Reason(Input):
    """One line of free text: why not."""

    def __init__(self) -> None:
        super().__init__(
            placeholder="why not? the run reads it · ⏎ denies · esc goes back", id="reason"
        )
        self.cursor_blink = False


class GateBody(Sheet):
    """What is asked about. Tells when it was scrolled, for its end must have been seen."""

    class Scrolled(Message):
        """The view has moved."""

    @override
    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Scrolled())


class GatePanel(Vertical):
    """Shows one gate. Decides nothing itself: `may_decide` says whether a key counts now."""

    DEFAULT_CSS = """
    GatePanel { height: 1fr; width: 1fr; }
    GatePanel #reason { display: none; }
    GatePanel.-denying #reason { display: block; }
    """

    class Armed(Message):
        """From now on keys count."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.gate: GateView | None = None
        self.armed = False
        self.remember = Remember.ONCE
        """What the answer is to hold for."""
        self.banner: Line = BLANK
        self._seen_end = False
        self._timer: Timer | None = None

    @override
    def compose(self) -> ComposeResult:
        yield Painted(id="gate-facts")
        yield GateBody(id="gate-body")
        yield Painted(id="gate-keys")
        yield Reason()

    @property
    def body(self) -> Sheet:
        return self.query_one("#gate-body", Sheet)

    @property
    def reason(self) -> Reason:
        return self.query_one(Reason)

    def take(self, gate: GateView | None) -> None:
        """Another gate, or the same as it is now. Other content disarms the keys."""
        old = self.gate
        other = gate is None or old is None or view.key(gate) != view.key(old)
        self.gate = gate
        if other or (gate is not None and gate.decision is not None):
            self._disarm()
        if other:
            self.banner = BLANK
            self.remember = Remember.ONCE
            self._seen_end = False
            self.ask_reason(open_it=False)
            self.body.scroll_to(0, 0, animate=False, immediate=True)
            if gate is not None and gate.decision is None:
                self._timer = self.set_timer(ARM, self._arm)
        self.paint()

    def appear(self) -> None:
        """The panel is in view again, perhaps under a finger that was elsewhere: arm anew."""
        gate, self.gate = self.gate, None
        self.take(gate)

    def _disarm(self) -> None:
        self.armed = False
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _arm(self) -> None:
        self.armed = True
        self.paint()
        self.post_message(self.Armed())

    def hold(self, banner: Line) -> None:
        """A decision is on its way, or was refused: no key counts until there is other content."""
        self._disarm()
        self.banner = banner
        self.ask_reason(open_it=False)
        self.paint()

    def release(self, banner: Line) -> None:
        """Keys count again, after something was refused that leaves the gate open."""
        self.armed = True
        self.banner = banner
        self.paint()

    def remember_more(self) -> None:
        """Have the answer hold for more; after the most, for this once again."""
        self.remember = view.wider(self.remember)
        self.paint()

    def why_not(self, *, approve: bool) -> str:
        """Why a deciding key does nothing now, or an empty string."""
        if self.gate is None:
            return "nothing waits"
        if self.gate.decision is not None:
            return "it is decided"
        if not self.armed:
            return "not yet: keys arm 0.4 s after the content appears"
        if approve and not self.at_end():
            return "not yet: there is more below (space), and it counts too"
        return ""

    def at_end(self) -> bool:
        """Whether the last line of what is asked has been on the screen."""
        body = self.body
        rows = body.scrollable_content_region.height
        if rows and body.scroll_y + rows >= body.count():
            self._seen_end = True
        return self._seen_end

    def ask_reason(self, *, open_it: bool) -> None:
        """Open or close the line for a reason."""
        self.set_class(open_it, "-denying")
        if open_it:
            self.reason.value = ""
            self.reason.focus()
        elif self.reason.has_focus:
            self.body.focus()

    def paint(self) -> None:
        """Everything anew, from the gate and the clock."""
        gate = self.gate
        facts, body, keys = (
            self.query_one("#gate-facts", Painted),
            self.body,
            self.query_one("#gate-keys", Painted),
        )
        body.display = gate is not None
        if gate is None:
            facts.show([BLANK, (say("  ✓ nothing waits for you", "ok"),)])
            keys.show([])
            return
        now = host(self).now()
        facts.show([*view.facts(gate, max(20, self.size.width - 2), now), BLANK])
        body.name_it(view.body_title(gate))
        body.show(view.body(gate, body.cells))
        keys.show([BLANK, *self._keys(gate, now)])

    def _keys(self, gate: GateView, now: int) -> list[Line]:
        if gate.decision is not None:
            return [view.verdict(gate, now), (say("n", "key"), say("  the next one", "dim"))]
        if self.banner:
            return [self.banner, BLANK]
        approve = not self.why_not(approve=True)
        deny = not self.why_not(approve=False)
        if not self.armed:
            hint = "keys arm in a moment · ⏎ does nothing here"
        elif not approve:
            hint = "space shows the rest; a counts once the end was seen"
        else:
            hint = "⏎ does nothing here · who decides first decides"
        scope, scopes = "", list[Line]()
        if view.asks_for_how_long(gate):
            word = view.scope_word(self.remember)
            scope = f" {word}" if self.remember is Remember.ONCE else f" for {word}"
            scopes = view.scopes(gate, self.remember, self.size.width - 2)
        return [
            (
                say(f" a approve{scope} ", "armed" if approve else "unarmed"),
                say("  "),
                say(f" x deny{scope}… ", "deny" if deny else "unarmed"),
            ),
            *scopes,
            (Span(own(hint), "dim"),),
        ]

    def on_resize(self) -> None:
        self.paint()

    def on_gate_body_scrolled(self) -> None:
        self.paint()


def refused(what: Safe, next_: Safe) -> Line:
    """The banner for a decision that did not count."""
    hint = f" · {next_}" if next_ else ""
    return (say("× ", "bad"), Span(own(f"{what}{hint}"), "bad"))
