"""Cameras and frame grabbers as live sources of frames."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from hipseg.errors import SourceError, UsageError
from hipseg.frame import ColourFlow, ImageHW
from hipseg.io.doppler import decoded
from hipseg.io.live_source import LivePicture, LiveSource, live_info
from hipseg.io.picture_source import is_plausible_rate
from hipseg.io.quiet import quiet_opencv
from hipseg.io.source import SourceOptions

CAMERA_PREFIX = "camera:"


def open_camera(spec: str, options: SourceOptions) -> LiveSource:
    """Opens "camera:N", the N-th video device of this machine.

    It is asked for the frame size and rate in the options. One that gives another size is taken as it is, with a
    warning: a region measured at the wanted size would lie elsewhere.

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
    ask(device, options)
    rate_hz = device.get(cv2.CAP_PROP_FPS)
    info = live_info(f"{CAMERA_PREFIX}{int(number)}", "camera", rate_hz if is_plausible_rate(rate_hz) else None)
    source = LiveSource(info, camera_pictures(device, spec), options, device.release)
    if options.frame_size is not None and options.frame_size != (info.height, info.width):
        height, width = options.frame_size
        asked = f"The camera was asked for {width} x {height} pixels"
        info.warnings.append(f"{asked} and gives {info.width} x {info.height}.")
    return source


def ask(device: Any, options: SourceOptions) -> None:
    """Asks an OpenCV capture for a frame size and rate, and to keep as few frames waiting as it can."""
    if options.frame_size is not None:
        device.set(cv2.CAP_PROP_FRAME_HEIGHT, options.frame_size[0])
        device.set(cv2.CAP_PROP_FRAME_WIDTH, options.frame_size[1])
    if options.frame_rate_hz is not None:
        device.set(cv2.CAP_PROP_FPS, options.frame_rate_hz)
    device.set(cv2.CAP_PROP_BUFFERSIZE, 1)


def camera_pictures(device: Any, spec: str) -> Iterator[LivePicture]:
    """What an OpenCV capture gives, until it gives no more."""
    while True:
        is_read, image = device.read()
        taken_s = time.monotonic()
        if not is_read or image is None:
            raise SourceError("the camera gives no more images", where=spec, mend="check its cable")
        image_HW, flow = _decoded(image)
        yield LivePicture(image_HW, taken_s, flow=flow)


def _decoded(image: Any) -> tuple[ImageHW | None, ColourFlow | None]:
    """8-bit grey and colour flow of what a camera gave: grey or BGR; None for anything else."""
    if image.dtype != np.uint8 or not image.size:
        return None, None
    if image.ndim == 2:
        return np.asarray(image, np.uint8), None
    if image.ndim == 3 and image.shape[2] == 3:
        return decoded(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8))
    return None, None
