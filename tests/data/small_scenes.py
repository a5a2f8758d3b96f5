"""Small made-up images with masks, for the tests of this folder."""

from __future__ import annotations

import numpy as np

from hipseg.data.manifest import DatasetManifest
from hipseg.data.sample import Sample, landmark_array, membership

PARTIAL = DatasetManifest(
    name="partial",
    classes=("femoral_head", "needle", "femoral_artery"),
    merged={"femoral_artery": ("femoral_artery", "femoral_vein")},
    licence="CC0-1.0",
    attribution="made for a test",
)


def scene(seed: int, height: int = 60, width: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Speckle with a block of head and a spot of needle whose centre is (41, 11)."""
    rng = np.random.default_rng(seed)
    image_HW = rng.integers(20, 200, size=(height, width)).astype(np.uint8)
    labels_HW = np.zeros((height, width), np.uint8)
    labels_HW[30:50, 20:60] = 1
    labels_HW[10:13, 40:43] = 4
    return image_HW, labels_HW


def spot_sample(spots_xy: list[tuple[float, float]], height: int = 200, width: int = 300) -> Sample:
    """A sample whose landmarks lie on bright spots, each 9 pixels wide, of ids 1, 2, 3."""
    labels_HW = np.zeros((height, width), np.uint8)
    for id, (x, y) in enumerate(spots_xy, start=1):
        rows, columns = np.ogrid[:height, :width]
        labels_HW[np.hypot(columns - x, rows - y) <= 4.5] = id
    names = ("needle_tip", "needle_entry", "head_neck_junction")
    return Sample(
        image_HW=np.where(labels_HW > 0, 50 + 50 * labels_HW, 20).astype(np.uint8),
        labels_HW=labels_HW,
        membership_CC=membership(("femoral_head",), {}),
        landmarks_K3=landmark_array(dict(zip(names, spots_xy, strict=False))),
        hip_view=1.0,
        spacing_mm=(0.1, 0.2),
    )
