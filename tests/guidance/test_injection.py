"""The injection watch: placement, widening recess, fluid that goes astray, withdrawal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from hipseg import anatomy
from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.config import InjectionConfig, StructureConfig
from hipseg.guidance.fluid import FluidWatch, echo_on_grid
from hipseg.guidance.geometry import Points, ScanPlane
from hipseg.guidance.injection import Injection, InjectionWatch, Spread
from hipseg.guidance.recess import RecessTrend
from hipseg.guidance.structures import Scene
from hipseg.guidance.tracking import NeedleState, TrackedNeedle
from hipseg.runtime.grid import Grid
from hipseg.runtime.segmentation import Segmentation

SIZE, MM = 128, 0.4
GRID = Grid(SIZE, SIZE, SIZE)
IN_RECESS, SHORT = np.array([25.0, 31.0]), np.array([25.0, 20.0])
STILL, WIDER = RecessTrend(width_change_mm=0.0, sigma_mm=0.1), RecessTrend(width_change_mm=1.2, sigma_mm=0.1)
CONFIG = InjectionConfig()


def joint() -> npt.NDArray[np.uint8]:
    """Capsule, recess and neck as level bands: 26-29, 29-33 and 33-38 mm deep."""
    labels_HW = np.zeros((SIZE, SIZE), np.uint8)
    for class_id, top_mm, bottom_mm in ((3, 26.0, 29.0), (10, 29.0, 33.0), (2, 33.0, 38.0)):
        labels_HW[round(top_mm / MM) : round(bottom_mm / MM)] = class_id
    return labels_HW


def scene_of(labels_HW: npt.NDArray[np.uint8], *, scale: bool = True) -> Scene:
    probabilities_CHW = np.eye(anatomy.NUM_CLASSES, dtype=np.float32)[labels_HW].transpose(2, 0, 1)
    spacing = Spacing(MM, MM, "user") if scale else None
    plane = ScanPlane.of(GRID, spacing, ScanRegion(0, 0, SIZE, SIZE, "full"))
    segmentation = Segmentation(labels_HW, np.ascontiguousarray(probabilities_CHW), GRID, {}, 1.0)
    return Scene(segmentation, plane, StructureConfig(max_share=1.0))


SCENE = scene_of(joint())


def needle_at(tip_mm: Points) -> TrackedNeedle:
    return TrackedNeedle(NeedleState.TRACKED, tip_mm=tip_mm, sigma_mm=0.4, velocity_mm_s=np.zeros(2))


def play(
    watch: InjectionWatch, tip_mm: Points, trend: RecessTrend, fluid_mm2: float | None, begin_s: float
) -> Injection:
    """One second of frames that are all alike."""
    states = [watch.step(SCENE, needle_at(tip_mm), trend, fluid_mm2, begin_s + k / 20) for k in range(21)]
    return states[-1]


def test_a_recess_that_widens_about_a_placed_tip_confirms_the_injection() -> None:
    watch = InjectionWatch(CONFIG)
    assert play(watch, IN_RECESS, STILL, 0.0, 0.0) == Injection(True, pytest.approx(-1.8, abs=0.3), Spread.NONE, 0.0)
    assert play(watch, IN_RECESS, WIDER, 0.0, 1.05).spread is Spread.INTRA_ARTICULAR
    assert play(watch, IN_RECESS, STILL, 0.0, 5.0).spread is Spread.INTRA_ARTICULAR


def test_fluid_beside_the_joint_while_the_recess_stays_is_astray() -> None:
    watch = InjectionWatch(CONFIG)
    play(watch, SHORT, STILL, 0.0, 0.0)
    state = play(watch, SHORT, STILL, 20.0, 1.05)
    assert state.spread is Spread.EXTRA_ARTICULAR
    assert not state.placed


def test_a_needle_that_slips_out_may_inject_astray_after_a_good_begin() -> None:
    watch = InjectionWatch(CONFIG)
    play(watch, IN_RECESS, WIDER, 0.0, 0.0)
    slipped = play(watch, SHORT, STILL, 0.0, 1.05)
    assert slipped.placed
    assert slipped.outside_joint_mm == pytest.approx(6.0, abs=0.3)
    assert slipped.spread is Spread.NONE
    assert play(watch, SHORT, STILL, 20.0, 2.1).spread is Spread.EXTRA_ARTICULAR


def test_nothing_is_said_of_what_is_not_seen() -> None:
    assert play(InjectionWatch(CONFIG), SHORT, RecessTrend(), 20.0, 0.0).spread is None
    assert play(InjectionWatch(CONFIG), SHORT, STILL, None, 0.0).spread is None
    without_scale = scene_of(joint(), scale=False)
    assert InjectionWatch(CONFIG).step(without_scale, needle_at(SHORT), STILL, 20.0, 0.0) == Injection()


def test_a_needle_drawn_out_ends_the_watch() -> None:
    watch = InjectionWatch(CONFIG)
    play(watch, IN_RECESS, WIDER, 0.0, 0.0)
    gone = watch.step(SCENE, TrackedNeedle(NeedleState.ABSENT), STILL, 0.0, 1.1)
    assert gone == Injection(spread=Spread.NONE)
    assert not play(watch, SHORT, STILL, 0.0, 1.2).placed


def image(rng: np.random.Generator, pool_radius_mm: float, gain: float = 1.0) -> npt.NDArray[np.uint8]:
    """Speckle of 90 grey levels, and a black pool about the point short of the capsule."""
    speckle_HW = 90 * rng.gamma(4.0, 0.25, (SIZE, SIZE))
    y, x = np.mgrid[:SIZE, :SIZE] * MM
    speckle_HW[np.hypot(x - SHORT[0], y - SHORT[1]) < pool_radius_mm] = 6
    return np.clip(gain * speckle_HW, 0, 255).astype(np.uint8)


def darkened(pools_mm: list[float], gains: list[float]) -> list[float | None]:
    """Frame by frame at 10 a second."""
    rng, watch = np.random.default_rng(1), FluidWatch(CONFIG)
    images = [image(rng, pool, gain) for pool, gain in zip(pools_mm, gains, strict=True)]
    return [watch.step(echo_on_grid(one, GRID), SCENE, SHORT, k / 10) for k, one in enumerate(images)]


def test_a_pool_that_grows_is_measured() -> None:
    areas = darkened([0.0] * 15 + [3.0] * 10, [1.0] * 25)
    assert areas[0] is None
    assert areas[14] == 0.0
    assert areas[24] == pytest.approx(np.pi * 3.0**2, rel=0.25)


def test_a_gain_that_is_turned_down_is_no_fluid() -> None:
    areas = darkened([0.0] * 25, [1.0] * 15 + [0.4] * 10)
    assert areas[24] == 0.0


def test_a_clock_set_back_forgets_what_was_bright() -> None:
    rng, watch = np.random.default_rng(1), FluidWatch(CONFIG)
    for time_s in (0.0, 1.0, 2.0):
        watch.step(echo_on_grid(image(rng, 0.0), GRID), SCENE, SHORT, time_s)
    assert watch.step(echo_on_grid(image(rng, 3.0), GRID), SCENE, SHORT, 0.5) is None
