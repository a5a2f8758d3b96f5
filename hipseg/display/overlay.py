"""The overlay: one picture a frame, the image clear of words, guidance around it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.display.anatomy_marks import draw_anatomy
from hipseg.display.layout import Layout
from hipseg.display.needle_marks import draw_needle, draw_target, reserve
from hipseg.display.panel import draw_alerts, draw_footer, draw_panel, draw_ruler, ground
from hipseg.frame import Frame, ImageHW, ScanRegion
from hipseg.guidance.engine import Guidance
from hipseg.runtime.segmentation import Segmentation


class Overlay:
    """Draws the frames of one clip.

    Args:
        region: of its frames.

    Attributes:
        layout: its `height` and `width` are those of every picture.
    """

    def __init__(self, region: ScanRegion) -> None:
        self.layout = Layout.of(region)
        self._ground = ground(self.layout)

    def draw(self, frame: Frame, segmentation: Segmentation, guidance: Guidance) -> npt.NDArray[np.uint8]:
        """The picture of a frame, RGB [H, W, 3] of the layout's size.

        Marks are drawn on the image only where guidance stands: an unrecognised view is shown bare.
        """
        layout = self.layout
        canvas = self._ground.copy()
        box = layout.image
        picture = canvas[box.y : box.y + box.height, box.x : box.x + box.width]
        picture[...] = cv2.cvtColor(self._sized(frame.image_HW[layout.region.slices]), cv2.COLOR_GRAY2RGB)
        if guidance.needle is not None:
            taken = reserve(guidance, layout)
            draw_anatomy(picture, segmentation, guidance.structures, guidance.plane, layout, taken)
            draw_target(picture, guidance, layout)
            draw_needle(picture, guidance, layout)
        draw_ruler(canvas, guidance, layout)
        draw_panel(canvas, guidance, layout)
        draw_footer(canvas, frame, guidance, layout)
        draw_alerts(canvas, guidance.alerts, layout)
        return canvas

    def _sized(self, image_HW: ImageHW) -> ImageHW:
        box = self.layout.image
        if image_HW.shape == (box.height, box.width):
            return image_HW
        method = cv2.INTER_AREA if self.layout.zoom < 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image_HW, (box.width, box.height), interpolation=method), dtype=np.uint8)
