"""`hipseg export` from a checkout: python scripts/export.py run=runs/demo name=demo."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["export", *sys.argv[1:]]))
