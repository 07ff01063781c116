"""Run a backtest with ``python -m gemexp.backtest``: the same as ``gemexp backtest``."""

import sys

from gemexp.cli import main

if __name__ == "__main__":
    sys.exit(main(["backtest", *sys.argv[1:]]))
