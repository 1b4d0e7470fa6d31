"""`python -m bioscan_etl.cli`: the same as the command `bioscan-etl`."""

import sys

from bioscan_etl.cli import main

if __name__ == "__main__":
    sys.exit(main())
