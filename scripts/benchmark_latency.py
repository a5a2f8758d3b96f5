"""`hipseg benchmark latency` from a checkout: python scripts/benchmark_latency.py --size 1920x1080."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["benchmark", "latency", *sys.argv[1:]]))
