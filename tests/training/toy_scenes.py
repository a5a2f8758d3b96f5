"""A data set of drawn scenes that a small network learns in seconds: a bone arc, a vessel, a needle with its tip."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hipseg.anatomy import CLASS_NAMES, FEMORAL_ARTERY, FEMORAL_HEAD, NEEDLE, NUM_CLASSES
from hipseg.data.manifest import DatasetManifest, DatasetWriter

SIZE = 128
SPLITS = ("train",) * 6 + ("val",) * 3 + ("test",)


def write_toy_dataset(root: Path) -> Path:
    """Ten patients, one image each."""
    manifest = DatasetManifest(name="toy", classes=CLASS_NAMES[1:NUM_CLASSES], licence="CC0-1.0", source="drawn")
    with DatasetWriter(root, manifest) as writer:
        for number, split in enumerate(SPLITS):
            image_HW, labels_HW, tip_xy = draw_scene(np.random.default_rng(number))
            writer.add(
                id=f"case{number}",
                image_HW=image_HW,
                labels_HW=labels_HW,
                patient=f"patient{number}",
                split=split,
                spacing_mm=(0.4, 0.4),
                landmarks={"needle_tip": tip_xy, "needle_entry": None, "head_neck_junction": None},
                hip_view=True,
            )
    return root


def draw_scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """A grey image, its labels and the needle's tip."""
    labels_HW = np.zeros((SIZE, SIZE), np.uint8)
    centre = tuple(int(value) for value in rng.integers(50, 80, size=2))
    cv2.ellipse(labels_HW, (centre[0], centre[1] + 35), (34, 30), 0, 200, 340, FEMORAL_HEAD, 9)
    cv2.circle(labels_HW, (int(rng.integers(20, 40)), 30), 12, FEMORAL_ARTERY, -1)
    tip = (centre[0] + 10, centre[1] - 12)
    cv2.line(labels_HW, (SIZE - 1, 5), tip, NEEDLE, 4)
    greys = np.full(NUM_CLASSES, 90, np.float64)
    greys[[FEMORAL_HEAD, FEMORAL_ARTERY, NEEDLE]] = 200, 25, 250
    image_HW = greys[labels_HW] * rng.uniform(0.8, 1.2, (SIZE, SIZE))
    return np.clip(image_HW, 0, 255).astype(np.uint8), labels_HW, (float(tip[0]), float(tip[1]))
