"""The page of an evaluation: figures with their doubt, plots, the worst cases, and where all of it comes from."""

from hipseg.evaluation.report.page import write_report

__all__ = ["write_report"]
