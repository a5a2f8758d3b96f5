"""`hipseg evaluate` from a checkout: python scripts/evaluate.py datasets/femoral --out figures.json."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["evaluate", *sys.argv[1:]]))
