"""Any picture as 8-bit grey, the way a network should see it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.frame import ImageHW

_MAX_8_BIT, _BAND_PIXELS = 255, 1 << 16
# B-mode tinted by the machine's chroma map (sepia, blue) stays below a saturation of one half; markers, rulers,
# text, needle enhancement and Doppler are painted above three quarters. Between the two the pixel fades, so that
# compression noise makes no edges.
_TINT, _PAINT = 0.5, 0.75


def rgb_to_grey(image_HW3: npt.NDArray[np.uint8]) -> ImageHW:
    """Luma (ITU-R BT.601) of tissue; what the machine painted in strong colours turns dark instead of bright.

    A green marker has the luma of bright tissue, and colour Doppler lies over blood, which is dark in B-mode: a
    painted pixel takes the least of its three channels, the part of it that is grey.

    Args:
        image_HW3: RGB, uint8 [H, W, 3].

    Returns:
        Grey levels, uint8 [H, W]; of an image with equal channels, that channel unchanged.
    """
    grey_HW = np.empty(image_HW3.shape[:2], np.uint8)
    # In bands that fit the processor's cache: what is needed between is not written to memory and read again.
    height = max(_BAND_PIXELS // max(image_HW3.shape[1], 1), 1)
    for top in range(0, len(grey_HW), height):
        _band_to_grey(image_HW3[top : top + height], grey_HW[top : top + height])
    return grey_HW


def _band_to_grey(image_HW3: npt.NDArray[np.uint8], luma_HW: ImageHW) -> None:
    """Writes the grey levels of an image into `luma_HW`."""
    cv2.cvtColor(image_HW3, cv2.COLOR_RGB2GRAY, dst=luma_HW)
    red, green, blue = cv2.split(image_HW3)
    brightest_HW = np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)
    darkest_HW = np.asarray(cv2.min(cv2.min(red, green), blue), np.uint8)
    # A chroma above the least channel is a saturation above _TINT, without a division for every grey pixel.
    painted_HW = brightest_HW - darkest_HW > darkest_HW
    if painted_HW.any():
        luma_HW[painted_HW] = _faded(luma_HW[painted_HW], brightest_HW[painted_HW], darkest_HW[painted_HW])


def _faded(
    luma: npt.NDArray[np.uint8], brightest: npt.NDArray[np.uint8], darkest: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    saturation = 1 - darkest / brightest.astype(np.float32)
    share = np.clip((_PAINT - saturation) / (_PAINT - _TINT), 0, 1)
    return np.asarray(np.rint(darkest + share * (luma.astype(np.float32) - darkest)), np.uint8)


def bits_used(image: npt.NDArray[np.integer]) -> int:
    """The bits that the brightest pixel of an image needs, at least 8: 12 for most 16-bit files of ultrasound."""
    return max(8, int(image.max(initial=0)).bit_length())


def to_8_bit(image: npt.NDArray[np.unsignedinteger], bits: int) -> npt.NDArray[np.uint8]:
    """The window [0, 2**bits - 1] as 0-255; black stays black, brighter values are cut."""
    if image.dtype == np.uint8 and bits == 8:
        return np.asarray(image, np.uint8)
    white = 2**bits - 1
    levels = np.minimum(image, white).astype(np.float32) * (_MAX_8_BIT / white)
    return np.asarray(np.rint(levels), np.uint8)
