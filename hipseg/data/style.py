"""The look of one ultrasound image given to another, whose anatomy stays where it is.

Simulated frames look like one imagined scanner; a frame of a real one, whose anatomy is nobody's business here, lends
its shading (Fourier amplitude of low frequencies), its grey levels (histogram) or its grain (statistics of patches at
several scales). Images are uint8 [H, W], the beam running down; black borders stay black.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.data.reading import ImageHW

Field = npt.NDArray[np.float32]

_WORKING_SIDE = 128
_NUM_BANDS = 4
_MOST_GAIN = 2.5
_LEAST_SPREAD = 0.5
_NEIGHBOURHOOD = np.ones((9, 9), np.uint8)


def exchange_amplitude(image_HW: ImageHW, other_HW: ImageHW, extent: float) -> ImageHW:
    """The amplitudes of the lowest frequencies from another image (Yang & Soatto 2020, "FDA"); phases stay.

    Args:
        image_HW, other_HW: of any sizes; both are taken as fields of the same extent.
        extent: half the side of the exchanged window in parts of the spectrum's side, 0-0.5. Yang and Soatto
            use 0.01 to 0.09.
    """
    own_SS, lent_SS = _small(image_HW), _small(other_HW)
    own, lent = np.fft.fft2(own_SS), np.fft.fft2(lent_SS)
    frequencies = np.abs(np.fft.fftfreq(_WORKING_SIDE))
    is_low = np.maximum(frequencies[:, None], frequencies) <= extent
    amplitude = np.where(is_low, np.abs(lent), np.abs(own))
    change_SS = np.fft.ifft2(amplitude * np.exp(1j * np.angle(own))).real - own_SS
    # What changes is smooth: it is found at a small size and added at the image's own.
    change_HW = cv2.resize(change_SS.astype(np.float32), image_HW.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return _clipped(image_HW + change_HW * _field_of_view(image_HW))


def match_histogram(image_HW: ImageHW, other_HW: ImageHW, amount: float) -> ImageHW:
    """The grey levels of another image by rank, in the field of view; 0 leaves all, 1 matches."""
    own, lent = (_distribution(each) for each in (image_HW, other_HW))
    levels = np.arange(256)
    lookup = np.rint((1 - amount) * levels + amount * np.interp(own, lent, levels)).astype(np.uint8)
    return np.asarray(cv2.LUT(image_HW, lookup) * _field_of_view(image_HW).astype(np.uint8), np.uint8)


def match_patches(image_HW: ImageHW, other_HW: ImageHW, amount: float) -> ImageHW:
    """The spread of grey levels within patches at four scales from another image: its grain, blur and contrast.

    Bands of a Laplacian pyramid, from the finest on, are amplified until each spreads as the other image's does
    (Heeger & Bergen 1995), at most by `_MOST_GAIN`; what is coarser stays.

    Args:
        image_HW, other_HW: the other one is taken at the same height in pixels.
        amount: 0 leaves all, 1 matches.
    """
    width = max(round(other_HW.shape[1] * image_HW.shape[0] / other_HW.shape[0]), 1)
    lent_HW = cv2.resize(other_HW, (width, image_HW.shape[0]), interpolation=cv2.INTER_AREA)
    own_bands, coarse = _bands(image_HW.astype(np.float32))
    lent_bands, _ = _bands(np.asarray(lent_HW, np.float32))
    result = coarse
    for own, lent in zip(reversed(own_bands), reversed(lent_bands), strict=False):
        gain = np.clip((lent.std() + _LEAST_SPREAD) / (own.std() + _LEAST_SPREAD), 1 / _MOST_GAIN, _MOST_GAIN) ** amount
        result = _grown(result, own.shape) + own * np.float32(gain)
    return _clipped(result * _field_of_view(image_HW))


def _small(image_HW: ImageHW) -> Field:
    side = (_WORKING_SIDE, _WORKING_SIDE)
    return np.asarray(cv2.resize(image_HW, side, interpolation=cv2.INTER_AREA), np.float32)


def _field_of_view(image_HW: ImageHW) -> Field:
    """1 where anything is seen nearby, 0 in black borders."""
    return np.asarray(cv2.dilate((image_HW > 0).astype(np.uint8), _NEIGHBOURHOOD), np.float32)


def _distribution(image_HW: ImageHW) -> npt.NDArray[np.float64]:
    """For each grey level the part of the field of view at or below its middle, rising; [256]."""
    counts = np.bincount(image_HW[_field_of_view(image_HW) > 0], minlength=256).astype(np.float64)
    upto = np.cumsum(counts)
    return np.asarray((upto - counts / 2) / max(upto[-1], 1) + np.arange(256) * 1e-9)


def _bands(image_HW: Field) -> tuple[list[Field], Field]:
    """The bands of a Laplacian pyramid, finest first, and the coarse rest; fewer bands for tiny images."""
    bands: list[Field] = []
    rest = image_HW
    while len(bands) < _NUM_BANDS and min(rest.shape) > 1:
        coarser = np.asarray(cv2.pyrDown(rest), np.float32)
        bands.append(rest - _grown(coarser, rest.shape))
        rest = coarser
    return bands, rest


def _grown(coarse_HW: Field, shape: tuple[int, ...]) -> Field:
    return np.asarray(cv2.pyrUp(coarse_HW, dstsize=(shape[1], shape[0])), np.float32)


def _clipped(image_HW: npt.NDArray[Any]) -> ImageHW:
    return np.asarray(np.clip(np.rint(image_HW), 0, 255), np.uint8)
