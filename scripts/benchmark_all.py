"""`hipseg benchmark all` from a checkout: python scripts/benchmark_all.py --quick --out DIR."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["benchmark", "all", *sys.argv[1:]]))
