"""`hipseg benchmark models` from a checkout: python scripts/benchmark_models.py DATA --out DIR."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["benchmark", "models", *sys.argv[1:]]))
