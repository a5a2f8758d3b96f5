"""`hipseg benchmark peers` from a checkout: python scripts/benchmark_peers.py --fast-python fastenv/bin/python."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["benchmark", "peers", *sys.argv[1:]]))
