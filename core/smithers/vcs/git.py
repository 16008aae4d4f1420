"""The only place that runs git: no program of the repository runs by it, no variable leaks into it.

Hooks, fsmonitor, filters, diff drivers, signing, background gc and the network are off, except in
the person's own manner (`own=True`), which only `land` uses.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from smithers.errors import VcsError
from smithers.process.run import Completed, run
from smithers.vcs import layout

TIMEOUT = 600.0
"""Seconds for one git command; a first `add` of a large tree on a slow disk takes minutes."""

IDENTITY: Mapping[str, str] = {
    "GIT_AUTHOR_NAME": "Smithers",
    "GIT_AUTHOR_EMAIL": "smithers@localhost",
    "GIT_COMMITTER_NAME": "Smithers",
    "GIT_COMMITTER_EMAIL": "smithers@localhost",
}
"""Our own commits' author, so that the person's identity is neither needed nor used."""

DURABLE = ("-c", "core.fsync=objects,reference", "-c", "core.fsyncMethod=batch")
"""Before the verb: what it writes is on the device when it returns."""

_QUIET = ("--no-pager", "--no-replace-objects", "-c", "gc.auto=0", "-c", "maintenance.auto=false")
_SAFE = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "core.safecrlf=false",
    "core.quotePath=false",
    "core.sshCommand=false",
    "commit.gpgSign=false",
    "log.showSignature=false",
    "submodule.recurse=false",
    "protocol.ext.allow=never",
    "advice.addEmbeddedRepo=false",
)
_PREFIX = ("git", "--no-optional-locks", *_QUIET, *(part for key in _SAFE for part in ("-c", key)))
_OWN_PREFIX = ("git", *_QUIET)

# A section header is literal text in git's config: no match here, no filter there.
_MAY_FILTER = re.compile(rb"\[\s*(filter|include)", re.IGNORECASE)
_IDENTITY_NAMES = re.compile(r"GIT_(AUTHOR|COMMITTER)_(NAME|EMAIL|DATE)")


def git(
    cwd: Path,
    *args: str,
    check: bool = True,
    stdin: bytes = b"",
    index: Path | None = None,
    env: Mapping[str, str] | None = None,
    own: bool = False,
) -> Completed:
    """Run git in a folder; VcsError if it cannot run, or with `check` if its exit code is not 0.

    `index` stands in for the checkout's own index. `env` comes on top of the built environment.
    `own` keeps the person's hooks, filters, signing and identity.
    """
    here = layout.find(cwd)
    if here is not None:
        expel(here)
    environment = _environment(own=own)
    if here is not None and not own and _is_top_of_worktree(here, cwd):
        # Its config can name another folder, whose files git would then overwrite and delete.
        environment["GIT_WORK_TREE"] = os.fspath(here.top)
    overrides = [] if own else _filters_off(cwd)
    flags = []
    for number, (key, value) in enumerate(overrides):
        # --config-env, unlike -c, takes a key with `=` in it, and reaches git's own children.
        environment[f"SMITHERS_GIT_{number}"] = value
        flags.append(f"--config-env={key}=SMITHERS_GIT_{number}")
    if index is not None:
        environment["GIT_INDEX_FILE"] = os.fspath(index)
    environment.update(env or {})
    prefix = _OWN_PREFIX if own else _PREFIX
    done = _run(cwd, [*prefix, *flags, *args], environment, stdin)
    if check and done.code != 0:
        raise failure(cwd, args, done)
    return done


def expel(here: layout.Layout) -> bool:
    """Take out of a `.git` folder the file by which git would take config from somewhere else.

    Only a worktree's has one; here it can but be what an attempt has put there. True if it was.
    """
    planted = here.top / ".git" / "commondir"
    if here.git_dir != planted.parent or not os.path.lexists(planted):
        return False
    if planted.is_dir() and not planted.is_symlink():
        shutil.rmtree(planted, ignore_errors=True)
    else:
        planted.unlink(missing_ok=True)
    return True


def line(done: Completed) -> str:
    """Read the one value that a command printed."""
    return os.fsdecode(done.out.removesuffix(b"\n"))


def fields(done: Completed) -> list[str]:
    """Read what a command printed with `-z`."""
    return [os.fsdecode(part) for part in done.out.split(b"\0") if part]


def last_words(done: Completed) -> str:
    """Quote git's last complaint, else the last line that it or a hook wrote."""
    lines = [text.strip() for text in os.fsdecode(done.err).splitlines() if text.strip()]
    complaints = [text for text in lines if text.startswith(("fatal:", "error:"))]
    return (complaints or lines or [f"exit code {done.code}"])[-1]


