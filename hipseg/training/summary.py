"""x"""

from hipseg.training.run_folder import RunFolder


def write_summary(folder: RunFolder) -> None:
    pass
