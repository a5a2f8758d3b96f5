"""`hipseg benchmark alerts` from a checkout: python scripts/benchmark_alerts.py --out DIR [--model NAME]."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["benchmark", "alerts", *sys.argv[1:]]))
