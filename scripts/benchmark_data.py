"""`hipseg benchmark data` from a checkout: python scripts/benchmark_data.py --workers 2."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["benchmark", "data", *sys.argv[1:]]))
