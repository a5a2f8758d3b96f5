"""When two frames are the same picture: perceptual hashes find candidates, an alignment makes sure.

Measured on the femoral, vessel, muscle and 4,000 simulated images: the same frame with another gain, JPEG quality,
size, noise, mirrored or cropped by 5 % differs in at most 10 bits of its hash and aligns to a correlation of 0.967 or
more; of 16,804 candidate pairs of different persons none aligned to more than 0.947.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.data.reading import ImageHW

LARGEST_DISTANCE = 12
"""Bits of 64 in which the hashes of two renderings of one frame differ at most."""

NEARLY_IDENTICAL = 0.96
"""Correlation above which two aligned frames are the same."""

WORTH_ALIGNING, WORTH_OPENING = 0.78, 0.92
"""Correlations of two icons, as they are and aligned, below which they are not the same frame.

Icons of one frame, cropped by 5 %, reach 0.81 and 0.955; of 453 pairs of persons above 0.7 two align above 0.92.
"""

ICON_SIDE = 32
_HASH_SIDE, _ALIGNED_SIDE, _ROWS_AT_ONCE = 8, 96, 128
_ITERATIONS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-4)
_FARTHEST_SHIFT = 0.125  # of the side

Hashes = npt.NDArray[np.uint64]
Icon = npt.NDArray[np.uint8]


def icon_of(image_HW: ImageHW) -> Icon:
    """The image at 32 x 32 pixels: all that hashes and first comparisons need."""
    icon = cv2.resize(image_HW, (ICON_SIDE, ICON_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(icon, np.uint8)


def perceptual_hash(icon: Icon) -> int:
    """The 64-bit pHash: which low frequencies of the cosine transform lie above their median.

    Source: Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions", section 3.2.
    """
    frequencies = cv2.dct(icon.astype(np.float32))[:_HASH_SIDE, :_HASH_SIDE]
    bits = (frequencies > np.median(frequencies)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def close_pairs(icons: npt.NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """Positions i < j of images that may be the same frame, one of them perhaps mirrored left to right.

    Args:
        icons: of every image, uint8 [N, 32, 32].
    """
    hashes = np.array([perceptual_hash(icon) for icon in icons], np.uint64)
    mirrored = np.array([perceptual_hash(icon) for icon in np.ascontiguousarray(icons[:, :, ::-1])], np.uint64)
    structures = np.stack([_structure(icon, ICON_SIDE).astype(np.float16) for icon in icons])
    for start in range(0, len(hashes), _ROWS_AT_ONCE):
        rows = hashes[start : start + _ROWS_AT_ONCE, None]
        near = np.bitwise_count(rows ^ hashes[None, start:]) <= LARGEST_DISTANCE
        near |= np.bitwise_count(rows ^ mirrored[None, start:]) <= LARGEST_DISTANCE
        pairs_N2 = np.argwhere(np.triu(near, k=1)) + start
        as_is_N, flipped_N = _icon_correlations(structures, pairs_N2)
        for index in np.flatnonzero(np.maximum(as_is_N, flipped_N) > WORTH_ALIGNING):
            first, second = (int(position) for position in pairs_N2[index])
            other = icons[second] if as_is_N[index] > flipped_N[index] else np.ascontiguousarray(icons[second][:, ::-1])
            if _aligned_correlation(icons[first], other, ICON_SIDE) > WORTH_OPENING:
                yield first, second


def likeness(one_HW: ImageHW, other_HW: ImageHW) -> float:
    """Correlation of two images laid on each other as well as they fit, 0-1; the better way round counts."""
    ways = (other_HW, np.ascontiguousarray(other_HW[:, ::-1]))
    return max(_aligned_correlation(one_HW, way, _ALIGNED_SIDE) for way in ways)


def _icon_correlations(
    structures: npt.NDArray[np.float16], pairs_N2: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Of each pair of icons, as they are and with the second one mirrored."""
    one, other = (structures[pairs_N2[:, column]].astype(np.float32) for column in (0, 1))
    ways = ((one * way).mean(axis=(1, 2)) for way in (other, other[:, :, ::-1]))
    as_is_N, flipped_N = (np.asarray(way, np.float32) for way in ways)
    return as_is_N, flipped_N


def _aligned_correlation(one_HW: ImageHW, other_HW: ImageHW, side: int) -> float:
    """After the affine movement that fits best (Evangelidis & Psarakis 2008, ECC)."""
    one, other = (_structure(image, side) for image in (one_HW, other_HW))
    start, everywhere = np.eye(2, 3, dtype=np.float32), np.ones(one.shape, np.uint8)
    try:
        correlation, movement = cv2.findTransformECC(one, other, start, cv2.MOTION_AFFINE, _ITERATIONS, everywhere, 1)
    except cv2.error:  # it does not converge: they have nothing in common
        return 0.0
    return float(correlation) if np.abs(movement - np.eye(2, 3)).max() <= _FARTHEST_SHIFT * side else 0.0


def _structure(image_HW: ImageHW, side: int) -> npt.NDArray[np.float32]:
    """What is left of an image without size, gain and slow shading: mean 0, standard deviation 1."""
    small = cv2.resize(image_HW, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(small, (0, 0), side / parts) for parts in (48, 6))
    difference = fine - coarse
    centred = difference - difference.mean()
    return np.asarray(centred / max(float(centred.std()), 1e-3), np.float32)