def failure(cwd: Path, args: Iterable[str], done: Completed) -> VcsError:
    """Make the error for a command that said no."""
    words = last_words(done)
    if b"dubious ownership" in done.err:
        folder = _quoted(done.err) or os.fspath(cwd)
        return VcsError(
            f"git does not trust {folder}: it belongs to another user",
            next=f"git config --global --add safe.directory '{folder}'",
        )
    hint = ""
    if b".lock': File exists" in done.err:
        hint = "let the other git command end, or delete the lock if there is none"
    elif b"No space left on device" in done.err:
        hint = "free some space"
    return VcsError(f"git {_verb(args)} failed in {cwd}: {words}", next=hint)


def local_filters(cwd: Path) -> list[str]:
    """Name the filters that the repository's own config defines, which we keep off."""
    return sorted({key.split(".", 1)[1].rpartition(".")[0] for key, _ in _filters_off(cwd)})


def _is_top_of_worktree(here: layout.Layout, cwd: Path) -> bool:
    return here.git_dir != here.common_dir and here.top == Path(os.path.realpath(cwd))


def _run(cwd: Path, argv: list[str], environment: Mapping[str, str], stdin: bytes) -> Completed:
    try:
        return run(argv, cwd=cwd, env=environment, stdin=stdin, timeout=TIMEOUT)
    except TimeoutError as error:
        raise VcsError(
            f"git {_verb(argv)} did not end within {TIMEOUT:.0f} s in {cwd}",
            next="see what holds it up, then try again",
        ) from error
    except FileNotFoundError as error:
        if not cwd.is_dir():
            raise VcsError(f"{cwd} is not there") from error
        raise VcsError("git is not installed", next="install git 2.38 or newer") from error
    except OSError as error:
        raise VcsError(f"git cannot run in {cwd}: {error.strerror or error}") from error


def _environment(*, own: bool) -> dict[str, str]:
    """Copy ours without any `GIT_*`, which can send git to another repository or run a program."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or (own and _IDENTITY_NAMES.fullmatch(name))
    }
    kept |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    if own:
        # Nobody sits at an editor here.
        return kept | {"GIT_EDITOR": ":"}
    return kept | {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        # A missing object of a partial clone would be fetched by whatever its config names.
        "GIT_ALLOW_PROTOCOL": "none",
        **IDENTITY,
    }


def _filters_off(cwd: Path) -> list[tuple[str, str]]:
    """Give config that undoes the repository's own filters: the person's instead, or nothing."""
    here = layout.find(cwd)
    if here is None or not any(map(_may_filter, _config_files(here))):
        return []
    environment = _environment(own=False)
    argv = [*_PREFIX, "config", "--show-scope", "-z", "--includes", "--get-regexp", r"^filter\."]
    done = _run(cwd, argv, environment, b"")
    if done.code not in (0, 1):
        raise failure(cwd, ("config",), done)
    persons: dict[str, str] = {}
    local: set[str] = set()
    for scope, key, value in _scoped(done.out):
        if scope in ("local", "worktree"):
            local.add(key)
        elif scope != "command":
            persons[key] = value
    # An empty `process` of the repository's also silences the person's `clean`; so be it.
    return [
        (key, persons.get(key, "false" if key.endswith(".required") else ""))
        for key in sorted(local)
    ]


def _scoped(out: bytes) -> Iterator[tuple[str, str, str]]:
    parts = out.split(b"\0")
    for scope, entry in zip(parts[::2], parts[1::2], strict=False):
        key, _, value = entry.partition(b"\n")
        yield os.fsdecode(scope), os.fsdecode(key), os.fsdecode(value)


def _config_files(here: layout.Layout) -> tuple[Path, ...]:
    return (here.common_dir / "config", here.git_dir / "config.worktree")


def _may_filter(config: Path) -> bool:
    try:
        return _MAY_FILTER.search(config.read_bytes()) is not None
    except OSError:
        # Not there, or git cannot read it either and will say so.
        return False


def _quoted(err: bytes) -> str:
    found = re.search(rb"repository at '(.+)'", err)
    return os.fsdecode(found[1]) if found else ""


def _verb(args: Iterable[str]) -> str:
    """Find the first argument that is neither an option nor the value of one."""
    rest = iter(args)
    for arg in rest:
        if arg in ("-c", "-C"):
            next(rest, "")
        elif arg != "git" and not arg.startswith("-"):
            return arg
    return ""
