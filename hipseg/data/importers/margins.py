"""The black frame that exported pictures carry around the ultrasound."""

from __future__ import annotations

import numpy as np

from hipseg.data.reading import ImageHW

DARKEST_TISSUE = 12
MIN_LIT_SHARE = 0.02


def without_margins(image_HW: ImageHW) -> tuple[slice, slice]:
    """Rows and columns of the smallest box that holds every row and column with some tissue in it.

    A row or column counts when 2 % of its pixels are brighter than black, which passes over markers and lone text.
    An image without any keeps its whole size.
    """
    lit_HW = image_HW > DARKEST_TISSUE
    return _extent(lit_HW.mean(axis=1)), _extent(lit_HW.mean(axis=0))


def _extent(share: np.ndarray) -> slice:
    lit = np.flatnonzero(share > MIN_LIT_SHARE)
    return slice(int(lit[0]), int(lit[-1]) + 1) if lit.size else slice(0, len(share))
