"""`hipseg simulate` from a checkout: python scripts/simulate.py out=datasets/simulated."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["simulate", *sys.argv[1:]]))
