"""Where everything goes: the image in the middle, nothing but anatomy marks on it, all words and numbers around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg.display.drawing import Box, Points
from hipseg.frame import ScanRegion

_COMFORTABLE_HEIGHT, _COMFORTABLE_WIDTH, _MAX_HEIGHT, _MAX_WIDTH = 480, 1280, 1080, 1920


@dataclass(frozen=True, slots=True)
class Layout:
    """Boxes of the canvas, for frames of one scan region.

    Only the scan region is shown: what is burned in around it may name the patient.

    Attributes:
        width, height: of the canvas, even numbers (video needs them).
        ui: size of text and marks relative to a 640x480 frame.
        zoom: canvas pixels per frame pixel.
        region: of the source frame that is shown.
        alerts: strip above everything.
        ruler: strip left of the image.
        image: the scan region.
        panel: numbers, right of the image.
        footer: strip below everything.
    """

    width: int
    height: int
    ui: float
    zoom: float
    region: ScanRegion
    alerts: Box
    ruler: Box
    image: Box
    panel: Box
    footer: Box

    @classmethod
    def of(cls, region: ScanRegion) -> Layout:
        """Small images are magnified to a comfortable size, huge ones shrunk to what a screen holds."""
        zoom = _zoom(region.height, region.width)
        height, width = max(round(region.height * zoom), 1), max(round(region.width * zoom), 1)
        ui = min(max(height / _COMFORTABLE_HEIGHT, 1.0), 2.0)
        bar, ruler, panel, footer = (round(size * ui) for size in (40, 40, 208, 24))
        stage = max(height, round(_COMFORTABLE_HEIGHT * ui))
        stage_width = max(width, round(_COMFORTABLE_HEIGHT * ui))
        total_width = _even(ruler + stage_width + panel)
        top = bar + (stage - height) // 2
        return cls(
            width=total_width,
            height=_even(bar + stage + footer),
            ui=ui,
            zoom=zoom,
            region=region,
            alerts=Box(0, 0, total_width, bar),
            ruler=Box((stage_width - width) // 2, top, ruler, height),
            image=Box(ruler + (stage_width - width) // 2, top, width, height),
            panel=Box(ruler + stage_width, bar, total_width - ruler - stage_width, stage),
            footer=Box(0, bar + stage, total_width, footer),
        )

    def px(self, size: float) -> int:
        """A length given for a 640x480 frame, in canvas pixels, at least one."""
        return max(round(size * self.ui), 1)

    @property
    def picture(self) -> Box:
        """The image box, in its own coordinates."""
        return Box(0, 0, self.image.width, self.image.height)

    def on_picture(self, frame_px: npt.ArrayLike) -> Points:
        """Frame pixels [..., 2] to pixels of the drawn image; pixel centres are at integers on both."""
        corner = (self.region.x, self.region.y)
        return (np.asarray(frame_px, dtype=np.float64) - corner + 0.5) * self.zoom - 0.5


def _zoom(height: int, width: int) -> float:
    if height > _MAX_HEIGHT or width > _MAX_WIDTH:
        return min(_MAX_HEIGHT / height, _MAX_WIDTH / width)
    if height >= 0.75 * _COMFORTABLE_HEIGHT:
        return 1.0
    return float(max(min(-(-_COMFORTABLE_HEIGHT // height), _COMFORTABLE_WIDTH // width), 1))


def _even(length: int) -> int:
    return length + length % 2
