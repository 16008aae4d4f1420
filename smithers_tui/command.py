"""`smithers` and `smithers tui`: opens the app on a terminal, or says why it cannot."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def run(root: Path, *, screen: str = "runs", run: str | None = None) -> int:
    """Show the app over the directory `root`. Returns the exit code; 2 without a fit terminal."""
    why = _unfit()
    if why:
        sys.stderr.write(f"error: the app needs a terminal ({why}). next: smithers ps\n")
        return 2
    if "NO_COLOR" in os.environ:
        # Read when Textual is imported. Only a theme of the terminal's own colours loses them all.
        os.environ["TEXTUAL_THEME"] = "ansi-dark"
    # Textual takes a quarter of a second to import, and a refusal needs none of it.
    from smithers_tui.app import SmithersApp  # noqa: PLC0415

    app = SmithersApp(root, screen=screen, run=run or "", keep=True)
    app.run()
    summary, light = app.overview.summary, app.overview.light
    known = light is not None and light.live and sys.stdin.isatty()
    if known and summary is not None and summary.running:
        word = "run goes" if summary.running == 1 else "runs go"
        sys.stderr.write(f"{summary.running} {word} on. next: smithers ps\n")
    return app.return_code or 0


def _unfit() -> str:
    """Why the app cannot be shown here, or an empty string."""
    if os.environ.get("TERM", "") in {"", "dumb"}:
        return "TERM is " + (os.environ.get("TERM") or "not set")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "input or output is not one"
    return ""
