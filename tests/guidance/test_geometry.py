"""Lengths on the image plane against circles and lines whose lengths are known."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_scenes import DrawnScene, segmentation_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hipseg import anatomy
from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.clearances import clearance_mm
from hipseg.guidance.config import StructureConfig
from hipseg.guidance.geometry import Line, ScanPlane, entry_into, fit_line, occupied_labels
from hipseg.guidance.structures import Scene

SPACINGS = [Spacing(0.1, 0.1, "user"), Spacing(0.08, 0.15, "user"), Spacing(0.2, 0.1, "user")]


def scene_of(drawn: DrawnScene) -> Scene:
    segmentation = drawn.segmentation()
    return Scene(segmentation, ScanPlane.of(segmentation.grid, drawn.spacing, drawn.region), StructureConfig())


def circle(spacing: Spacing, centre: tuple[float, float] = (20.0, 14.0), radius: float = 5.0) -> DrawnScene:
    return DrawnScene(height=360, width=480, spacing=spacing, head=None, tip=None, artery=centre, artery_radius=radius)


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
def test_the_outline_of_a_circle_lies_on_it_finer_than_a_cell(spacing: Spacing) -> None:
    scene = scene_of(circle(spacing))
    surface = scene.surface(anatomy.FEMORAL_ARTERY)
    assert surface is not None
    radii = np.hypot(*(surface.outline_mm - (20.0, 14.0)).T)
    assert np.abs(radii - 5.0).max() < 0.35 * scene.plane.grid.scale * max(spacing.row_mm, spacing.column_mm)
    assert abs(radii.mean() - 5.0) < 0.05
    assert surface.superficial_mm[:, 1].min() == pytest.approx(9.0, abs=0.1)
    assert surface.deep_mm[:, 1].max() == pytest.approx(19.0, abs=0.1)


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
def test_area_counts_square_millimetres_whatever_the_pixels(spacing: Spacing) -> None:
    finding = scene_of(circle(spacing)).findings["femoral_artery"]
    assert finding.present
    assert finding.area_mm2 == pytest.approx(np.pi * 25, rel=0.02)


@settings(max_examples=25, deadline=None)
@given(angle=st.floats(0, 2 * np.pi), reach=st.floats(0.5, 9.0))
def test_clearance_is_signed_and_exact_to_a_tenth_of_a_millimetre(angle: float, reach: float) -> None:
    scene = _CIRCLE
    point = np.array([20.0 + reach * np.cos(angle), 14.0 + reach * np.sin(angle)])
    measured = clearance_mm(scene, point[None], anatomy.VESSELS)
    assert measured == pytest.approx(reach - 5.0, abs=0.15)


_CIRCLE = scene_of(circle(Spacing(0.1, 0.1, "user")))


def test_clearance_of_an_absent_structure_is_not_known() -> None:
    assert clearance_mm(_CIRCLE, np.zeros((1, 2)), (anatomy.FEMORAL_NERVE,)) is None


def test_the_edge_of_the_image_is_no_surface() -> None:
    labels = np.zeros((200, 300), dtype=np.uint8)
    labels[:, 250:] = anatomy.FEMORAL_VEIN
    segmentation = segmentation_of(labels)
    region = ScanRegion(0, 0, 300, 200, "full")
    scene = Scene(segmentation, ScanPlane.of(segmentation.grid, SPACINGS[0], region), StructureConfig())
    surface = scene.surface(anatomy.FEMORAL_VEIN)
    assert surface is not None
    assert np.allclose(surface.outline_mm[:, 0], 24.95, atol=0.06)
    assert not len(surface.deep_mm)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (302, 512), (481, 333), (1080, 1920), (7, 900)])
def test_labels_on_the_grid_are_those_under_the_cells(height: int, width: int) -> None:
    labels = np.random.default_rng(0).integers(0, 11, (height, width), dtype=np.uint8)
    grid = segmentation_of(labels).grid
    found = occupied_labels(labels, grid)
    rows, columns = grid.occupied
    assert found.shape == (rows.stop - rows.start, columns.stop - columns.start)
    middle = (found.shape[0] // 2, found.shape[1] // 2)
    x, y = grid.to_image((columns.start + middle[1], rows.start + middle[0]))
    assert (
        found[middle]
        == labels[int(np.clip(np.floor(y + 0.5), 0, height - 1)), int(np.clip(np.floor(x + 0.5), 0, width - 1))]
    )


def test_frame_pixels_count_from_the_frame_not_from_its_scan_region() -> None:
    grid = segmentation_of(np.zeros((100, 100), dtype=np.uint8)).grid
    plane = ScanPlane.of(grid, Spacing(0.2, 0.1, "user"), ScanRegion(30, 40, 100, 100, "user"))
    assert np.allclose(plane.to_frame_px((5.0, 5.0)), (80.0, 65.0))
    assert np.allclose(plane.from_frame_px(plane.to_frame_px((3.0, 7.0))), (3.0, 7.0))
    assert np.allclose(plane.to_cells(plane.from_cells((12.0, 34.0))), (12.0, 34.0))


@given(
    angle=st.floats(0, np.pi),
    offset=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    stretch=st.floats(1, 30),
)
def test_a_line_is_fitted_whatever_its_direction(angle: float, offset: tuple[float, float], stretch: float) -> None:
    direction = np.array([np.cos(angle), np.sin(angle)])
    points = np.multiply.outer(np.linspace(-1, 1, 20) * stretch, direction) + offset
    line = fit_line(points, np.ones(20))
    assert abs(line.direction @ direction) == pytest.approx(1, abs=1e-9)
    assert np.abs(line.across(points)).max() < 1e-6
    assert np.allclose(line.at(line.along(points)), points, atol=1e-6)


def test_a_needle_enters_where_its_line_meets_the_border() -> None:
    size = np.array([60.0, 40.0])
    steep, flat = np.array([0.0, 1.0]), np.array([-1.0, 0.0])
    assert np.allclose(entry_into(size, np.array([20.0, 30.0]), steep), (20.0, 0.0))
    assert np.allclose(entry_into(size, np.array([20.0, 30.0]), flat), (60.0, 30.0))
    assert entry_into(size, np.array([-1.0, 30.0]), steep) is None


def test_across_measures_the_distance_from_a_line() -> None:
    line = Line(np.array([0.0, 0.0]), np.array([0.6, 0.8]))
    assert line.across(np.array([0.8, -0.6])) == pytest.approx(1.0)
