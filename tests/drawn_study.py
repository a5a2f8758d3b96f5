"""A small data set of drawn hips whose figures are known: `grey_model` reads exactly what was drawn into the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from drawn_masks import box, disc
from grey_model import grey_of

from hipseg.anatomy import CLASS_NAMES, FEMORAL_ARTERY, FEMORAL_HEAD, NEEDLE
from hipseg.data.manifest import DatasetManifest, DatasetWriter

SPACING_MM = (0.2, 0.1)
RADIUS_PX = 20


def drawn_hip(shift_px: int = 0) -> npt.NDArray[np.uint8]:
    """A bone, an artery moved to the right, and a needle."""
    labels_HW = np.zeros((200, 240), np.uint8)
    labels_HW[box(120, 160, 20, 220)] = FEMORAL_HEAD
    labels_HW[disc(centre_xy=(80 + shift_px, 60), radius=RADIUS_PX)] = FEMORAL_ARTERY
    labels_HW[box(100, 103, 100, 200)] = NEEDLE
    return labels_HW


def write_study(root: Path, shifts_px: list[int], *, images_a_patient: int = 2, name: str = "drawn") -> Path:
    """Patient k has `images_a_patient` images in which the artery looks `shifts_px[k]` from where it is."""
    with DatasetWriter(root, DatasetManifest(name, CLASS_NAMES[1:])) as writer:
        for patient, shift_px in enumerate(shifts_px):
            for image in range(images_a_patient):
                writer.add(
                    id=f"p{patient}_{image}",
                    image_HW=grey_of(drawn_hip(shift_px)),
                    labels_HW=drawn_hip(),
                    patient=f"p{patient}",
                    split="test",
                    spacing_mm=SPACING_MM,
                    landmarks={"needle_tip": (199.0, 102.0), "needle_entry": (100.0, 101.0)},
                    view="longitudinal",
                    hip_view=True,
                )
    return root
