"""The overlay: one picture a frame, the image clear of words, guidance around it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.anatomy import VESSELS
from hipseg.display import palette
from hipseg.display.anatomy_marks import SHORT_NAMES, draw_anatomy
from hipseg.display.config import DisplayConfig, OverlayLayout
from hipseg.display.drawing import Canvas
from hipseg.display.heat_map import draw_heat_map
from hipseg.display.layout import Layout
from hipseg.display.needle_marks import draw_flow, draw_needle, draw_suggestion, draw_target, reserve
from hipseg.display.pace import Pace
from hipseg.display.panel import draw_alerts, draw_footer, draw_panel, draw_ruler, ground
from hipseg.display.slate import Slate
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
        self._slate = Slate(ground(self.layout))
        self._pace = Pace()

    def draw(self, frame: Frame, segmentation: Segmentation, guidance: Guidance) -> npt.NDArray[np.uint8]:
        """The picture of a frame, RGB [H, W, 3], of the same size for all frames.

        Marks are drawn on the image only where guidance stands: an unrecognised view is shown bare.
        """
        layout, slate = self.layout, self._slate
        draw_ruler(slate, guidance, layout)
        draw_panel(slate, guidance, layout, quiet=self._mode is OverlayLayout.quiet)
        draw_footer(slate, frame, guidance, layout, self._pace.words(frame))
        draw_alerts(slate, guidance.alerts, layout)
        canvas = slate.copy_around(layout.image)
        picture = layout.image.of(canvas)
        cv2.cvtColor(self._sized(frame.scan_HW), cv2.COLOR_GRAY2RGB, dst=picture)
        if guidance.needle is not None:
            self._mark(picture, segmentation, guidance)
        return self._beside_bare(canvas, frame) if self._mode is OverlayLayout.side_by_side else canvas

    def _mark(self, picture: Canvas, segmentation: Segmentation, guidance: Guidance) -> None:
        layout, mode = self.layout, self._mode
        if mode is OverlayLayout.heat_map:
            draw_heat_map(picture, segmentation)
        else:
            taken, shown = reserve(guidance, layout), VESSELS if mode is OverlayLayout.quiet else tuple(SHORT_NAMES)
            named = mode is not OverlayLayout.outline
            draw_anatomy(
                picture, segmentation, guidance.structures, guidance.plane, layout, taken, shown=shown, named=named
            )
        draw_flow(picture, guidance, layout)
        is_full = mode not in (OverlayLayout.quiet, OverlayLayout.outline)
        if is_full:
            draw_suggestion(picture, guidance, layout)
        draw_needle(picture, guidance, layout, with_cone=is_full)
        draw_target(picture, guidance, layout)

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
