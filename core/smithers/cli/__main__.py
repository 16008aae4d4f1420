"""`python -m smithers.cli` is the command `smithers`."""

import sys

from smithers.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
