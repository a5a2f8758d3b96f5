"""Guidance over a clip whose frames may change their geometry."""

from __future__ import annotations

from dataclasses import dataclass

from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance, GuidanceEngine
from hipseg.guidance.flow import FlowPicture
from hipseg.guidance.fluid import Echo
from hipseg.runtime.segmentation import Segmentation


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What guidance has to know of a clip.

    Attributes:
        view_thresholds: of the model, see `ModelContract.view_thresholds`.
        still: the source is a single image.
    """

    view_thresholds: tuple[float, float]
    still: bool


class ClipGuidance:
    """An engine that begins anew when the scan region or the scale changes: what was known is of another geometry.

    Args:
        config: validated.
        facts: of the clip.
    """

    def __init__(self, config: GuidanceConfig, facts: ClipFacts) -> None:
        self._config, self._facts = config, facts
        self._geometry: tuple[ScanRegion, Spacing | None] | None = None
        self._engine = self._new_engine()

    def step(
        self,
        segmentation: Segmentation,
        *,
        frame: int,
        time_s: float,
        spacing: Spacing | None,
        region: ScanRegion,
        echo: Echo | None = None,
        flow: FlowPicture | None = None,
    ) -> Guidance:
        """See `GuidanceEngine.step`."""
        geometry = (region, spacing)
        if self._geometry is not None and geometry != self._geometry:
            self._engine = self._new_engine()
        self._geometry = geometry
        return self._engine.step(
            segmentation, frame=frame, time_s=time_s, spacing=spacing, region=region, echo=echo, flow=flow
        )

    def _new_engine(self) -> GuidanceEngine:
        return GuidanceEngine(self._config, view_thresholds=self._facts.view_thresholds, still=self._facts.still)
