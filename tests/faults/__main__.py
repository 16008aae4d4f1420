"""`python -m tests.faults`: runs that are ended at every point, and what must hold of each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

_INSIDE = "FAULTS_NAMESPACE"


def _own_processes(argv: Sequence[str]) -> None:
    """Go on in a pid namespace where that is allowed: what sweeps look through is then small."""
    wall = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.geteuid() != 0:
        wall += ["--user", "--map-root-user"]
    if _INSIDE in os.environ or not shutil.which("unshare"):
        return
    if subprocess.run([*wall, "true"], capture_output=True).returncode == 0:
        os.environ[_INSIDE] = "1"
        os.execvp(wall[0], [*wall, sys.executable, "-m", "tests.faults", *argv])


if __name__ == "__main__":
    _own_processes(sys.argv[1:])
    from tests.faults.command import main

    sys.exit(main(sys.argv[1:]))
