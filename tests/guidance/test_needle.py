"""The needle of one frame against needles drawn at known places."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from drawn_scenes import DrawnScene, distance_to_segment, landmark, segmentation_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hipseg import anatomy
from hipseg.frame import Spacing
from hipseg.guidance.config import NeedleConfig, StructureConfig
from hipseg.guidance.geometry import ScanPlane, angle_to_skin_deg
from hipseg.guidance.needle import NeedleSighting, find_needle, find_needles
from hipseg.guidance.structures import Scene
from hipseg.runtime.segmentation import Landmark

SQUARE = Spacing(0.1, 0.1, "user")
BARE = DrawnScene(head=None, artery=None)
CONFIG = NeedleConfig()


def sight(drawn: DrawnScene, labels_HW: np.ndarray | None = None) -> NeedleSighting | None:
    segmentation = segmentation_of(drawn.labels() if labels_HW is None else labels_HW, drawn.landmarks)
    plane = ScanPlane.of(segmentation.grid, drawn.spacing, drawn.region)
    return find_needle(Scene(segmentation, plane, StructureConfig()), segmentation.landmarks, CONFIG)


def sightings(labels_HW: np.ndarray) -> list[NeedleSighting]:
    segmentation = segmentation_of(labels_HW)
    plane = ScanPlane.of(segmentation.grid, SQUARE, BARE.region)
    return find_needles(Scene(segmentation, plane, StructureConfig()), {}, CONFIG)


def paint(labels_HW: np.ndarray, start: tuple[float, float], end: tuple[float, float], width: float = 1.0) -> None:
    y, x = np.mgrid[: labels_HW.shape[0], : labels_HW.shape[1]] * 0.1
    labels_HW[distance_to_segment(x, y, start, end) <= width / 2] = anatomy.NEEDLE


def tip_error(sighting: NeedleSighting | None, tip: tuple[float, float]) -> float:
    assert sighting is not None
    assert sighting.tip is not None
    return float(np.hypot(*(sighting.tip.point_mm - tip)))


@settings(max_examples=30, deadline=None)
@given(
    tip_x=st.floats(15, 45),
    tip_y=st.floats(15, 40),
    angle=st.floats(12, 75),
    length=st.floats(9, 15),
    from_right=st.booleans(),
    spacing=st.sampled_from([SQUARE, Spacing(0.1, 0.13, "user"), Spacing(0.14, 0.1, "user")]),
)
def test_line_and_tip_of_any_needle(
    tip_x: float, tip_y: float, angle: float, length: float, from_right: bool, spacing: Spacing
) -> None:
    way = np.array([math.cos(math.radians(angle)) * (1 if from_right else -1), -math.sin(math.radians(angle))])
    entry = (tip_x + length * way[0], tip_y + length * way[1])
    sighting = sight(BARE.with_(tip=(tip_x, tip_y), entry=entry, spacing=spacing))
    assert tip_error(sighting, (tip_x, tip_y)) < 0.35
    assert sighting is not None
    assert angle_to_skin_deg(sighting.shaft.line.direction) == pytest.approx(angle, abs=1.0)
    assert sighting.shaft.line.direction @ way < -0.99


def test_no_needle_in_an_empty_image() -> None:
    assert sight(BARE.with_(tip=None)) is None


@pytest.mark.parametrize("radius", [1.0, 3.0, 20.0])
def test_a_blob_is_no_needle(radius: float) -> None:
    drawn = BARE.with_(tip=None)
    y, x = np.mgrid[: drawn.height, : drawn.width] * 0.1
    labels = np.where(np.hypot(x - 30, y - 20) < radius, anatomy.NEEDLE, 0).astype(np.uint8)
    assert sight(drawn, labels) is None


def test_a_needle_over_the_whole_image_is_none() -> None:
    assert sight(BARE, np.full((480, 640), anatomy.NEEDLE, dtype=np.uint8)) is None


def test_a_shaft_in_pieces_is_put_together() -> None:
    labels = np.zeros((480, 640), dtype=np.uint8)
    for start, end in (((60, 5), (52, 11)), ((48, 14), (44, 17)), ((40, 20), (36, 23))):
        paint(labels, start, end)
    assert tip_error(sight(BARE, labels), (36, 23)) < 0.4


def test_a_parallel_copy_below_does_not_bend_the_line() -> None:
    labels = BARE.with_(tip=(36.0, 23.0), entry=(60.0, 5.0)).labels()
    paint(labels, (58, 16), (48, 23.5), width=0.6)
    sighting = sight(BARE, labels)
    assert tip_error(sighting, (36, 23)) < 0.4
    assert sighting is not None
    assert angle_to_skin_deg(sighting.shaft.line.direction) == pytest.approx(math.degrees(math.atan2(18, 24)), abs=1)


def test_specks_around_do_not_move_the_tip() -> None:
    labels = BARE.with_(tip=(36.0, 23.0), entry=(60.0, 5.0)).labels()
    rng = np.random.default_rng(3)
    for row, column in zip(rng.integers(10, 470, 12), rng.integers(10, 630, 12), strict=True):
        labels[row : row + 8, column : column + 8] = anatomy.NEEDLE
    assert tip_error(sight(BARE, labels), (36, 23)) < 0.5


def test_of_five_needles_none_is_believed() -> None:
    labels = np.zeros((480, 640), dtype=np.uint8)
    for k in range(5):
        paint(labels, (32 + 8 * k, 10), (20 + 8 * k, 22.0))
    sighting = sight(BARE, labels)
    assert sighting is not None
    assert sighting.tip is None


@pytest.mark.parametrize("sagitta", [-2.0, -1.0, 0.0, 1.0, 2.0])
def test_a_bent_needle_is_followed_to_its_tip(sagitta: float) -> None:
    """A shallow arc over a chord of 40 mm: its tip, and the direction it has there, not the chord's."""
    chord, entry = 40.0, np.array([60.0, 4.0])
    way = np.array([-math.cos(math.radians(35)), math.sin(math.radians(35))])
    right = np.array([-way[1], way[0]])
    along = np.linspace(0, chord, 80)
    points = entry + np.outer(along, way) + np.outer(4 * sagitta * along * (chord - along) / chord**2, right)
    labels = np.zeros((480, 640), dtype=np.uint8)
    for start, end in itertools.pairwise(points):
        paint(labels, tuple(start), tuple(end))
    sighting = sight(BARE, labels)
    assert tip_error(sighting, tuple(points[-1])) < 0.5
    assert sighting is not None
    tangent = way - 4 * sagitta / chord * right
    assert sighting.shaft.line.direction @ tangent / np.hypot(*tangent) > math.cos(math.radians(3))
    assert sighting.shaft.bend_mm == pytest.approx(sagitta, abs=0.35)


