"""`hipseg benchmark robustness` from a checkout: python scripts/benchmark_robustness.py DATA --out DIR."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["benchmark", "robustness", *sys.argv[1:]]))
