"""What stays on the canvas from frame to frame, and text that is stamped instead of drawn."""

from __future__ import annotations

import dataclasses
import gc

import numpy as np
import pytest
from drawn_scenes import DrawnScene

from hipseg.display.drawing import BLACK, Box, Font, write, write_over_image
from hipseg.display.overlay import Overlay
from hipseg.display.slate import Slate, Slates
from hipseg.frame import Frame
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance, GuidanceEngine
from hipseg.runtime.segmentation import Segmentation

HIP = DrawnScene()
AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1), (-1, 1), (1, -1), (-1, -1))


def guided(scene: DrawnScene, *, scale: bool = True) -> tuple[Frame, Segmentation, Guidance]:
    segmentation, spacing = scene.segmentation(), HIP.spacing if scale else None
    engine = GuidanceEngine(GuidanceConfig(), still=True)
    guidance = engine.step(segmentation, frame=0, time_s=0.0, spacing=spacing, region=scene.region)
    return (
        Frame(np.full((scene.height, scene.width), 70, np.uint8), 0, 0.0, spacing, scene.region, "clip"),
        segmentation,
        guidance,
    )


def test_a_picture_does_not_depend_on_those_before_it() -> None:
    moments = [
        guided(HIP),
        guided(HIP.with_(tip=None)),
        guided(HIP.with_(view_score=0.1)),
        guided(HIP.with_(tip=(13.0, 10.5), entry=(50, 3))),
        guided(HIP, scale=False),
        guided(HIP),
    ]
    one_after_the_other = Overlay(HIP.region)
    for moment in moments:
        assert (one_after_the_other.draw(*moment) == Overlay(HIP.region).draw(*moment)).all()


def test_a_picture_that_was_handed_out_is_not_drawn_on_again() -> None:
    overlay = Overlay(HIP.region)
    first = overlay.draw(*guided(HIP))
    kept = first.copy()
    frame, segmentation, guidance = guided(HIP.with_(tip=(13.0, 10.5), entry=(50, 3)))
    overlay.draw(dataclasses.replace(frame, index=9, time_s=1.0), segmentation, guidance)
    assert (first == kept).all()


def test_a_box_is_wiped_only_when_something_else_is_to_stand_in_it() -> None:
    slate, box = Slate(np.zeros((10, 10, 3), np.uint8)), Box(2, 3, 4, 5)
    assert slate.wants(box, "a")
    slate.canvas[...] = 9
    assert not slate.wants(box, "a")
    assert slate.wants(box, None)
    assert not box.of(slate.canvas).any()
    assert slate.canvas.sum() == 9 * (300 - 60)


def test_a_slate_comes_back_when_the_last_view_of_its_picture_has_gone() -> None:
    slates = Slates(np.zeros((10, 10, 3), np.uint8))
    slate = slates.take()
    picture = slates.lend(slate)
    kept = picture[2:5].T[0]
    del picture
    gc.collect()
    assert slates.take() is not slate
    kept[...] = 7
    assert (slate.canvas[2:5, :, 0] == 7).all()
    del kept
    gc.collect()
    assert slates.take() is slate


@pytest.mark.parametrize("at", [(12, 30), (-7, 30), (60, 30), (12, 3), (12, 58), (-90, 30), (500, 500)], ids=str)
def test_a_stamp_is_what_drawing_it_gives(at: tuple[int, int]) -> None:
    image = np.random.default_rng(3).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    font, colour = Font(0.42), (230, 120, 40)
    drawn, stamped = image.copy(), image.copy()
    for step_x, step_y in AROUND:
        write(drawn, "capsule", (at[0] + step_x, at[1] + step_y), font, BLACK)
    write(drawn, "capsule", at, font, colour)
    write_over_image(stamped, "capsule", at, font, colour)
    # Nine strokes one over the other round nine times, a stamp once.
    assert np.abs(drawn.astype(int) - stamped).max() <= 4
