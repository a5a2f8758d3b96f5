"""Cameras and frame grabbers as live sources of frames."""

from __future__ import annotations

import time
from collections.abc import Iterator

import cv2
import numpy as np

from hipseg.errors import SourceError, UsageError
from hipseg.io.grey import rgb_to_grey
from hipseg.io.picture_source import ClipFacts, Picture, PictureSource, is_plausible_rate
from hipseg.io.quiet import quiet_opencv
from hipseg.io.source import SourceOptions

CAMERA_PREFIX = "camera:"


def open_camera(spec: str, options: SourceOptions) -> PictureSource:
    """Opens "camera:N", the N-th video device of this machine.

    Raises:
        UsageError: N is not a number.
        SourceError: there is no such device, or it gives no image.
    """
    number = spec.removeprefix(CAMERA_PREFIX)
    if not number.isdecimal():
        raise UsageError(f"'{spec}' names no camera", where="source", expected="camera:N", mend="for example camera:0")
    with quiet_opencv():
        device = cv2.VideoCapture(int(number))
    if not device.isOpened():
        device.release()
        mend = "check that it is plugged in and that no other program uses it"
        raise SourceError("no such camera, or it is in use", where=spec, mend=mend)
    rate_hz = device.get(cv2.CAP_PROP_FPS)
    facts = ClipFacts(
        source_id=f"{CAMERA_PREFIX}{int(number)}",
        kind="camera",
        where=spec,
        frame_rate_hz=rate_hz if is_plausible_rate(rate_hz) else None,
        is_live=True,
    )
    return PictureSource(facts, _pictures(device, spec), options, device.release)


def _pictures(device: cv2.VideoCapture, spec: str) -> Iterator[Picture]:
    while True:
        is_read, image_HW3 = device.read()
        taken_s = time.monotonic()
        if not is_read or image_HW3 is None:
            raise SourceError("the camera gives no more images", where=spec, mend="check its cable")
        if image_HW3.ndim == 2:
            yield Picture(np.asarray(image_HW3, np.uint8), taken_s)
        else:
            rgb_HW3 = np.asarray(cv2.cvtColor(image_HW3, cv2.COLOR_BGR2RGB), np.uint8)
            yield Picture(rgb_to_grey(rgb_HW3), taken_s)
