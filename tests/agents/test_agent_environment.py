"""An agent's environment is built from a list; the caller's secrets stay behind."""

from __future__ import annotations

from smithers.agents import environment
from smithers.process.marks import Mark

MARK = Mark("run", "step", 2, 5)


def test_only_what_is_listed_crosses(monkeypatch):
    for name in (
        "SSH_AUTH_SOCK",
        "TMUX",
        "DISPLAY",
        "MY_API_KEY",
        "CLAUDECODE",
        "SMITHERS_DIR",
        "GIT_DIR",
    ):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    built = environment.build(MARK, {})
    assert built["HTTPS_PROXY"] == "http://127.0.0.1:1"
    assert built["LC_ALL"] == "C.UTF-8"
    assert "PATH" in built
    assert (
        not {
            "SSH_AUTH_SOCK",
            "TMUX",
            "DISPLAY",
            "MY_API_KEY",
            "CLAUDECODE",
            "SMITHERS_DIR",
            "GIT_DIR",
        }
        & built.keys()
    )


def test_prefixes_add_and_config_wins_but_not_over_the_mark(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "inherited")
    monkeypatch.setenv("ANTHROPIC_MODEL", "m")
    extra = {
        "ANTHROPIC_API_KEY": "config",
        "SMITHERS_ATTEMPT": "forged",
        "SSH_AUTH_SOCK": "asked for",
    }
    built = environment.build(MARK, extra, prefixes=("ANTHROPIC_",))
    assert built["ANTHROPIC_API_KEY"] == "config"
    assert built["ANTHROPIC_MODEL"] == "m"
    assert built["SSH_AUTH_SOCK"] == "asked for"
    assert built["SMITHERS_ATTEMPT"] == "run/step.2.000000000005"
    assert "ANTHROPIC_API_KEY" not in environment.build(MARK, {})
