"""A recording of any size to measure on: the demo's procedure, enlarged and encoded as H.264."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import cv2
import numpy as np

import hipseg
from hipseg.frame import ImageHW, Spacing
from hipseg.io import SourceOptions, open_source
from hipseg.io.video_sink import VideoSink

RATE_HZ = 30.0
NUM_FRAMES = 60
"""Of a recording; longer measurements play it again and again."""
SPACING = Spacing(0.1, 0.1, "user")
"""Some scale, so that guidance measures."""
_DEMO = Path(hipseg.__file__).parent / "demo" / "procedure.dcm"


def write_recording(path: Path, height: int, width: int) -> Path:
    """Writes the demo's procedure as a video of this size, pixels. Raises OutputError."""
    sink = VideoSink(path, RATE_HZ, height, width)
    for image_HW in demo_images():
        resized_HW = cv2.resize(image_HW, (width, height), interpolation=cv2.INTER_LINEAR)
        sink.write(np.repeat(np.asarray(resized_HW, np.uint8)[..., None], 3, axis=2))
    sink.close()
    return path


def demo_images() -> list[ImageHW]:
    """The last frames of the demo: they show a needle."""
    source = open_source(str(_DEMO))
    try:
        return list(deque((frame.image_HW for frame in source.frames()), maxlen=NUM_FRAMES))
    finally:
        source.close()


def recording_options(*, rate_hz: float | None = None, loop: bool = False) -> SourceOptions:
    """How such a recording is opened: the whole picture is the scan region."""
    return SourceOptions(spacing=SPACING, region="full", frame_rate_hz=rate_hz, loop=loop)
