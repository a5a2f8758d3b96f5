"""What annotations may stand for, and how a sample comes to lie on the grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_scenes import PARTIAL, scene, spot_sample

from hipseg import anatomy
from hipseg.data.manifest import Case
from hipseg.data.sample import (
    UNKNOWN,
    landmark_array,
    membership,
    place_on_grid,
    resample_image,
    resample_labels,
    sample_of_case,
)
from hipseg.runtime.grid import Grid

HEAD, NEEDLE, ARTERY, VEIN = (
    anatomy.FEMORAL_HEAD,
    anatomy.NEEDLE,
    anatomy.FEMORAL_ARTERY,
    anatomy.FEMORAL_VEIN,
)


def test_full_labels_stand_for_themselves() -> None:
    np.testing.assert_array_equal(membership(anatomy.CLASS_NAMES, {}), np.eye(anatomy.NUM_CLASSES, dtype=bool))


def test_what_nobody_annotated_may_hide_in_the_background() -> None:
    rows_CC = membership(("femoral_head", "needle"), {})
    background = set(np.flatnonzero(rows_CC[0]).tolist())
    assert background == set(range(anatomy.NUM_CLASSES)) - {HEAD, NEEDLE}
    assert np.flatnonzero(rows_CC[HEAD]).tolist() == [HEAD]


def test_a_merged_id_stands_for_its_members_and_keeps_them_out_of_the_background() -> None:
    rows_CC = membership(("femoral_artery",), {"femoral_artery": ("femoral_artery", "femoral_vein")})
    assert np.flatnonzero(rows_CC[ARTERY]).tolist() == [ARTERY, VEIN]
    assert not rows_CC[0, ARTERY]
    assert not rows_CC[0, VEIN]
    assert rows_CC[0, anatomy.FEMORAL_NERVE]


def test_every_true_class_is_allowed_somewhere_and_every_row_allows_something() -> None:
    for annotated in ((), ("labrum",), anatomy.CLASS_NAMES[1:]):
        rows_CC = membership(annotated, {})
        assert rows_CC.any(axis=0).all()
        assert rows_CC.any(axis=1).all()


def case(**fields: object) -> Case:
    return Case(id="c", image="i.png", mask=None, patient="p", split="train", sha256="0", **fields)  # type: ignore[arg-type]


def test_a_case_overrides_its_manifest_and_an_unlabelled_one_is_ignored() -> None:
    image_HW, labels_HW = scene(0)
    inherited = sample_of_case(case(), PARTIAL, image_HW, labels_HW)
    own = sample_of_case(case(annotated=("needle",), merged={}, hip_view=False), PARTIAL, image_HW, labels_HW)
    unlabelled = sample_of_case(case(), PARTIAL, image_HW, None)
    assert inherited.membership_CC[ARTERY, VEIN]
    assert inherited.hip_view == UNKNOWN
    assert own.membership_CC[0, HEAD]
    assert own.hip_view == 0
    assert (unlabelled.labels_HW == anatomy.IGNORED).all()


def test_landmarks_are_in_the_image_absent_or_unknown() -> None:
    landmarks_K3 = landmark_array({"needle_tip": (4.5, 7.0), "head_neck_junction": None})
    np.testing.assert_array_equal(landmarks_K3, [[4.5, 7.0, 1], [0, 0, -1], [0, 0, 0]])


@pytest.mark.parametrize(("height", "width"), [(512, 512), (768, 1024), (1024, 256)])
def test_the_grid_sees_what_an_antialiased_bilinear_filter_sees(height: int, width: int) -> None:
    image_HW = np.random.default_rng(0).integers(0, 256, size=(height, width)).astype(np.uint8)
    grid = Grid(height, width, 256)
    inner = (round(height / grid.scale), round(width / grid.scale))
    reference = torch.nn.functional.interpolate(
        torch.from_numpy(image_HW)[None, None].float(), size=inner, mode="bilinear", antialias=True
    )
    grey_SS = resample_image(image_HW, grid)
    np.testing.assert_allclose(grey_SS[grid.occupied], reference[0, 0].numpy(), atol=0.5)
    assert grey_SS.sum() == pytest.approx(grey_SS[grid.occupied].sum())


def test_an_image_smaller_than_the_grid_is_interpolated() -> None:
    image_HW = np.tile(np.arange(0, 200, 10, dtype=np.uint8), (20, 1))
    grey_SS = resample_image(image_HW, Grid(20, 20, 80))
    np.testing.assert_allclose(np.diff(grey_SS[40, 4:70]), 2.5, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(271, 514), (601, 200), (31, 33), (1080, 1920)])
def test_labels_and_landmarks_meet_on_the_grid(height: int, width: int) -> None:
    spots = [(width * 0.3, height * 0.6), (width * 0.8, height * 0.2)]
    placed = place_on_grid(spot_sample(spots, height, width), 128)
    for id, landmark in enumerate(placed.landmarks_K3[:2], start=1):
        column, row = np.rint(landmark[:2]).astype(int)
        assert placed.labels_SS[row, column] == id
    assert placed.landmarks_K3[2].tolist() == [0, 0, UNKNOWN]


def test_outside_the_image_there_is_nothing_to_learn() -> None:
    sample = spot_sample([(50, 50)], height=100, width=300)
    placed = place_on_grid(sample, 64)
    grid = Grid(100, 300, 64)
    outside = np.ones((64, 64), bool)
    outside[grid.occupied] = False
    assert (placed.labels_SS[outside] == anatomy.IGNORED).all()
    assert (placed.image_SS[outside] == 0).all()
    assert (placed.labels_SS[~outside] != anatomy.IGNORED).all()
    np.testing.assert_array_equal(resample_labels(sample.labels_HW, grid), placed.labels_SS)


def test_the_scale_is_that_of_a_cell_or_stays_unknown() -> None:
    sample = spot_sample([(50, 50)], height=100, width=256)
    assert place_on_grid(sample, 64).spacing_mm == pytest.approx((0.4, 0.8))
    image_HW, labels_HW = scene(0)
    unscaled = sample_of_case(case(), PARTIAL, image_HW, labels_HW)
    assert all(math.isnan(side) for side in place_on_grid(unscaled, 64).spacing_mm)
