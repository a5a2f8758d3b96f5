"""Colour to grey: tissue keeps its brightness, what the machine painted over it turns dark."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import speckle

from hipseg.io.grey import bits_used, rgb_to_grey, to_8_bit


def grey_of(*colour: int) -> int:
    return int(rgb_to_grey(np.full((4, 4, 3), colour, np.uint8))[0, 0])


def test_grey_stays_what_it_is() -> None:
    image_HW = speckle(64, 80)
    np.testing.assert_array_equal(rgb_to_grey(np.repeat(image_HW[..., None], 3, axis=2)), image_HW)


@pytest.mark.parametrize(
    "colour",
    [(0, 255, 0), (255, 255, 0), (0, 200, 220), (255, 40, 10), (20, 60, 255), (255, 180, 0)],
    ids=["green marker", "yellow text", "cyan cursor", "red Doppler", "blue Doppler", "orange power Doppler"],
)
def test_paint_turns_dark(colour: tuple[int, int, int]) -> None:
    assert grey_of(*colour) < 60


@pytest.mark.parametrize("colour", [(220, 190, 140), (140, 165, 220), (200, 180, 160)], ids=["sepia", "blue", "warm"])
def test_tinted_tissue_keeps_its_luma(colour: tuple[int, int, int]) -> None:
    red, green, blue = colour
    assert grey_of(*colour) == pytest.approx(0.299 * red + 0.587 * green + 0.114 * blue, abs=1)


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_grey_lies_between_the_least_channel_and_the_luma(colour: tuple[int, int, int]) -> None:
    luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    assert min(colour) - 1 <= grey_of(*colour) <= luma + 1


@given(st.integers(0, 65535), st.integers(8, 16))
def test_a_window_of_bits(level: int, bits: int) -> None:
    shown = int(to_8_bit(np.array([[level]], np.uint16), bits)[0, 0])
    assert shown == pytest.approx(min(level / (2**bits - 1), 1) * 255, abs=0.51)
    assert bits_used(np.array([[level]], np.uint16)) == max(8, level.bit_length())
