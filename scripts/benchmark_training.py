"""`hipseg benchmark training` from a checkout: python scripts/benchmark_training.py DATA --minutes 10."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["benchmark", "training", *sys.argv[1:]]))
