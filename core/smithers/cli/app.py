"""The command `smithers`: arguments in, exit code out, every error in one form."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable, Sequence

from smithers.cli import VERSION
from smithers.errors import SmithersError, UsageError

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code; leaves by `SystemExit` only for help and version."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # What a terminal's encoding lacks is shown as an escape; a sign must not end a command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(words)
    except SmithersError as error:
        return _failed(error, as_json="--json" in words)
    except BrokenPipeError:
        from smithers.cli import printing  # noqa: PLC0415

        printing.stop_writing()
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        return _failed(_system(error), as_json="--json" in words)


def _run(words: list[str]) -> int:
    if words == ["--version"]:
        sys.stdout.write(f"smithers {VERSION}\n")
        return 0
    from smithers.cli import parser  # noqa: PLC0415  the version is told without argparse

    commands = parser.build()
    _refuse_unknown(list(commands.commands), words)
    args = commands.parse_args(words)
    module, _, function = args.handler.partition(":")
    handler: Callable[[object], int] = getattr(
        importlib.import_module(f"smithers.cli.{module}"), function
    )
    return handler(args)


def _refuse_unknown(known: list[str], words: list[str]) -> None:
    """Name the nearest command, where argparse would list all of them."""
    first = next((word for word in words if not word.startswith("-")), None)
    if first is None or first in known:
        return
    import difflib  # noqa: PLC0415

    close = difflib.get_close_matches(first, known, n=1, cutoff=0.5)
    hint = f"smithers {close[0]}" if close else "smithers --help"
    raise UsageError(f"there is no command {first!a}", next=hint)


def _system(error: OSError) -> SmithersError:
    place = f": {error.filename}" if error.filename else ""
    return SmithersError(f"{error.strerror or error}{place}", next="smithers doctor")


def _failed(error: SmithersError, *, as_json: bool) -> int:
    from smithers.service import safe  # noqa: PLC0415

    if as_json:
        from smithers.cli import forms  # noqa: PLC0415

        kept = f". kept: {error.kept}" if error.kept else ""
        forms.emit(forms.error(error.code, f"{error.what}{kept}", error.next))
    else:
        sys.stderr.write(f"error: {safe.clean(str(error))}\n")
    return error.exit_code
