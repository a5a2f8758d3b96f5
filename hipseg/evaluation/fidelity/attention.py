"""What a classifier still sees: where it looks in an image, and which features it cannot do without."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.evaluation.fidelity.hand_features import FEATURE_GROUPS
from hipseg.evaluation.fidelity.patches import Sample
from hipseg.evaluation.fidelity.two_sample import Scorer, TwoSample, area_under_curve

_WINDOWS = 6
"""Windows along the shorter side; they overlap by half."""
_BLUR_OF_WINDOW = 0.5


def occlusion_map(image_HW: npt.NDArray[np.uint8], scorer: Scorer) -> npt.NDArray[np.float64]:
    """Change of the log-odds of being real when a window's detail is blurred away, [H, W]; above 0: it gave it away.

    Blurring leaves the brightness, so that what counts is texture and edges (Zeiler and Fergus 2014 use grey).
    """
    size = max(2 * min(image_HW.shape) // (_WINDOWS + 1), 4)
    blurred = cv2.GaussianBlur(image_HW, (0, 0), _BLUR_OF_WINDOW * size)
    corners = [
        (y, x)
        for y in range(0, image_HW.shape[0] - size + 1, size // 2)
        for x in range(0, image_HW.shape[1] - size + 1, size // 2)
    ]
    occluded = np.stack([image_HW] * len(corners))
    for copy, (y, x) in zip(occluded, corners, strict=True):
        copy[y : y + size, x : x + size] = blurred[y : y + size, x : x + size]
    change = scorer(occluded) - scorer(image_HW[None])
    total, count = np.zeros(image_HW.shape), np.zeros(image_HW.shape)
    for value, (y, x) in zip(change, corners, strict=True):
        total[y : y + size, x : x + size] += value
        count[y : y + size, x : x + size] += 1
    return total / np.maximum(count, 1)


def overlaid(image_HW: npt.NDArray[np.uint8], change_HW: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """The image in RGB with what gave a simulated one away in red, and what spoke for a real one in blue."""
    strength = change_HW / max(float(np.abs(change_HW).max()), 1e-9)
    image = np.repeat(image_HW[..., None].astype(np.float64), 3, axis=2)
    image[..., 0] += 120 * np.maximum(strength, 0)
    image[..., 2] += 120 * np.maximum(-strength, 0)
    return np.clip(image, 0, 255).astype(np.uint8)


def most_telling(sample: Sample, outcome: TwoSample, *, is_real: bool, count: int) -> npt.NDArray[np.intp]:
    """Indices of the images of one kind that were recognised with the most certainty, one of a group."""
    order = np.argsort(-outcome.scores_N if is_real else outcome.scores_N)
    chosen: dict[str, int] = {}
    for index in order:
        if bool(sample.is_real_N[index]) == is_real:
            chosen.setdefault(str(sample.groups_N[index]), int(index))
    return np.array(list(chosen.values())[:count], np.intp)


def feature_reliance(
    table_NF: npt.NDArray[np.float64], is_real_N: npt.NDArray[np.int64], scorer: Scorer, rng: np.random.Generator
) -> dict[str, float]:
    """Loss of area under the curve when a group of hand features is shuffled between images (Breiman 2001)."""
    whole = area_under_curve(scorer(table_NF), is_real_N)
    lost = {}
    for name, columns in FEATURE_GROUPS.items():
        shuffled = table_NF.copy()
        shuffled[:, columns] = shuffled[rng.permutation(len(shuffled))][:, columns]
        lost[name] = whole - area_under_curve(scorer(shuffled), is_real_N)
    return dict(sorted(lost.items(), key=lambda item: -item[1]))
