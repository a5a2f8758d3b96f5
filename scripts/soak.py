"""`hipseg benchmark soak` from a checkout: python scripts/soak.py --out soak --duration 3600 --rate 60."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["benchmark", "soak", *sys.argv[1:]]))
