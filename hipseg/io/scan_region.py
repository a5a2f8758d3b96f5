"""Where the ultrasound is on a screen."""

from __future__ import annotations

from hipseg.frame import ImageHW, ScanRegion


def find_scan_region(image_HW: ImageHW) -> ScanRegion:
    """The box of the ultrasound, found from the content."""
    raise NotImplementedError
