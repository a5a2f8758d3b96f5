"""The work on one frame, stage by stage: the scan region, the network, guidance, the overlay."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg.display.config import DisplayConfig
from hipseg.display.overlay import Overlay
from hipseg.frame import Frame, ImageHW
from hipseg.guidance.alerts import ActiveAlert
from hipseg.guidance.clip import ClipFacts, ClipGuidance
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance
from hipseg.guidance.flow import FlowPicture, flow_on_grid
from hipseg.guidance.fluid import Echo, echo_on_grid
from hipseg.guidance.technical import by_urgency
from hipseg.io import SourceInfo
from hipseg.runtime.grid import Grid
from hipseg.runtime.recall import Recall
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
        segmentation: of it.
        echo, flow: its grey levels and its colour Doppler on the segmentation's grid.
        guidance: of it.
        picture: the overlay, RGB [H, W, 3], None when none is wanted.
    """

    frame: Frame
    scan_HW: ImageHW | None = None
    segmentation: Segmentation | None = None
    echo: Echo | None = None
    flow: FlowPicture | None = None
    guidance: Guidance | None = None
    picture: npt.NDArray[np.uint8] | None = None


class Pipeline:
    """The stages for the frames of one clip.

    A live source may change the size, the scan region or the scale of its frames.

    Args:
        session: the loaded model.
        config: of guidance.
        info: of the source.
        overlay: draw pictures ...
        display: ... that show this.
        technical: the alerts about the machine that stand now.

    Attributes:
        facts: what guidance knows of the clip.
    """

    def __init__(
        self,
        session: Session,
        config: GuidanceConfig,
        info: SourceInfo,
        *,
        overlay: bool,
        display: DisplayConfig | None = None,
        technical: Callable[[], tuple[ActiveAlert, ...]] = tuple,
    ) -> None:
        self._recall, self._technical = Recall(session), technical
        self._region = info.region
        self.facts = ClipFacts(session.contract.view_thresholds, info.num_frames == 1 and not info.is_live)
        self._engine = ClipGuidance(config, self.facts)
        self._display = display
        self._overlay = Overlay(info.region, display) if overlay else None

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
        work.segmentation = self._recall.segment(work.frame, work.scan_HW)
        return work

    def _guide(self, work: FrameWork) -> FrameWork:
        assert work.segmentation is not None
        assert work.scan_HW is not None
        frame, grid = work.frame, work.segmentation.grid
        work.echo, work.flow = echo_on_grid(work.scan_HW, grid), _flow(frame, grid)
        guidance = self._engine.step(
            work.segmentation, frame=frame.index, time_s=frame.time_s, spacing=frame.spacing, region=frame.region,
            source_id=frame.source_id, echo=work.echo, flow=work.flow,
        )  # fmt: skip
        technical = self._technical()
        if technical:
            guidance = dataclasses.replace(guidance, alerts=by_urgency((*guidance.alerts, *technical)))
        work.guidance = guidance
        return work

    def _draw(self, work: FrameWork) -> FrameWork:
        assert self._overlay is not None
        assert work.segmentation is not None
        if work.frame.region != self._region:
            self._region, self._overlay = work.frame.region, Overlay(work.frame.region, self._display)
        assert work.guidance is not None
        work.picture = self._overlay.draw(work.frame, work.segmentation, work.guidance)
        return work


def _flow(frame: Frame, grid: Grid) -> FlowPicture | None:
    """The colour Doppler of a frame's scan region."""
    if frame.flow is None:
        return None
    return flow_on_grid(np.ascontiguousarray(frame.flow.velocity_HW[frame.region.slices]), grid, frame.flow.note)
