"""Who goes into which split: whole persons, never single frames.

Where the source does not say who is who, frames that follow each other are taken as one person, and so are frames
that look nearly the same wherever they stand: the same person often comes back far down the numbering.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.data.records import SPLITS
from hipseg.errors import UsageError

THUMBNAIL_SIDE = 48


def consecutive_runs(numbers: Sequence[int]) -> list[int]:
    """Group of each number: a gap in the numbering begins a new one. `numbers` ascend."""
    return [0, *(int(group) for group in np.cumsum(np.diff(numbers) > 1))]


def thumbnail(image_HW: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What is left of an image when size, gain and slow shading are taken away: a unit vector.

    The product of two thumbnails is the correlation of the images; unrelated ultrasound stays below about 0.5,
    frames of one sweep reach 0.6-1.0 (measured on the vessel and femoral images of `configs/data`).
    """
    small = cv2.resize(image_HW, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(small, (0, 0), sigma) for sigma in (1.0, 8.0))
    difference = (fine - coarse).ravel()
    return difference / max(float(np.linalg.norm(difference)), 1e-6)


def join_look_alikes(
    groups: Sequence[int], thumbnails: Sequence[npt.NDArray[np.float32]], *, min_correlation: float = 0.6
) -> list[int]:
    """Joins groups that share nearly identical images.

    Args:
        groups: group of each image.
        thumbnails: of each image, from `thumbnail`.
        min_correlation: above it two images are taken as the same scene.

    Returns:
        The group of each image, named by its smallest member group.
    """
    stacked = np.stack(thumbnails)
    pairs = np.argwhere(np.triu(stacked @ stacked.T > min_correlation, k=1))
    joined = np.asarray(groups)
    for first, second in pairs:
        low, high = sorted((joined[first], joined[second]))
        joined[joined == high] = low
    return [int(group) for group in joined]


def assign_groups(groups: Sequence[int], shares: Mapping[str, float], *, seed: int) -> list[str]:
    """Draws a split for each group so that the splits hold about their share of the images.

    The largest group goes to the training split (one scene must not make up a test set); the others follow in seeded
    order, each to the split that is furthest below its share.

    Args:
        groups: group of each image.
        shares: part of all images by split; they sum to 1.
        seed: of the order.

    Returns:
        The split of each image.
    """
    if set(shares) - set(SPLITS) or abs(sum(shares.values()) - 1) > 1e-6:
        raise UsageError(f"split shares {dict(shares)}", expected=f"shares of {', '.join(SPLITS)} that sum to 1")
    sizes = {group: list(groups).count(group) for group in sorted(set(groups))}
    shuffled = np.random.default_rng(seed).permutation(list(sizes)).tolist()
    largest = max(shuffled, key=lambda group: sizes[group])
    split_of, held = {largest: "train"}, dict.fromkeys(shares, 0) | {"train": sizes[largest]}
    for group in shuffled:
        if group in split_of:
            continue
        split = max(shares, key=lambda name: shares[name] - held[name] / len(groups))
        split_of[group] = split
        held[split] += sizes[group]
    return [split_of[group] for group in groups]