def test_a_reverberation_below_is_left_out_even_if_it_is_better_seen() -> None:
    labels = np.zeros((480, 640), dtype=np.uint8)
    paint(labels, (50, 8), (38, 17))
    paint(labels, (50, 14), (34, 26))
    found = sightings(labels)
    assert len(found) == 1
    assert np.hypot(*(found[0].shaft.end_mm - (38, 17))) < 0.4


def test_a_side_lobe_beside_the_shaft_is_left_out() -> None:
    labels = BARE.with_(tip=(36.0, 23.0), entry=(60.0, 5.0)).labels()
    paint(labels, (44, 13), (38, 15), width=0.6)
    assert len(sightings(labels)) == 1


def test_of_two_lines_that_might_be_copies_of_each_other_one_stays() -> None:
    labels = np.zeros((480, 640), dtype=np.uint8)
    paint(labels, (25.9, 17.1), (44.0, 17.9))
    paint(labels, (34.7, 12.1), (43.7, 13.1))
    assert len(sightings(labels)) == 1


def test_a_second_needle_elsewhere_is_kept_for_the_tracker_to_judge() -> None:
    labels = BARE.with_(tip=(46.0, 16.0), entry=(60.0, 5.0)).labels()
    paint(labels, (4, 30), (24, 34))
    assert len(sightings(labels)) == 2


