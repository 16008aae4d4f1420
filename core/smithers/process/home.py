"""What lies in a person's home: secrets, caches, programs, and where coding agents keep their own.

Data for the sandbox, found by name; what is not there does not matter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SECRETS = (
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".config/gcloud",
    ".kube",
    ".netrc",
    ".git-credentials",
    ".config/git/credentials",
    ".docker",
    ".config/containers",
    ".config/gh",
    ".config/glab-cli",
    ".config/hub",
    ".config/rclone",
    ".config/op",
    ".config/smithers",
    ".password-store",
    ".local/share/keyrings",
    ".local/share/kwalletd",
    ".vault-token",
    ".terraform.d",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".gem/credentials",
    ".m2/settings.xml",
    ".m2/settings-security.xml",
    ".gradle/gradle.properties",
    ".mozilla",
    ".thunderbird",
    ".config/google-chrome",
    ".config/chromium",
    ".config/BraveSoftware",
    ".1password",
    ".bitwarden-ssh-agent.sock",
    ".colima",
    ".lima",
    ".rd",
    ".bash_history",
    ".zsh_history",
    ".local/share/fish/fish_history",
    ".python_history",
    ".psql_history",
    ".node_repl_history",
)
"""Never seen by an attempt."""

MADE = (".cache", ".npm")
"""Caches that are made where they are not there: without them half of all tools fail."""
CACHES = (
    *MADE,
    ".cargo/registry",
    ".cargo/git",
    ".gradle/caches",
    ".gradle/daemon",
    ".gradle/wrapper",
    ".m2/repository",
    ".ivy2/cache",
    ".nuget/packages",
    ".pnpm-store",
    ".local/share/pnpm/store",
    ".bun/install/cache",
    ".yarn/berry",
    "go/pkg",
    ".pub-cache",
    ".composer/cache",
)
"""Written by builds, and worth keeping from one attempt to the next."""

TOOLS = (
    ".gitconfig",
    ".config/git",
    ".local/bin",
    ".local/share/uv",
    ".local/share/mise",
    ".local/share/fnm",
    ".local/share/pnpm",
    ".asdf",
    ".bun",
    ".cargo/bin",
    ".deno",
    ".nvm",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".sdkman",
    ".volta",
    "go/bin",
)
"""Programs and their settings: read-only also where the home is not there otherwise."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Where one coding agent keeps its login, settings and conversations."""

    folders: tuple[str, ...]
    """Made where they are not there."""
    settings: tuple[str, ...] = ()
    """Names in them, also as patterns, of programs and of what tells it what to run.

    Read-only, since a person's own session obeys.
    """
    files: tuple[str, ...] = ()
    variable: str = ""
    """Names another folder for all of it."""
    boxes: bool = False
    """It puts what it runs into boxes of its own."""


_SCRIPTS = ("*.sh", "*.py", "*.js", "*.mjs", "*.ts", "bin", "hooks", "plugins", "skills")

KEEPERS: Mapping[str, Keeper] = {
    "claude": Keeper(
        (".claude",),
        (
            *("settings.json", "settings.local.json", "CLAUDE.md", "agents", "commands"),
            *("local", "output-styles", "rules", *_SCRIPTS),
        ),
        (".claude.json",),
        "CLAUDE_CONFIG_DIR",
    ),
    "codex": Keeper(
        (".codex",),
        ("config.toml", "*.config.toml", "AGENTS*.md", "hooks.json", "prompts", "rules", *_SCRIPTS),
        variable="CODEX_HOME",
        boxes=True,
    ),
    "gemini": Keeper(
        (".gemini",),
        ("settings.json", "GEMINI.md", "commands", "extensions", "policies", "agents", *_SCRIPTS),
    ),
    "opencode": Keeper(
        (".config/opencode", ".local/share/opencode", ".local/state/opencode"),
        (
            *("config.json", "opencode.json", "opencode.jsonc", "AGENTS.md", "node_modules"),
            *("agent", "agents", "command", "commands", "mode", "modes", "plugin", "skill"),
            *("tool", "tools", *_SCRIPTS),
        ),
        (".opencode",),
    ),
    "pi": Keeper(
        (".pi/agent",),
        (
            *("settings.json", "models.json", "AGENTS.md", "SYSTEM.md", "APPEND_SYSTEM.md"),
            *("extensions", "git", "npm", "prompts", "tools", *_SCRIPTS),
        ),
        variable="PI_CODING_AGENT_DIR",
    ),
    "aider": Keeper((".aider",)),
    "goose": Keeper(
        (".config/goose", ".local/share/goose", ".local/state/goose"),
        ("config.yaml", ".goosehints", "recipes", *_SCRIPTS),
    ),
    "cursor-agent": Keeper(
        (".cursor", ".config/cursor"),
        ("mcp.json", "hooks.json", "rules", "commands", "agents", "extensions", *_SCRIPTS),
    ),
    "copilot": Keeper(
        (".copilot", ".config/github-copilot"), ("mcp-config.json", "agents", "pkg", *_SCRIPTS)
    ),
    "qwen": Keeper(
        (".qwen",), ("settings.json", "QWEN.md", "commands", "extensions", "agents", *_SCRIPTS)
    ),
    "kimi": Keeper((".kimi",), ("mcp.json", *_SCRIPTS)),
}
"""By the name with which its program, or one that wraps it (`claude-agent-acp`), begins."""

