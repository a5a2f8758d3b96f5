"""The overlay as pixels: what must be there, what must not, and that no frame is too odd to draw."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_scenes import DrawnScene, landmark, segmentation_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hipseg import anatomy
from hipseg.display import palette
from hipseg.display.anatomy_marks import mark_anatomy
from hipseg.display.drawing import Box
from hipseg.display.layout import Layout
from hipseg.display.marks import Marks
from hipseg.display.needle_marks import mark_target
from hipseg.display.overlay import Overlay
from hipseg.frame import Frame, ScanRegion, Spacing
from hipseg.guidance.config import GuidanceConfig, Priority, TrackingConfig
from hipseg.guidance.engine import Guidance, GuidanceEngine
from hipseg.runtime.segmentation import Segmentation

HIP = DrawnScene()


def guide(segmentation: Segmentation, spacing: Spacing | None, region: ScanRegion) -> Guidance:
    engine = GuidanceEngine(GuidanceConfig(), still=True)
    return engine.step(segmentation, frame=7, time_s=0.25, spacing=spacing, region=region)


def picture(drawn: DrawnScene = HIP, spacing: Spacing | None = HIP.spacing, grey: int = 60) -> np.ndarray:
    segmentation = drawn.segmentation()
    image = np.full((drawn.height, drawn.width), grey, dtype=np.uint8)
    frame = Frame(image, 7, 0.25, spacing, drawn.region, "clip")
    overlay = Overlay(drawn.region)
    return overlay.draw(frame, segmentation, guide(segmentation, spacing, drawn.region))


def has_colour(canvas: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool(near_colour(canvas, colour).any())


def near_colour(canvas: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Thin strokes blend with their dark edge: a little less than the colour is the colour."""
    return np.abs(canvas.astype(int) - colour).max(axis=2) < 30


def test_the_frame_is_shown_as_it_is_where_nothing_is_marked() -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (480, 640), dtype=np.uint8)
    bare = HIP.with_(head=None, artery=None, tip=None)
    segmentation = bare.segmentation()
    overlay = Overlay(HIP.region)
    canvas = overlay.draw(
        Frame(image, 0, 0.0, None, HIP.region, "c"), segmentation, guide(segmentation, None, HIP.region)
    )
    box = overlay.layout.image
    shown = canvas[box.y : box.y + box.height, box.x : box.x + box.width]
    assert (shown == image[:, :, None]).all()


def test_what_is_burned_in_around_the_scan_is_not_shown() -> None:
    frame = np.full((600, 800), 255, dtype=np.uint8)
    frame[70:550, 90:730] = 60
    region = ScanRegion(90, 70, 640, 480, "user")
    segmentation = HIP.segmentation()
    overlay = Overlay(region)
    canvas = overlay.draw(Frame(frame, 0, 0.0, None, region, "c"), segmentation, guide(segmentation, None, region))
    box = overlay.layout.image
    shown = canvas[box.y : box.y + box.height, box.x : box.x + box.width]
    plain = picture(spacing=None)[box.y : box.y + box.height, box.x : box.x + box.width]
    assert (shown == plain).all()


def test_every_structure_is_outlined_in_its_colour() -> None:
    canvas = picture(HIP.with_(vein=(16, 12), nerve=(24, 10)))
    for class_id in set(range(1, anatomy.NUM_CLASSES)) - {anatomy.ACETABULUM, anatomy.LABRUM}:
        assert has_colour(canvas, anatomy.STRUCTURES[class_id].colour), anatomy.CLASS_NAMES[class_id]


def test_the_target_is_marked_where_it_is() -> None:
    layout, canvas = Layout.of(HIP.region), np.zeros((480, 640, 3), np.uint8)
    guidance = guide(HIP.segmentation(), HIP.spacing, HIP.region)
    marks = Marks(layout, guidance.plane)
    mark_target(marks, guidance)
    marks.draw(canvas)
    x, y = HIP.junction
    middle = np.argwhere(canvas.any(axis=2)).mean(axis=0)[::-1]
    assert middle == pytest.approx(layout.on_picture((x * 10, (y - 1.5) * 10)), abs=3)


def test_an_unrecognised_view_is_shown_bare_and_says_so() -> None:
    canvas = picture(HIP.with_(view_score=0.1))
    assert has_colour(canvas, palette.ALARM[Priority.medium])
    box = Overlay(HIP.region).layout.image
    assert (canvas[box.y : box.y + box.height, box.x : box.x + box.width] == 60).all()


def test_alerts_are_shown_in_the_colour_of_their_priority() -> None:
    contact = HIP.with_(tip=(13.0, 10.5), entry=(50, 3))
    assert has_colour(picture(contact), palette.ALARM[Priority.high])
    assert not has_colour(picture(), palette.ALARM[Priority.high])
    assert has_colour(picture(spacing=None), palette.ALARM[Priority.low])