@pytest.mark.parametrize("visible_mm", [3.0, 4.0, 4.8])
def test_a_needle_that_has_just_come_in_is_found_with_doubt_about_its_direction(visible_mm: float) -> None:
    labels = np.zeros((480, 640), dtype=np.uint8)
    paint(labels, (63.9, 6), (63.9 - visible_mm * 0.8, 6 + visible_mm * 0.6))
    found = sightings(labels)
    assert len(found) == 1
    assert found[0].shaft.sigma_direction_deg > 2
    assert sight(BARE, labels) is None


def test_a_mask_that_fades_out_makes_the_tip_less_sure() -> None:
    crisp, faded = BARE.segmentation(), BARE.segmentation()
    ramp = np.clip((np.arange(256) * 0.25 - 40) / 8, 0, 1).astype(np.float32)
    faded.probabilities_CHW[anatomy.NEEDLE] *= ramp
    sigmas = []
    for segmentation in (crisp, faded):
        scene = Scene(segmentation, ScanPlane.of(segmentation.grid, SQUARE, BARE.region), StructureConfig())
        sighting = find_needle(scene, {}, CONFIG)
        assert sighting is not None
        assert sighting.tip is not None
        sigmas.append(sighting.tip.sigma_mm)
    assert sigmas[1] > 2 * sigmas[0]


def test_a_level_needle_came_in_from_the_nearer_side() -> None:
    sighting = sight(BARE.with_(tip=(25.0, 20.0), entry=(2.0, 19.8)))
    assert tip_error(sighting, (25, 20)) < 0.4


def test_the_tip_landmark_tells_which_end_is_the_tip() -> None:
    rising = BARE.with_(tip=(30.0, 10.0), entry=(60.0, 30.0), landmarks={"needle_tip": landmark((30, 10), SQUARE)})
    assert tip_error(sight(rising), (30, 10)) < 0.4


def tip_with(found: Landmark) -> NeedleSighting:
    sighting = sight(BARE.with_(landmarks={"needle_tip": found}))
    assert sighting is not None
    return sighting


def test_agreement_makes_the_tip_surer_and_disagreement_less_sure() -> None:
    alone = sight(BARE)
    assert alone is not None
    assert alone.tip is not None
    agreed = tip_with(landmark((40, 25), SQUARE, sigma_px=4)).tip
    beyond = tip_with(landmark((36, 28.3), SQUARE, sigma_px=4)).tip
    assert agreed is not None
    assert beyond is not None
    assert agreed.sigma_mm < alone.tip.sigma_mm < beyond.sigma_mm
    assert beyond.sigma_mm > 2.0
    assert np.abs(tip_with(landmark((36, 28.3), SQUARE)).shaft.line.across(beyond.point_mm)) < 1e-6


def test_a_landmark_on_the_line_goes_before_the_masks_end_whatever_its_map_shows_elsewhere() -> None:
    wide = 60  # px of 0.15 mm: hills of the heat map all over the image
    beyond = tip_with(landmark((36, 28.3), SQUARE, sigma_px=wide)).tip
    beside = tip_with(landmark((38, 32), SQUARE, sigma_px=wide)).tip
    assert beyond is not None
    assert beside is not None
    assert np.hypot(*(beyond.point_mm - (36, 28.3))) < 0.5
    assert beyond.sigma_mm > 2.0  # their distance stays in doubt
    assert np.hypot(*(beside.point_mm - (40, 25))) < 1.0


def test_a_tip_in_too_much_doubt_is_not_seen() -> None:
    assert tip_with(landmark((20, 40), SQUARE, sigma_px=4)).tip is None


def test_a_tip_that_the_model_does_not_see_is_not_reported() -> None:
    sighting = tip_with(landmark((40, 25), SQUARE, visibility=0.1))
    assert sighting.tip is None
    assert sighting.shaft.length_mm > 20


@pytest.mark.parametrize(
    "broken", [Landmark(math.nan, 20, 2, 0.9), Landmark(20, 20, math.inf, 0.9), Landmark(1, 1, 1, math.nan)]
)
def test_a_landmark_that_is_not_a_number_is_not_seen(broken: Landmark) -> None:
    assert tip_with(broken).tip is None
