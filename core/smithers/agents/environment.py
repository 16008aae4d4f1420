"""The environment of an agent: built from a short list, never inherited."""

from __future__ import annotations

import os
from collections.abc import Mapping

from smithers.process.marks import Mark

_NAMES = frozenset(
    {
        "PATH",
        "HOME",
        "LANG",
        "TERM",
        "TMPDIR",
        "USER",
        "SHELL",
        # The way out, and the certificates that a proxy on it asks for.
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "NODE_EXTRA_CA_CERTS",
    }
)


def build(
    mark: Mark, extra: Mapping[str, str], *, prefixes: tuple[str, ...] = ()
) -> dict[str, str]:
    """Variables for a child: the common ones, those that begin with `prefixes`, `extra`, the mark.

    Secrets of the caller's shell, its terminal and its agents (ssh, gpg) are left behind unless
    `extra`, which is the `env` of the agent's config, names them.
    """
    return {**common(prefixes), **extra, **mark.environ()}


def common(prefixes: tuple[str, ...] = ()) -> dict[str, str]:
    """What a program needs to run at all; of ours that begin with `prefixes`, those too."""
    wanted = ("LC_", *prefixes)
    return {
        name: value
        for name, value in os.environ.items()
        if name in _NAMES or name.startswith(wanted)
    }
