"""The picture without guidance: what is shown while the last one is not current."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import DISCLAIMER
from hipseg.display import palette
from hipseg.display.drawing import Font, text_size, write, write_over_image
from hipseg.display.layout import Layout
from hipseg.display.panel import draw_alerts, ground
from hipseg.display.slate import Slate
from hipseg.frame import Frame
from hipseg.guidance.alerts import ActiveAlert

STALE_HEADLINE, OTHER_HEADLINE = "STALE, no guidance", "No guidance"
_STALE_ALERT = "stale_frame"
_DIMMED = 0.35


def draw_withdrawn(frame: Frame, alerts: Sequence[ActiveAlert]) -> npt.NDArray[np.uint8]:
    """The last image, dim and bare of marks and numbers, under words that say so.

    Args:
        frame: the last one that came in.
        alerts: that stand.

    Returns:
        RGB [H, W, 3] of the size of the frame's overlay.
    """
    layout = Layout.of(frame.region)
    slate, box = Slate(ground(layout)), layout.image
    draw_alerts(slate, alerts, layout)
    canvas = slate.canvas
    image_HW = cv2.resize(frame.scan_HW, (box.width, box.height), interpolation=cv2.INTER_AREA)
    dim_HW = (image_HW * _DIMMED).astype(np.uint8)
    box.of(canvas)[...] = dim_HW[:, :, None]
    _write_headline(canvas, headline(alerts), layout)
    footer, font = layout.footer, Font(0.4 * layout.ui)
    write(canvas, DISCLAIMER, (layout.px(8), footer.y + layout.px(16)), font, palette.TEXT)
    return canvas


def headline(alerts: Sequence[ActiveAlert]) -> str:
    """What stands across the image: a picture that grew old before anyone noticed has no alert yet."""
    is_stale = not alerts or any(alert.id == _STALE_ALERT for alert in alerts)
    return STALE_HEADLINE if is_stale else OTHER_HEADLINE


def _write_headline(canvas: npt.NDArray[np.uint8], words: str, layout: Layout) -> None:
    box = layout.image
    font = Font(1.0 * layout.ui, layout.px(2))
    width, height = text_size(words, font)
    left = max(box.x + (box.width - width) // 2, layout.px(8))
    write_over_image(canvas, words, (left, box.y + (box.height + height) // 2), font, palette.TEXT)
