"""`hipseg train` from a checkout: python scripts/train.py experiment=demo."""

import sys

from hipseg.cli.main import execute

sys.exit(execute(["train", *sys.argv[1:]]))
