"""The unit by which systemd or launchd keeps a supervisor running, and how it is told of it."""

from __future__ import annotations

import hashlib
import os
import plistlib
import pwd
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from smithers.errors import Refused
from smithers.process.run import run
from smithers.service.locate import state_dir
from smithers.service.safe import line

MARK = "Written by `smithers service install`"
_RESTART_SECONDS = 1
_TOOL_SECONDS = 20.0
_PASSED_ON = ("PATH", "XDG_CONFIG_HOME")
"""Agents are looked for on the PATH of the engines, which is that of their supervisor."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One file, for one run directory."""

    name: str
    path: Path
    text: str
    start: tuple[tuple[str, ...], ...]
    """What has the manager read the file and run it."""
    stop: tuple[tuple[str, ...], ...]
    reload: tuple[tuple[str, ...], ...]
    """What has it forget a file that is gone."""
    ask: tuple[str, ...]
    """Exits with 0 while the unit runs."""


@dataclass(frozen=True, slots=True)
class Told:
    """How it went when the manager was told."""

    done: bool
    by_hand: tuple[str, ...] = ()
    """The commands that are left to do, and the reason why."""
    reason: str = ""


def unit(root: Path, environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Unit:
    """What `install` writes for the run directory of `root`.

    Raises Refused for a path that no unit can hold.
    """
    if re.search(r"[\x00-\x1f\x7f]", str(root)) or str(root) != str(root).rstrip("\\ "):
        raise Refused(
            f"a unit cannot name the folder {line(str(root))!r}: a control character, or a blank "
            "or backslash at its end",
            kept="everything as it was",
            next="rename the folder, or start `smithers supervise` by other means",
        )
    passed_on = {name: environ[name] for name in _PASSED_ON if environ.get(name)}
    return _launchd(root, passed_on) if platform == "darwin" else _systemd(root, environ, passed_on)


def _name(root: Path) -> str:
    """Different for each path, and fit for any manager."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", root.name).strip("-")[:40] or "root"
    return f"{slug}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:8]}"


def _command() -> list[str]:
    # -P: what lies in the checkout must not be imported in place of a module.
    return [sys.executable, "-P", "-m", "smithers.cli", "supervise"]


def _systemd(root: Path, environ: Mapping[str, str], passed_on: Mapping[str, str]) -> Unit:
    given = environ.get("XDG_CONFIG_HOME", "")
    config = Path(given) if given.startswith("/") else Path("~/.config").expanduser()
    name = f"smithers-{_name(root)}.service"
    variables = "".join(
        f"Environment={_quoted(f'{key}={value}')}\n" for key, value in passed_on.items()
    )
    words = " ".join(_quoted(word).replace("$", "$$") for word in _command())
    where = str(root).replace("%", "%%")
    text = f"""\
# {MARK}
[Unit]
Description=Smithers: brings back the runs of {where}
StartLimitIntervalSec=0

[Service]
ExecStart={words}
WorkingDirectory={where}
{variables}Restart=on-failure
RestartSec={_RESTART_SECONDS}
# No run directory, or another supervisor of it.
RestartPreventExitStatus=2 5
# Engines outlive their supervisor, and one that runs out of memory takes no other with it.
KillMode=process
OOMPolicy=continue

[Install]
WantedBy=default.target
"""
    tool = ("systemctl", "--user")
    return Unit(
        name=name,
        path=config / "systemd" / "user" / name,
        text=text,
        start=((*tool, "daemon-reload"), (*tool, "enable", name), (*tool, "restart", name)),
        stop=((*tool, "disable", "--now", name),),
        reload=((*tool, "daemon-reload"),),
        ask=(*tool, "is-active", "--quiet", name),
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _launchd(root: Path, passed_on: Mapping[str, str]) -> Unit:
    label = f"smithers.{_name(root)}"
    path = Path("~/Library/LaunchAgents").expanduser() / f"{label}.plist"
    content = {
        "Label": label,
        "ProgramArguments": _command(),
        "WorkingDirectory": str(root),
        "EnvironmentVariables": dict(passed_on),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "AbandonProcessGroup": True,
        "StandardErrorPath": str(state_dir(root) / "supervisor.log"),
    }
    head, _, rest = plistlib.dumps(content, sort_keys=False).decode().partition("\n")
    domain = f"gui/{os.getuid()}"
    stop = ("launchctl", "bootout", f"{domain}/{label}")
    return Unit(
        name=label,
        path=path,
        text=f"{head}\n<!-- {MARK} -->\n{rest}",
        start=(stop, ("launchctl", "bootstrap", domain, str(path))),
        stop=(stop,),
        reload=(),
        ask=("launchctl", "print", f"{domain}/{label}"),
    )


def written(what: Unit) -> str | None:
    """The text of the file that is there, or None. Raises Refused for one that is not ours."""
    try:
        text = what.path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    if MARK not in text:
        raise Refused(
            f"{line(str(what.path))} was not written by smithers",
            kept="that file",
            next=f"look into it, and move it away: {line(str(what.path))}",
        )
    return text


def install(what: Unit) -> Told:
    """Write the file and have it run; the same once more if it is there already."""
    written(what)
    what.path.parent.mkdir(parents=True, exist_ok=True)
    fresh = what.path.with_name(f".{what.path.name}.new")
    fresh.write_text(what.text, encoding="utf-8")
    fresh.replace(what.path)
    return _tell(what.start)


def uninstall(what: Unit) -> Told | None:
    """End it and remove the file; None if there is none. Runs and engines go on."""
    if written(what) is None:
        return None
    told = _tell(what.stop)
    what.path.unlink()
    again = _tell(what.reload)
    if told.done and again.done:
        return told
    by_hand = (*told.by_hand, *again.by_hand)
    return Told(done=False, by_hand=by_hand, reason=told.reason or again.reason)


def runs(what: Unit) -> bool | None:
    """Whether the manager runs it; None where it does not answer."""
    try:
        code = run(what.ask, timeout=_TOOL_SECONDS).code
    except (OSError, TimeoutError):
        return None
    return code == 0


def _tell(commands: Sequence[Sequence[str]]) -> Told:
    """Give the commands one by one, up to the first that fails: the rest is left to a person."""
    for place, argv in enumerate(commands):
        problem = _problem(argv)
        if problem and "bootout" not in argv:  # what is not loaded cannot be unloaded
            left = tuple(" ".join(each) for each in commands[place:])
            return Told(done=False, by_hand=left, reason=problem)
    return Told(done=True)


def _problem(argv: Sequence[str]) -> str:
    try:
        done = run(argv, timeout=_TOOL_SECONDS)
    except (OSError, TimeoutError) as error:
        return line(f"{argv[0]}: {error}")
    said = done.err.decode("utf-8", "replace").strip()
    return line(said or f"{argv[0]} ended with {done.code}") if done.code else ""


def lingers(platform: str = sys.platform) -> bool:
    """Whether units of this person run without them being logged in. Always true on macOS."""
    if platform == "darwin":
        return True
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return False
    return Path("/var/lib/systemd/linger", name).exists()