_OPTION = re.compile(r"-|.*=")
_LAUNCHERS = frozenset(
    (
        *("bun", "bunx", "deno", "env", "nice", "node", "npm", "npx", "pipx", "pnpm", "pnpx"),
        *("stdbuf", "timeout", "uv", "uvx", "yarn"),
    )
)
"""Their own options come before the program that they start."""
_XDG = {
    ".cache": "XDG_CACHE_HOME",
    ".config": "XDG_CONFIG_HOME",
    ".local/share": "XDG_DATA_HOME",
    ".local/state": "XDG_STATE_HOME",
}


@dataclass(frozen=True, slots=True)
class House:
    """The home of one process, and the variables that tell where things are in it."""

    path: Path
    env: Mapping[str, str]

    @classmethod
    def of(cls, env: Mapping[str, str]) -> House:
        """The home that `env` names, else that of the caller."""
        return cls(Path(env.get("HOME") or Path.home()), env)

    def paths(self, said: Iterable[str]) -> list[Path]:
        """What people write: `~/…` or absolute; what is relative is taken from the home."""
        return [self.path / name.removeprefix("~/") for name in said]

    def caches(self) -> list[Path]:
        return self._placed(CACHES)

    def tools(self) -> list[Path]:
        return self.paths(TOOLS)

    def state(self, argv: Sequence[str]) -> list[Path]:
        """What belongs to the agent that the words of the command name."""
        return [path for name in _named(argv) for path in self._kept(KEEPERS[name])]

    def settings(self, argv: Sequence[str]) -> list[Path]:
        """What in that state the agent may read and not change."""
        return [
            path
            for name in _named(argv)
            for folder in self._kept(KEEPERS[name])
            for setting in KEEPERS[name].settings
            for path in sorted(folder.glob(setting))
        ]

    def makes_boxes(self, argv: Sequence[str]) -> bool:
        """Whether the agent puts what it runs into boxes of its own."""
        return any(KEEPERS[name].boxes for name in _named(argv))

    def secrets(self, argv: Sequence[str]) -> list[Path]:
        """What the process must not see: also what belongs to the other agents."""
        own = set(self.state(argv))
        others = [path for keeper in KEEPERS.values() for path in self._kept(keeper)]
        # Where they lie for the person counts as much as where they would for the process.
        all_of = {*self.paths(SECRETS), *self._placed(SECRETS), *_elsewhere(SECRETS, os.environ)}
        return [path for path in (*all_of, *others) if path not in own]

    def to_make(self, argv: Sequence[str]) -> list[Path]:
        """Folders that have to be there before it starts, since it cannot make them itself."""
        own = [path for name in _named(argv) for path in self._folders(KEEPERS[name])]
        return [*self._placed(MADE), *own]

    def _placed(self, names: Iterable[str]) -> list[Path]:
        """Where a program with this environment looks for what lies there by default."""
        return [next(_elsewhere([name], self.env), self.path / name) for name in names]

    def _folders(self, keeper: Keeper) -> list[Path]:
        given = self.env.get(keeper.variable, "") if keeper.variable else ""
        return [Path(given)] if given else self._placed(keeper.folders)

    def _kept(self, keeper: Keeper) -> list[Path]:
        return [*self._folders(keeper), *self.paths(keeper.files)]


def roots(program: Path) -> Iterator[Path]:
    """Folders without which a program does not run, wherever they are, link by link.

    The `node_modules` around it, or what holds its `bin`; never a whole home or `/usr`.
    """
    seen: set[Path] = set()
    while program not in seen:
        seen.add(program)
        yield _root(program)
        if not program.is_symlink():
            return
        program = Path(os.path.normpath(program.parent / program.readlink()))


def _root(program: Path) -> Path:
    parts = program.parts
    if "node_modules" in parts:
        return Path(*parts[: parts.index("node_modules") + 1])
    prefix = program.parent.parent
    whole = program.parent.name == "bin" and len(prefix.parts) > 3 and prefix.name != ".local"
    return prefix if whole else program.parent


def _elsewhere(names: Iterable[str], env: Mapping[str, str]) -> Iterator[Path]:
    """Where these are if a variable of XDG says it; of others nothing."""
    for name in names:
        for folder, variable in _XDG.items():
            if env.get(variable) and Path(name).is_relative_to(folder):
                yield Path(env[variable], Path(name).relative_to(folder))


def _named(argv: Sequence[str]) -> list[str]:
    """The agent that the words before the first option name; those of a launcher do not count."""
    launching = True
    for word in argv:
        if _OPTION.match(word):
            if launching:
                continue
            break
        base = word.rpartition("/")[2]
        found = [name for name in KEEPERS if re.match(rf"{name}(?![a-z0-9])", base)]
        if found:
            return found
        launching = launching and base in _LAUNCHERS
    return []
