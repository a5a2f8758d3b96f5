"""What a model says about one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg.runtime.grid import Grid


@dataclass(frozen=True, slots=True)
class Landmark:
    """A point with its own doubt.

    Attributes:
        x_px, y_px: pixels of the segmented image, pixel centres at integers.
        sigma_px: standard deviation of the position on one axis, pixels; large where there are several candidates.
        visibility: probability that the point is in the image, 0-1.
    """

    x_px: float
    y_px: float
    sigma_px: float
    visibility: float


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The outputs of a model for one image (the scan region of a frame).

    Attributes:
        labels_HW: class ids at the image's size, uint8.
        probabilities_CHW: class probabilities on the network's grid, float32.
        grid: how that grid lies on the image.
        landmarks: by name, see `anatomy.LANDMARKS`.
        view_score: how much the image looks like a hip view the model was trained on, 0-1.
    """

    labels_HW: npt.NDArray[np.uint8]
    probabilities_CHW: npt.NDArray[np.float32]
    grid: Grid
    landmarks: dict[str, Landmark]
    view_score: float