def test_there_is_a_ruler_only_with_a_scale() -> None:
    box = Overlay(HIP.region).layout.ruler
    with_scale, without = (
        picture(spacing=spacing)[box.y : box.y + box.height, box.x : box.x + box.width]
        for spacing in (HIP.spacing, None)
    )
    assert np.unique(without.reshape(-1, 3), axis=0).shape[0] == 1
    ticks = np.flatnonzero((with_scale[:, -3:] == palette.TEXT_QUIET).all(axis=(1, 2)))
    assert np.diff(ticks).tolist() == [50] * 9


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 500), (700, 3), (302, 512), (480, 640), (481, 641), (1080, 1920), (3000, 4000)], ids=str
)
def test_any_frame_size_gives_a_readable_picture_of_even_size(size: tuple[int, int]) -> None:
    labels = np.zeros(size, dtype=np.uint8)
    labels[size[0] // 3 :] = anatomy.FEMORAL_HEAD
    region = ScanRegion(0, 0, size[1], size[0], "full")
    segmentation = segmentation_of(labels)
    overlay = Overlay(region)
    frame = Frame(np.zeros(size, dtype=np.uint8), 0, 0.0, HIP.spacing, region, "clip")
    canvas = overlay.draw(frame, segmentation, guide(segmentation, HIP.spacing, region))
    assert canvas.shape == (overlay.layout.height, overlay.layout.width, 3)
    assert canvas.shape[0] % 2 == canvas.shape[1] % 2 == 0
    assert 480 < canvas.shape[0] <= 1250
    assert canvas.shape[1] <= 2500


@given(height=st.integers(1, 2500), width=st.integers(1, 2500))
def test_nothing_of_the_layout_overlaps(height: int, width: int) -> None:
    layout = Layout.of(ScanRegion(3, 5, width, height, "full"))
    canvas = Box(0, 0, layout.width, layout.height)
    boxes = [layout.alerts, layout.ruler, layout.image, layout.panel, layout.footer]
    assert all(canvas.holds(box) for box in boxes)
    assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k])


@settings(max_examples=15, deadline=None)
@given(artery_x=st.floats(5, 60), artery_y=st.floats(5, 20), vein_x=st.floats(5, 60), tip_x=st.floats(12, 50))
def test_names_cover_neither_each_other_nor_tip_and_target(
    artery_x: float, artery_y: float, vein_x: float, tip_x: float
) -> None:
    drawn = HIP.with_(artery=(artery_x, artery_y), vein=(vein_x, 14.0), tip=(tip_x, 24.0))
    segmentation = drawn.segmentation()
    guidance = guide(segmentation, HIP.spacing, HIP.region)
    layout = Layout.of(HIP.region)
    reserved = [Box(300, 200, 24, 24)]
    taken = list(reserved)
    mark_anatomy(Marks(layout, guidance.plane), segmentation, guidance.structures, taken)
    assert len(taken) >= 4
    assert not any(one.overlaps(other) for k, one in enumerate(taken) for other in taken[:k])


@pytest.mark.parametrize("grey", [0, 255])
def test_marks_stand_out_on_dark_and_on_bright_images(grey: int) -> None:
    canvas, plain = picture(grey=grey), picture(HIP.with_(view_score=0.1), grey=grey)
    box = Overlay(HIP.region).layout.image
    window = (slice(box.y, box.y + box.height), slice(box.x, box.x + box.width))
    changed = np.abs(canvas[window].astype(int) - plain[window]).max(axis=2) > 80
    assert 0.005 < changed.mean() < 0.08


def test_a_coasting_tip_is_told_apart_from_a_tracked_one() -> None:
    drawn = HIP.with_(landmarks={"needle_tip": landmark((40, 25), HIP.spacing)})
    engine = GuidanceEngine(GuidanceConfig(tracking=TrackingConfig(require_motion=False)))
    overlay = Overlay(HIP.region)
    pictures = []
    for index, scene in enumerate([drawn, drawn.with_(tip=None)]):
        segmentation = scene.segmentation()
        guidance = engine.step(segmentation, frame=index, time_s=index / 30, spacing=HIP.spacing, region=HIP.region)
        frame = Frame(np.zeros((480, 640), np.uint8), index, index / 30, HIP.spacing, HIP.region, "clip")
        pictures.append(overlay.draw(frame, segmentation, guidance))
    assert guidance.needle is not None
    assert guidance.needle.tip_mm is not None
    assert not (pictures[0] == pictures[1]).all()


def test_anatomy_is_never_drawn_in_an_alarm_colour() -> None:
    for structure in anatomy.STRUCTURES:
        for alarm in palette.ALARM.values():
            assert np.abs(np.subtract(structure.colour, alarm)).sum() > 100


def test_alarms_are_told_apart_without_colour() -> None:
    assert len(set(palette.ALARM_MARK.values())) == 3
