"""The work on one frame, stage by stage: the scan region, the network, guidance, the overlay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg.display.overlay import Overlay
from hipseg.frame import Frame, ImageHW
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance, GuidanceEngine
from hipseg.io import SourceInfo
from hipseg.runtime.segmentation import Segmentation
from hipseg.runtime.session import Session
from hipseg.runtime.stream import Stage

PREPROCESS, INFERENCE, GUIDANCE, OVERLAY = "preprocess", "inference", "guidance", "overlay"


@dataclass(slots=True)
class FrameWork:
    """What is known of a frame so far; each stage fills in its own part.

    Attributes:
        frame: as the source gave it.
        scan_HW: the ultrasound alone, contiguous.
        segmentation, guidance: of it.
        picture: the overlay, RGB [H, W, 3], None when none is wanted.
    """

    frame: Frame
    scan_HW: ImageHW | None = None
    segmentation: Segmentation | None = None
    guidance: Guidance | None = None
    picture: npt.NDArray[np.uint8] | None = None


class Pipeline:
    """The stages for the frames of one clip.

    Args:
        session: the loaded model.
        config: of guidance.
        info: of the source.
        overlay: draw pictures.
    """

    def __init__(self, session: Session, config: GuidanceConfig, info: SourceInfo, *, overlay: bool) -> None:
        self._session = session
        self._engine = GuidanceEngine(
            config, view_thresholds=session.contract.view_thresholds, still=info.num_frames == 1
        )
        self._overlay = Overlay(info.region) if overlay else None

    def stages(self) -> Iterator[Stage[FrameWork]]:
        """In their order, named as latencies are recorded."""
        yield Stage(PREPROCESS, self._preprocess)
        yield Stage(INFERENCE, self._infer)
        yield Stage(GUIDANCE, self._guide)
        if self._overlay is not None:
            yield Stage(OVERLAY, self._draw)

    def _preprocess(self, work: FrameWork) -> FrameWork:
        work.scan_HW = np.ascontiguousarray(work.frame.scan_HW)
        return work

    def _infer(self, work: FrameWork) -> FrameWork:
        assert work.scan_HW is not None
        work.segmentation = self._session.segment(work.scan_HW)
        return work

    def _guide(self, work: FrameWork) -> FrameWork:
        assert work.segmentation is not None
        frame = work.frame
        work.guidance = self._engine.step(
            work.segmentation, frame=frame.index, time_s=frame.time_s, spacing=frame.spacing, region=frame.region
        )
        return work

    def _draw(self, work: FrameWork) -> FrameWork:
        assert self._overlay is not None
        assert work.segmentation is not None
        assert work.guidance is not None
        work.picture = self._overlay.draw(work.frame, work.segmentation, work.guidance)
        return work
