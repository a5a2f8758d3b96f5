"""Colour flow in pictures: what the bar says, what is assumed without one, and what is no flow."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from recordings import speckle

from hipseg.io import SourceOptions, open_source
from hipseg.io.doppler import ASSUMED, DECODED, decoded, read_flow
from hipseg.io.grey import rgb_to_grey

Rgb = npt.NDArray[np.uint8]
HEIGHT, WIDTH = 240, 320
DISC = (150, 120, 20)
"""x, y, radius of the flow that is painted."""


def tissue() -> Rgb:
    return np.repeat((speckle(HEIGHT, WIDTH) // 2)[..., None], 3, axis=2)


def hues(velocities: npt.NDArray[np.float64], *, swapped: bool = False) -> Rgb:
    """RGB of velocities -1 to 1: red to yellow toward the probe, blue to cyan away; or the other way round."""
    strength = np.abs(velocities)[..., None]
    red = np.array([120.0, 0, 0]) + strength * [135.0, 200, 20]
    blue = np.array([0.0, 0, 120]) + strength * [20.0, 200, 135]
    toward, away = (blue, red) if swapped else (red, blue)
    return np.where(velocities[..., None] > 0, toward, away).astype(np.uint8)


def with_bar(image: Rgb, *, swapped: bool = False) -> Rgb:
    velocities = np.linspace(1, -1, 80)
    bar = hues(velocities, swapped=swapped)
    bar[np.abs(velocities) < 0.05] = 0
    image[10:90, 300:312] = bar[:, None]
    return image


def with_disc(image: Rgb, velocity: float, *, swapped: bool = False) -> Rgb:
    colour = hues(np.array([velocity]), swapped=swapped)[0]
    cv2.circle(image, DISC[:2], DISC[2], [int(one) for one in colour], -1)
    return image


def disc_HW() -> npt.NDArray[np.bool_]:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.asarray(np.hypot(x - DISC[0], y - DISC[1]) < DISC[2] - 1)


def test_a_grey_picture_has_no_flow() -> None:
    assert read_flow(tissue()) is None


@pytest.mark.parametrize("velocity", [0.9, 0.3, -0.3, -0.9])
@pytest.mark.parametrize("swapped", [False, True])
def test_the_bar_tells_which_way_and_how_fast(velocity: float, swapped: bool) -> None:
    flow = read_flow(with_disc(with_bar(tissue(), swapped=swapped), velocity, swapped=swapped))
    assert flow is not None
    assert flow.note == DECODED
    assert flow.velocity_HW[disc_HW()] / 127 == pytest.approx(velocity, abs=0.08)
    outside = flow.velocity_HW.copy()
    cv2.circle(outside.view(np.uint8), DISC[:2], DISC[2] + 2, 0, -1)
    assert not outside.any()


@pytest.mark.parametrize("velocity", [0.5, -0.5])
def test_without_a_bar_the_usual_map_is_assumed_and_said_so(velocity: float) -> None:
    flow = read_flow(with_disc(tissue(), velocity))
    assert flow is not None
    assert flow.note == ASSUMED
    assert np.sign(np.median(flow.velocity_HW[disc_HW()])) == np.sign(velocity)


def test_a_bar_alone_is_no_flow() -> None:
    assert read_flow(with_bar(tissue())) is None


@pytest.mark.parametrize("colour", [(0, 255, 0), (255, 255, 0), (0, 255, 255), (255, 0, 255), (190, 160, 120)],
                         ids=["green", "yellow", "cyan", "magenta", "sepia"])  # fmt: skip
def test_marks_of_other_colours_are_no_flow(colour: tuple[int, int, int]) -> None:
    image = tissue()
    cv2.putText(image, "DIST 42 mm", (60, 150), cv2.FONT_HERSHEY_SIMPLEX, 0.8, colour, 2)
    assert read_flow(image) is None


def test_grey_is_what_it_was_before_flow_was_read() -> None:
    image = with_disc(with_bar(tissue()), 0.7)
    np.testing.assert_array_equal(decoded(image).image_HW, rgb_to_grey(image))


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (16, 3), (40, 400)])
@pytest.mark.parametrize("seed", range(3))
def test_no_picture_breaks_the_reading(size: tuple[int, int], seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    flow = read_flow(noise)
    assert flow is None or flow.velocity_HW.shape == size
    read_flow(np.full((*size, 3), (255, 0, 0), np.uint8))


def test_flow_comes_with_the_frames_of_a_source(tmp_path: Path) -> None:
    path = tmp_path / "doppler.png"
    cv2.imwrite(str(path), with_disc(with_bar(tissue()), 0.7)[..., ::-1])
    source = open_source(str(path), SourceOptions())
    (frame,) = source.frames()
    assert frame.flow is not None
    assert frame.flow.velocity_HW.shape == frame.image_HW.shape
    assert frame.flow.note == DECODED
