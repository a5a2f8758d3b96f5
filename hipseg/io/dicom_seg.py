"""Segmentations as DICOM SEG."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hipseg.io.masks import LabelsHW


def write_segmentation_dicom(path: str | Path, source: str | Path, labels: Iterable[LabelsHW]) -> None:
    """Writes the label maps of a DICOM source's frames as one DICOM SEG."""
    raise NotImplementedError
