"""An engine whose lease is short: `python -m tests.engine.short STATE RUN READY_FD`."""

import sys

from smithers.engine import watch
from smithers.store import drive
from smithers.supervise.main import main

LEASE_MS = 300

if __name__ == "__main__":
    drive.LEASE_MS = LEASE_MS
    watch.RENEW_SECONDS = 0.1
    watch.UNSURE_SECONDS = 0.2
    sys.exit(main(sys.argv[1:]))
