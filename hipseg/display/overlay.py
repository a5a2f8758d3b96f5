"""The overlay: one picture a frame, the image clear of words, guidance around it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.anatomy import VESSELS
from hipseg.display import palette
from hipseg.display.anatomy_marks import SHORT_NAMES, mark_anatomy
from hipseg.display.config import DisplayConfig, OverlayLayout
from hipseg.display.drawing import Canvas
from hipseg.display.heat_map import draw_heat_map
from hipseg.display.layout import Layout
from hipseg.display.marks import Marks
from hipseg.display.needle_marks import mark_flow, mark_needle, mark_suggestion, mark_target, reserve
from hipseg.display.pace import Pace
from hipseg.display.panel import draw_alerts, draw_footer, draw_panel, draw_ruler, ground
from hipseg.display.slate import Slates
from hipseg.frame import Frame, ImageHW, ScanRegion
from hipseg.guidance.engine import Guidance
from hipseg.runtime.segmentation import Segmentation


class Overlay:
    """Draws the frames of one clip, in their order.

    Args:
        region: of its frames.
        config: what is shown.

    Attributes:
        layout: of the picture; that of `side_by_side` has the bare image left of it.
    """

    def __init__(self, region: ScanRegion, config: DisplayConfig | None = None) -> None:
        self.layout = Layout.of(region)
        self._mode = (config or DisplayConfig()).layout
        self._slates = Slates(ground(self.layout))
        self._pace = Pace()
        self._memory_2HW = np.empty((2, self.layout.image.height, self.layout.image.width), np.uint8)

    def draw(self, frame: Frame, segmentation: Segmentation, guidance: Guidance) -> npt.NDArray[np.uint8]:
        """The picture of a frame, RGB [H, W, 3], of the same size for all frames."""
        layout, slate = self.layout, self._slates.take()
        draw_ruler(slate, guidance, layout)
        draw_panel(slate, guidance, layout, quiet=self._mode is OverlayLayout.quiet)
        draw_footer(slate, frame, guidance, layout, self._pace.words(frame))
        draw_alerts(slate, guidance.alerts, layout)
        self._draw_image(layout.image.of(slate.canvas), self._sized(frame.scan_HW), segmentation, guidance)
        canvas = self._slates.lend(slate)
        return self._beside_bare(canvas, frame) if self._mode is OverlayLayout.side_by_side else canvas

    def _draw_image(self, picture: Canvas, image_HW: ImageHW, segmentation: Segmentation, guidance: Guidance) -> None:
        """Marks are drawn on the image only where guidance stands: an unrecognised view is shown bare."""
        if guidance.needle is None:
            cv2.cvtColor(image_HW, cv2.COLOR_GRAY2RGB, dst=picture)
            return
        marks = self._marks(segmentation, guidance)
        shade_HW = marks.shade(self._memory_2HW)
        if self._mode is OverlayLayout.heat_map:
            cv2.cvtColor(image_HW, cv2.COLOR_GRAY2RGB, dst=picture)
            draw_heat_map(picture, segmentation)
            cv2.subtract(picture, np.asarray(cv2.cvtColor(shade_HW, cv2.COLOR_GRAY2RGB)), dst=picture)
        else:
            cv2.cvtColor(cv2.subtract(image_HW, shade_HW, dst=shade_HW), cv2.COLOR_GRAY2RGB, dst=picture)
        marks.draw(picture)

    def _marks(self, segmentation: Segmentation, guidance: Guidance) -> Marks:
        mode, marks = self._mode, Marks(self.layout, guidance.plane)
        if mode is not OverlayLayout.heat_map:
            shown = VESSELS if mode is OverlayLayout.quiet else tuple(SHORT_NAMES)
            taken, named = reserve(marks, guidance), mode is not OverlayLayout.outline
            mark_anatomy(marks, segmentation, guidance.structures, taken, shown=shown, named=named)
        mark_flow(marks, guidance)
        is_full = mode not in (OverlayLayout.quiet, OverlayLayout.outline)
        if is_full:
            mark_suggestion(marks, guidance)
        mark_needle(marks, guidance, with_cone=is_full)
        mark_target(marks, guidance)
        return marks

    def _beside_bare(self, canvas: Canvas, frame: Frame) -> Canvas:
        """The image without any mark, at the same height, left of the picture."""
        box = self.layout.image
        bare: Canvas = np.full((canvas.shape[0], box.width + box.width % 2, 3), palette.GROUND, np.uint8)
        sized_HW = self._sized(frame.scan_HW)
        bare[box.y : box.y + box.height, : box.width] = sized_HW[:, :, None]
        return np.concatenate([bare, canvas], axis=1)

    def _sized(self, image_HW: ImageHW) -> ImageHW:
        box = self.layout.image
        if image_HW.shape == (box.height, box.width):
            return image_HW
        method = cv2.INTER_AREA if self.layout.zoom < 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image_HW, (box.width, box.height), interpolation=method), dtype=np.uint8)
