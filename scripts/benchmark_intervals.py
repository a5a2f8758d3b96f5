"""`hipseg benchmark intervals` from a checkout: python scripts/benchmark_intervals.py --figure coverage.svg."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["benchmark", "intervals", *sys.argv[1:]]))
