"""Which frames of a session get a picture, and what may not be on it."""

from __future__ import annotations

import dataclasses

import numpy as np
from drawn_scenes import DrawnScene

from hipseg.display.report.key_frames import KeyFrames, Moment
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance, GuidanceEngine

HIP = DrawnScene()


def guided(frame: int, tip: tuple[float, float]) -> Guidance:
    engine = GuidanceEngine(GuidanceConfig(), still=True)
    segmentation = HIP.with_(tip=tip).segmentation()
    return engine.step(segmentation, frame=frame, time_s=0.1 * frame, spacing=HIP.spacing, region=HIP.region)


def picture(level: int) -> np.ndarray:
    return np.full((4, 4, 3), level, np.uint8)


def test_a_frame_whose_guidance_was_withdrawn_is_no_moment_of_guidance() -> None:
    far, near = guided(0, (40.0, 25.0)), guided(1, (30.0, 20.0))
    placed = dataclasses.replace(near, injection=dataclasses.replace(near.injection, placed=True))
    frames = KeyFrames()
    frames.see(far, picture(1))
    frames.see(placed, picture(2), is_shown=False)
    assert (frames[Moment.CLOSEST].frame, frames[Moment.LAST].frame) == (0, 1)
    assert Moment.PLACED not in frames
    frames.see(placed, picture(3))
    assert frames[Moment.CLOSEST].picture_HW3 is frames[Moment.PLACED].picture_HW3 is frames[Moment.LAST].picture_HW3
