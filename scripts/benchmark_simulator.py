"""`hipseg benchmark simulator` from a checkout: python scripts/benchmark_simulator.py --real DIR --quick."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["benchmark", "simulator", *sys.argv[1:]]))
