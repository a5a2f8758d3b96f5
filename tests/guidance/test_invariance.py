"""What guidance says of a hip does not depend on how the picture lies: mirrored, shifted, resampled, stretched."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_scenes import DrawnScene, segmentation_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance, GuidanceEngine
from hipseg.guidance.geometry import Points, fit_circle

HIP = DrawnScene(vein=(17.0, 14.0), nerve=(26.0, 8.0))
TOLERANCE_MM = 0.35
"""A cell of the network's grid is 0.25 mm wide; a resampled mask may move a border by about one."""


def guide(drawn: DrawnScene, labels: np.ndarray | None = None, region: ScanRegion | None = None) -> Guidance:
    segmentation = segmentation_of(drawn.labels() if labels is None else labels)
    engine = GuidanceEngine(GuidanceConfig(), still=True)
    return engine.step(segmentation, frame=0, time_s=0.0, spacing=drawn.spacing, region=region or drawn.region)


def assert_same(one: Guidance, other: Guidance, tolerance_mm: float = TOLERANCE_MM) -> None:
    for name in ("tip_to_target", "tip_to_artery", "tip_to_vein", "tip_to_nerve", "tip_to_bone", "path_to_vessel",
                 "path_to_nerve"):  # fmt: skip
        assert getattr(other.distances, name) == pytest.approx(getattr(one.distances, name), abs=tolerance_mm), name
    for name in ("neck_capsule_distance_mm", "capsule_thickness_mm", "recess_width_mm", "artery_diameter_mm"):
        assert getattr(other.measurements, name) == pytest.approx(getattr(one.measurements, name), abs=0.3), name
    assert other.measurements.recess_area_mm2 == pytest.approx(one.measurements.recess_area_mm2, rel=0.05)
    assert other.angle_deg == pytest.approx(one.angle_deg, abs=0.7)
    assert other.suggestion is not None
    assert one.suggestion is not None
    assert other.suggestion.blocked_by == one.suggestion.blocked_by


@settings(max_examples=6, deadline=None)
@given(tip_x=st.floats(34, 46), tip_y=st.floats(16, 26))
def test_mirrored(tip_x: float, tip_y: float) -> None:
    drawn = HIP.with_(tip=(tip_x, tip_y))
    plain, mirrored = guide(drawn), guide(drawn, drawn.labels()[:, ::-1].copy())
    assert_same(plain, mirrored)
    assert plain.target is not None
    assert mirrored.target is not None
    assert mirrored.target.side == -(plain.target.side or 0) != 0
    assert plain.needle is not None
    assert mirrored.needle is not None
    assert plain.needle.tip_mm is not None
    assert mirrored.needle.tip_mm == pytest.approx(np.array([63.9, 0]) + plain.needle.tip_mm * (-1, 1), abs=0.1)


@settings(max_examples=6, deadline=None)
@given(right_mm=st.floats(-4, 4), down_mm=st.floats(-3, 3))
def test_shifted(right_mm: float, down_mm: float) -> None:
    def moved(point: tuple[float, float]) -> tuple[float, float]:
        return point[0] + right_mm, point[1] + down_mm

    shifted = HIP.with_(
        head=moved(HIP.head or (0, 0)), artery=moved(HIP.artery or (0, 0)), vein=moved(HIP.vein or (0, 0)),
        nerve=moved(HIP.nerve or (0, 0)), tip=moved(HIP.tip or (0, 0)), entry=moved(HIP.entry),
        neck_depth=HIP.neck_depth + down_mm, neck_until=HIP.neck_until + right_mm,
    )  # fmt: skip
    plain, other = guide(HIP), guide(shifted)
    for name in ("tip_to_target", "tip_to_artery", "tip_to_vein", "tip_to_bone", "path_to_vessel"):
        assert getattr(other.distances, name) == pytest.approx(getattr(plain.distances, name), abs=TOLERANCE_MM), name
    assert other.angle_deg == pytest.approx(plain.angle_deg, abs=0.7)


@settings(max_examples=6, deadline=None)
@given(scale=st.floats(0.5, 2.2))
def test_resampled(scale: float) -> None:
    height, width = round(HIP.height * scale), round(HIP.width * scale)
    spacing = Spacing(HIP.spacing.row_mm / scale, HIP.spacing.column_mm / scale, "user")
    assert_same(guide(HIP), guide(HIP.with_(height=height, width=width, spacing=spacing)))


@settings(max_examples=6, deadline=None)
@given(stretch=st.floats(0.7, 1.4))
def test_pixels_that_are_not_square(stretch: float) -> None:
    spacing = Spacing(0.1 / stretch, 0.1, "user")
    anisotropic = HIP.with_(height=round(HIP.height * stretch), spacing=spacing)
    assert_same(guide(HIP), guide(anisotropic), tolerance_mm=0.45)


def test_the_place_of_the_scan_in_the_frame() -> None:
    plain, elsewhere = guide(HIP), guide(HIP, region=ScanRegion(90, 40, HIP.width, HIP.height, "user"))
    assert elsewhere.distances == plain.distances
    assert elsewhere.measurements == plain.measurements


def random_arc(centre: tuple[float, float], radius: float, noise: float) -> Points:
    rng = np.random.default_rng(1)
    angles = np.linspace(-2.4, -0.8, 60)
    return np.asarray(
        centre + (radius + rng.normal(0, noise, 60))[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    )


@settings(max_examples=25, deadline=None)
@given(x=st.floats(-50, 50), y=st.floats(0, 80), radius=st.floats(18, 28))
def test_a_head_is_fitted_from_the_arc_that_is_seen(x: float, y: float, radius: float) -> None:
    found = fit_circle(random_arc((x, y), radius, 0.1))
    assert found is not None
    assert found[0] == pytest.approx(np.array([x, y]), abs=0.8)
    assert found[1] == pytest.approx(radius, abs=0.8)
