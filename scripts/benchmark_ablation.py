"""`hipseg benchmark ablation` from a checkout: python scripts/benchmark_ablation.py DATASETS --out DIR."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["benchmark", "ablation", *sys.argv[1:]]))
