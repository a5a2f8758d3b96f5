"""Whether a data set can be trusted: every fault with its file, why it is one, and how to mend it."""

from hipseg.data.checks.findings import RULES, Finding, Level
from hipseg.data.checks.fixing import fix_dataset
from hipseg.data.checks.run import CheckReport, check_dataset

__all__ = ["RULES", "CheckReport", "Finding", "Level", "check_dataset", "fix_dataset"]
